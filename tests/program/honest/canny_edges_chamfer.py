"""Chamfer distance between the edges of two images: 0 when the object is back where it was."""
import cv2
import numpy as np


def edges(image):
    gray = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 3)
    median = float(np.median(gray))
    low, high = int(max(0, 0.66 * median)), int(min(255, 1.33 * median + 40))
    return cv2.Canny(gray, low, high, apertureSize=3, L2gradient=True)


def chamfer(a, b):
    if not a.any() or not b.any():
        return None
    distance = cv2.distanceTransform(cv2.bitwise_not(b), cv2.DIST_L2, 3)
    return float(distance[a > 0].mean())


def first(initial, frame):
    there = chamfer(edges(initial), edges(frame))
    return there is not None and there < 1.0


def second(initial, frame):
    a, b = edges(initial), edges(frame)
    both = [d for d in (chamfer(a, b), chamfer(b, a)) if d is not None]
    return 1 / (1 + sum(both)) if both else 0.0
