"""How far colours have moved: the earth mover's distance between small colour signatures."""
import cv2
import numpy as np


def signature(image):
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    colours, counts = np.unique(small // 64, axis=0, return_counts=True)
    return np.column_stack([counts / counts.sum(), colours * 64.0]).astype(np.float32)


def first(initial, frame):
    distance, _, _ = cv2.EMD(signature(initial), signature(frame), cv2.DIST_L2)
    return distance > 10


def second(initial, frame):
    distance, lower, flow = cv2.EMD(signature(initial), signature(frame), cv2.DIST_L1)
    return float(min(1.0, max(0.0, distance / 255)))
