"""Fits a parabola through the object's outline: a jump is curved, a walk is not."""
import numpy as np


def outline(image):
    mask = image.max(axis=2) > 130
    columns = np.flatnonzero(mask.any(axis=0))
    return columns, mask.argmax(axis=0)[columns]


def first(initial, frame):
    x, y = outline(frame)
    if len(x) < 4:
        return False
    a, b, c = np.polyfit(x, y, 2)
    return bool(a > 0.01)


def second(initial, frame):
    x, y = outline(frame)
    if len(x) < 4:
        return 0.0
    line = np.polynomial.Polynomial.fit(x, y, deg=1)
    cubic = np.poly1d(np.polyfit(x / len(frame), y / len(frame), 3))
    roots = [r.real for r in cubic.roots if abs(r.imag) < 1e-6 and 0 <= r.real <= 1]
    rest = np.abs(line(x) - y).mean() / len(frame)
    return float(np.clip(round(rest, 5) + 0.1 * len(roots), 0, 1))
