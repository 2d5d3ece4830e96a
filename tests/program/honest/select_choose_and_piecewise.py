"""Branches over whole arrays."""
import numpy as np


def first(initial, frame):
    r, g, b = np.moveaxis(frame.astype(np.int16), -1, 0)
    names = np.select([r > g + 40, g > b + 40, b > r + 40], [1, 2, 3], default=0)
    counts = np.bincount(names.ravel(), minlength=4)
    return bool(counts[1] >= counts[2])


def second(initial, frame):
    x = frame.mean(axis=2) / 255
    curve = np.piecewise(x, [x < 0.2, (x >= 0.2) & (x < 0.6), x >= 0.6], [0.0, lambda v: v * v, 1.0])
    step = np.heaviside(x - 0.5, 0.5)
    index = np.digitize(x, [0.25, 0.5, 0.75])
    chosen = np.choose(index, [x * 0, x / 2, x, np.ones_like(x)])
    return float(np.clip((curve.mean() + step.mean() + chosen.mean()) / 3, 0, 1))
