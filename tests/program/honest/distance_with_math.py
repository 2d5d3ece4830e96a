"""Two blobs come closer."""
import math
from math import hypot, sqrt

import numpy


def centre(image, channel):
    rows, columns = numpy.nonzero(image[:, :, channel] > 150)
    if len(rows) == 0:
        return None
    return rows.mean(), columns.mean()


def first(initial, frame):
    a, b = centre(frame, 0), centre(frame, 1)
    if a is None or b is None:
        return False
    return hypot(a[0] - b[0], a[1] - b[1]) < 0.3 * sqrt(frame.shape[0] ** 2)


def second(initial, frame):
    a, b = centre(frame, 0), centre(frame, 1)
    if a is None or b is None:
        return 0.0
    return math.exp(-math.dist(a, b) / frame.shape[0])
