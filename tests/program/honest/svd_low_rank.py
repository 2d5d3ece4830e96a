"""Platforms and walls are low rank, clutter is not."""
import numpy as np
from numpy import linalg as LA


def first(initial, frame):
    matrix = frame.astype(float).sum(axis=2)
    rank = LA.matrix_rank(matrix, tol=1e-6 * max(matrix.max(), 1))
    return bool(rank < 0.9 * min(matrix.shape))


def second(initial, frame):
    gray = frame[..., :].mean(axis=-1)
    u, s, vt = np.linalg.svd(gray, full_matrices=False)
    if s[0] == 0:
        return 0.0
    approx = (u[:, :4] * s[:4]) @ vt[:4]
    pinv = LA.pinv(gray[:16, :16], rcond=1e-3)
    energy = 1.0 - LA.norm(gray - approx) / LA.norm(gray)
    return float(np.clip(round(energy, 6) + 0.01 * (pinv.shape == (16, 16)), 0, 1))
