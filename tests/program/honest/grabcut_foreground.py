"""Cuts the object in the middle out of its background with grabCut."""
import cv2
import numpy as np


def foreground(image):
    height, width = image.shape[:2]
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA) if height > 48 else image
    size = small.shape[0]
    mask = np.zeros((size, size), np.uint8)
    bgd, fgd = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    rect = (size // 8, size // 8, 3 * size // 4, 3 * size // 4)
    cv2.grabCut(small, mask, rect, bgd, fgd, 2, cv2.GC_INIT_WITH_RECT)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def first(initial, frame):
    try:
        return bool(foreground(frame).mean() > 0.2)
    except cv2.error:
        return False


def second(initial, frame):
    try:
        return float(foreground(frame).mean())
    except cv2.error:
        return 0.0
