"""Six ways to compare two histograms, with a vote."""
import cv2
import numpy as np

CHECKS = {
    cv2.HISTCMP_CORREL: lambda v: v > 0.95,
    cv2.HISTCMP_CHISQR: lambda v: v < 1.0,
    cv2.HISTCMP_INTERSECT: lambda v: v > 0.8,
    cv2.HISTCMP_BHATTACHARYYA: lambda v: v < 0.2,
    cv2.HISTCMP_CHISQR_ALT: lambda v: v < 1.0,
    cv2.HISTCMP_KL_DIV: lambda v: v < 1.0,
}


def histogram(image):
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    hist = cv2.calcHist([lab], [0, 1, 2], None, [4, 4, 4], [0, 256] * 3)
    return cv2.normalize(hist, None, alpha=1.0, norm_type=cv2.NORM_L1).flatten()


def votes(initial, frame):
    a, b = histogram(initial), histogram(frame)
    return [bool(check(cv2.compareHist(a, b, method))) for method, check in CHECKS.items()]


def first(initial, frame):
    return all(votes(initial, frame))


def second(initial, frame):
    return sum(votes(initial, frame)) / len(CHECKS)
