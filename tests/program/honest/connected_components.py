"""Counts objects."""
import cv2
import numpy as np


def count(image):
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, binary = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    n, labels, stats, centroids = cv2.connectedComponentsWithStats(binary, connectivity=8)
    return sum(1 for i in range(1, n) if stats[i, cv2.CC_STAT_AREA] >= 12)


def first(initial, frame):
    return bool(count(frame) >= 1)


def second(initial, frame):
    return np.float64(min(count(frame), 4) / 4)
