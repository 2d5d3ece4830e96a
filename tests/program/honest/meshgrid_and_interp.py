"""Soft distance to the centre, remapped by a piecewise linear curve."""
import numpy as np

XP, FP = [0.0, 0.2, 0.5, 1.0], [1.0, 0.8, 0.2, 0.0]


def first(initial, frame):
    h, w = frame.shape[:2]
    xs, ys = np.meshgrid(np.linspace(-1, 1, w), np.linspace(-1, 1, h), indexing="xy")
    weights = np.exp(-(xs**2 + ys**2) * 4)
    inner = np.average(frame.max(axis=2), weights=weights)
    return bool(inner > frame.max(axis=2).mean())


def second(initial, frame):
    bright = np.argwhere(frame.max(axis=2) > 180) / frame.shape[0]
    if len(bright) == 0:
        return 0.0
    radius = np.hypot(*(bright - 0.5).T)
    return float(np.interp(radius, XP, FP).mean())
