"""Several weak checks vote; functions in a list, sorted by a key, with all, any, sum and zip."""
import cv2
import numpy as np


def changed(initial, frame):
    return np.mean(initial != frame) > 0.2


def has_red(initial, frame):
    return np.count_nonzero((frame[..., 0] > 180) & (frame[..., 1] < 90)) > 8


def brighter(initial, frame):
    return frame.mean() > initial.mean()


def sharp(initial, frame):
    return cv2.Laplacian(frame, cv2.CV_16S).astype(np.float64).var() > 500


WEIGHTS = {changed: 0.2, has_red: 0.4, brighter: 0.3, sharp: 0.1}
CHECKS = sorted(WEIGHTS, key=WEIGHTS.get, reverse=True)


def first(initial, frame):
    results = [bool(check(initial, frame)) for check in CHECKS]
    return any(results) and sum(results) * 2 > len(CHECKS)


def second(initial, frame):
    weights = [WEIGHTS[check] for check in CHECKS]
    return sum((w for w, check in zip(weights, CHECKS, strict=True) if check(initial, frame)), start=0.0)
