"""Dominant colours. cv2's own random starts are fixed per call."""
import cv2
import numpy as np


def first(initial, frame):
    a = cv2.calcHist([initial], [0, 1], None, [8, 8], [0, 256, 0, 256])
    b = cv2.calcHist([frame], [0, 1], None, [8, 8], [0, 256, 0, 256])
    return cv2.compareHist(a, b, cv2.HISTCMP_CORREL) < 0.99


def second(initial, frame):
    pixels = frame.reshape(-1, 3).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
    _, labels, centres = cv2.kmeans(pixels, 3, None, criteria, 3, cv2.KMEANS_RANDOM_CENTERS)
    return float(np.bincount(labels.ravel(), minlength=3).max() / len(pixels))
