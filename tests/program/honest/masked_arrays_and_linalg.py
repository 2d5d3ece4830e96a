"""Second moments of the bright pixels."""
import numpy as np
from numpy import pi
from numpy.linalg import eigvalsh


def bright(image):
    return np.ma.masked_less(image.max(axis=2), 120)


def first(initial, frame):
    return bool(bright(frame).count() > 10)


def second(initial, frame):
    points = np.argwhere(~np.ma.getmaskarray(bright(frame)))
    if len(points) < 3:
        return 0.0
    small, large = eigvalsh(np.cov(points.T))
    angle = np.arctan2(small, large)
    return float(abs(angle) / (2 * pi)) if large > 0 else 0.0
