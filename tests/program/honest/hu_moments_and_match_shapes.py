"""Is the largest object still of the same shape? Hu moments do not mind shift, scale and rotation."""
import cv2
import numpy as np


def largest(image):
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    mask = cv2.inRange(hsv, (0, 90, 100), (180, 255, 255))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
    return max(contours, key=cv2.contourArea, default=None)


def first(initial, frame):
    a, b = largest(initial), largest(frame)
    if a is None or b is None:
        return False
    difference = cv2.matchShapes(a, b, cv2.CONTOURS_MATCH_I1, 0.0)
    return difference < 0.1


def second(initial, frame):
    contour = largest(frame)
    if contour is None:
        return 0.0
    hu = cv2.HuMoments(cv2.moments(contour)).flatten()
    logs = -np.sign(hu) * np.log10(np.abs(hu) + 1e-12)
    return float(np.clip(logs[0] / 3, 0, 1))
