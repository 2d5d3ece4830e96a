"""Progress: how much nearer the grey mouse is to the cheese than at the start; done when no cheese is left."""
import numpy as np


def cheese(picture):
    p = picture.astype(int)
    return np.argwhere((p[..., 0] > 225) & (p[..., 1] > 120) & (p[..., 1] - p[..., 2] > 60))


def mouse(picture):
    p = picture.astype(int)
    return np.argwhere((p[..., 0] > 150) & (abs(p[..., 1] - p[..., 2]) < 25) & (p[..., 2] >= p[..., 0]))


def reach_cheese(initial, frame):
    place = cheese(initial)
    if len(place) == 0:
        return 0.0
    if len(cheese(frame)) == 0:
        return 1.0
    before, now = mouse(initial), mouse(frame)
    if len(before) == 0 or len(now) == 0:
        return 0.0
    centre = place.mean(axis=0)
    far = np.abs(before.mean(axis=0) - centre).sum()
    return float(np.clip(1 - np.abs(now.mean(axis=0) - centre).sum() / max(far, 1), 0, 0.9))
