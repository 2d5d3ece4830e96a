'''Red lies at both ends of the hue circle, so two ranges are joined.'''
import cv2
import numpy as np

RED_LOW_1, RED_HIGH_1 = np.array([0, 100, 80]), np.array([10, 255, 255])
RED_LOW_2, RED_HIGH_2 = np.array([170, 100, 80]), np.array([180, 255, 255])


def red_mask(image):
    hsv = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), cv2.COLOR_BGR2HSV)
    mask1 = cv2.inRange(hsv, RED_LOW_1, RED_HIGH_1)
    mask2 = cv2.inRange(hsv, RED_LOW_2, RED_HIGH_2)
    mask = cv2.bitwise_or(mask1, mask2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    return cv2.erode(cv2.dilate(mask, kernel, iterations=2), kernel, iterations=2)


def first(initial, frame):
    """The red cube was moved: its mask overlaps little with the first one."""
    a, b = red_mask(initial) > 0, red_mask(frame) > 0
    union = np.logical_or(a, b).sum()
    return bool(union > 0 and np.logical_and(a, b).sum() / union < 0.5)


def second(initial, frame):
    m = cv2.moments(red_mask(frame), binaryImage=True)
    if m["m00"] == 0:
        return 0.0
    return min(1.0, max(0.0, m["m10"] / m["m00"] / frame.shape[1]))
