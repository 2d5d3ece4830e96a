"""Stable regions of the picture."""
import cv2
import numpy as np


def regions(image):
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (64, 64))
    mser = cv2.MSER_create(delta=5, min_area=20, max_area=2000)
    return mser.detectRegions(gray)


def first(initial, frame):
    found, boxes = regions(frame)
    return len(found) >= 3


def second(initial, frame):
    found, boxes = regions(frame)
    if len(boxes) == 0:
        return 0.0
    covered = np.zeros((64, 64), dtype=bool)
    for points in found:
        covered[points[:, 1], points[:, 0]] = True
    return float(covered.mean())
