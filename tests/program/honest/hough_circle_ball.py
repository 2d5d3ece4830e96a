"""A round ball by the Hough transform."""
import cv2
import numpy as np


def circles(image):
    gray = cv2.medianBlur(image.max(axis=2), 3)
    scale = image.shape[0] / 32
    found = cv2.HoughCircles(
        gray, cv2.HOUGH_GRADIENT, dp=1, minDist=4 * scale, param1=80, param2=8,
        minRadius=int(2 * scale), maxRadius=int(8 * scale),
    )
    return np.zeros((0, 3)) if found is None else found[0]


def first(initial, frame):
    return len(circles(frame)) >= 2


def second(initial, frame):
    found = circles(frame)
    if len(found) == 0:
        return 0.0
    x, y, r = found[np.argmax(found[:, 2])]
    return float(np.clip(x / frame.shape[1], 0, 1))
