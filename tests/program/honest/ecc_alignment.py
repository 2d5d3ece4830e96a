"""Aligns the two views by maximising their correlation; that may fail, and then nothing has moved."""
import cv2
import numpy as np


def align(initial, frame):
    a, b = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (initial, frame))
    warp = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
    try:
        score, warp = cv2.findTransformECC(a, b, warp, cv2.MOTION_TRANSLATION, criteria, None, 3)
    except cv2.error as error:
        print("no alignment:", error.msg if hasattr(error, "msg") else error)
        return None
    return score, warp


def first(initial, frame):
    result = align(initial, frame)
    return result is not None and abs(result[1][0, 2]) > 1


def second(initial, frame):
    result = align(initial, frame)
    if result is None or not np.isfinite(result[0]):
        return 0.0
    return float(np.clip(result[0], 0.0, 1.0))
