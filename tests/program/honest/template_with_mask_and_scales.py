"""Finds a template at several scales and with all methods that take a mask."""
import cv2
import numpy as np


def best_score(frame, patch, method, mask=None):
    if patch.shape[0] > frame.shape[0] or patch.shape[1] > frame.shape[1]:
        return -1.0
    result = cv2.matchTemplate(frame, patch, method, mask=mask)
    result = np.nan_to_num(result, nan=0.0, posinf=0.0, neginf=0.0)
    return float(result.max())


def first(initial, frame):
    h, w = initial.shape[:2]
    patch = initial[h // 4 : h // 2, w // 4 : w // 2]
    scores = {}
    for scale in (0.5, 0.75, 1.0, 1.5):
        resized = cv2.resize(patch, None, fx=scale, fy=scale)
        scores[scale] = best_score(frame, resized, cv2.TM_CCOEFF_NORMED)
    return max(scores, key=scores.get) == 1.0


def second(initial, frame):
    h, w = initial.shape[:2]
    patch = np.ascontiguousarray(initial[h // 3 : 2 * h // 3, w // 3 : 2 * w // 3])
    mask = (patch.max(axis=2) > 60).astype(np.uint8)
    if not mask.any():
        return 0.0
    return min(1.0, max(0.0, best_score(frame, patch, cv2.TM_CCORR_NORMED, mask)))
