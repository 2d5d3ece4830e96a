"""Overlap of bounding boxes before and after.

Args of every function:
    initial: the first image of the episode
    frame: the current image

Returns:
    bool for ``first``, float for ``second``
"""
import cv2
import numpy as np


def box(image, channel):
    rest = np.delete(image, channel, axis=2).max(axis=2)
    mask = ((image[..., channel] > 140) & (rest < 120)).astype(np.uint8) * 255
    points = cv2.findNonZero(mask)
    return None if points is None else cv2.boundingRect(points)


def iou(a, b):
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    w = max(0, min(ax + aw, bx + bw) - max(ax, bx))
    h = max(0, min(ay + ah, by + bh) - max(ay, by))
    inter = w * h
    return inter / (aw * ah + bw * bh - inter)


def first(initial, frame):
    boxes = [box(img, c) for img in (initial, frame) for c in (0, 1, 2)]
    return sum(b is not None for b in boxes) % 2 == 1


def second(initial, frame):
    overlaps = []
    for channel in range(3):
        a, b = box(initial, channel), box(frame, channel)
        if a and b:
            overlaps.append(iou(a, b))
    return sum(overlaps) / len(overlaps) if overlaps else 0.0
