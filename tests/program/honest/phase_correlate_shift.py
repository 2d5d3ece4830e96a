"""How far the camera scrolled, by phase correlation under a Hanning window."""
import cv2
import numpy as np


def shift(initial, frame):
    a, b = (np.float32(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in (initial, frame))
    window = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
    return cv2.phaseCorrelate(a, b, window)


def first(initial, frame):
    (dx, dy), _ = shift(initial, frame)
    return dx > 0.5 and abs(dy) < 5.0


def second(initial, frame):
    (dx, dy), response = shift(initial, frame)
    return float(min(max(response, 0.0), 1.0)) if np.isfinite(response) else 0.0
