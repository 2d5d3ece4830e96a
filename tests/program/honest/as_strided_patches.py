"""Overlapping patches without copying, and the most unusual of them."""
import numpy as np
from numpy.lib.stride_tricks import as_strided


def patches(gray, size=4, step=4):
    h, w = gray.shape
    sy, sx = gray.strides
    shape = ((h - size) // step + 1, (w - size) // step + 1, size, size)
    return as_strided(gray, shape, (sy * step, sx * step, sy, sx), writeable=False)


def first(initial, frame):
    p = patches(np.ascontiguousarray(frame[..., 0])).reshape(-1, 16).astype(np.float32)
    distance = np.linalg.norm(p - np.median(p, axis=0), axis=1)
    return bool(distance.argmax() < len(p) // 2)


def second(initial, frame):
    p = patches(np.ascontiguousarray(frame.max(axis=2)))
    spread = np.ptp(p, axis=(2, 3))
    view = np.broadcast_to(frame.mean(axis=(0, 1)), frame.shape)
    return float((spread > 60).mean() * 0.9 + view.mean() / 2550)
