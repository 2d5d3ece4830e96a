"""Nearest palette colour of every corner patch, with FLANN."""
import cv2
import numpy as np

PALETTE = np.float32([[230, 20, 20], [20, 230, 20], [30, 40, 235], [240, 220, 30], [245, 245, 245], [0, 0, 0]])


def nearest(image):
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
    matcher = cv2.FlannBasedMatcher(dict(algorithm=1, trees=2), dict(checks=64))
    return [m.trainIdx for m in matcher.match(small, PALETTE)]


def first(initial, frame):
    return nearest(initial) != nearest(frame)


def second(initial, frame):
    counts = np.bincount(nearest(frame), minlength=6)
    return float(counts[:5].sum()) / counts.sum()
