"""How far the agent can stay from walls: distance transforms with several metrics."""
import cv2
import numpy as np


def free_space(image):
    return cv2.threshold(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 70, 255, cv2.THRESH_BINARY_INV)[1]


def first(initial, frame):
    free = free_space(frame)
    l1 = cv2.distanceTransform(free, cv2.DIST_L1, 3)
    chess = cv2.distanceTransform(free, cv2.DIST_C, 3)
    return float(np.minimum(l1, 1000).max()) > 1.5 * float(np.minimum(chess, 1000).max())


def second(initial, frame):
    free = free_space(frame)
    if free.all():
        return 1.0
    distance, labels = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, cv2.DIST_MASK_5)
    precise = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    spread = len(np.unique(labels)) / labels.size
    return round(float(np.clip((distance + precise).mean() / frame.shape[0] + spread / 10, 0.0, 1.0)), 3)
