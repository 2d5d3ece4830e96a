"""Straight walls: the strongest Hough line, and the line segment detector."""
import cv2
import numpy as np


def first(initial, frame):
    edges = cv2.Canny(frame, 40, 120)
    lines = cv2.HoughLines(edges, 1, np.pi / 180, max(8, frame.shape[0] // 3))
    if lines is None:
        return False
    rho, theta = lines[0][0]
    return bool(abs(theta - np.pi / 2) < np.deg2rad(5))


def second(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    segments = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(gray)[0]
    if segments is None:
        return 0.0
    x1, y1, x2, y2 = segments[:, 0].T
    longest = np.hypot(x2 - x1, y2 - y1).max()
    return float(min(1.0, longest / np.hypot(*gray.shape)))
