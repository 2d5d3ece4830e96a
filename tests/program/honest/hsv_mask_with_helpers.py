"""A green ball on a dark floor.

The mask uses \d nothing; ranges are HSV.
"""
from __future__ import annotations

import cv2
import numpy as np

GREEN = (np.array([40, 80, 80]), np.array([85, 255, 255]))
MIN_AREA = 20


def _mask(image: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    return cv2.morphologyEx(cv2.inRange(hsv, *GREEN), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


def first(initial: np.ndarray, frame: np.ndarray) -> bool:
    contours, _ = cv2.findContours(_mask(frame), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return bool(any(cv2.contourArea(c) > MIN_AREA for c in contours))


def second(initial: np.ndarray, frame: np.ndarray) -> float:
    before, now = np.count_nonzero(_mask(initial)), np.count_nonzero(_mask(frame))
    return float(np.clip(now / max(before, 1), 0.0, 1.0))
