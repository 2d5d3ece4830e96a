"""Touching balls are separated by watershed and counted."""
import cv2
import numpy as np


def count_balls(image):
    gray = image.max(axis=2)
    _, thresh = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    kernel = np.ones((3, 3), np.uint8)
    opening = cv2.morphologyEx(thresh, cv2.MORPH_OPEN, kernel, iterations=1)
    sure_bg = cv2.dilate(opening, kernel, iterations=2)
    dist = cv2.distanceTransform(opening, cv2.DIST_L2, 5)
    if dist.max() == 0 or dist.max() > 1e4:
        return 0
    _, sure_fg = cv2.threshold(dist, 0.5 * dist.max(), 255, 0)
    sure_fg = np.uint8(sure_fg)
    unknown = cv2.subtract(sure_bg, sure_fg)
    _, markers = cv2.connectedComponents(sure_fg)
    markers = markers + 1
    markers[unknown == 255] = 0
    markers = cv2.watershed(image, markers)
    return len(np.unique(markers[markers > 1]))


def first(initial, frame):
    return count_balls(frame) == count_balls(initial)


def second(initial, frame):
    return float(min(count_balls(frame), 8)) / 8
