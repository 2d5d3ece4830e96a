"""Assembles mosaics: block, tile, repeat, stack, delete, insert, append, flip."""
import numpy as np


def mosaic(a, b):
    return np.block([[a, b], [np.flip(b, axis=0), np.flip(a, axis=1)]])


def first(initial, frame):
    m = mosaic(initial[..., 0], frame[..., 1])
    symmetric = np.abs(m.astype(int) - m.T).mean()
    return bool(symmetric > 40)


def second(initial, frame):
    row = np.append(np.insert(frame[0, :, 0], 0, 255), [0, 0])
    row = np.delete(row, np.arange(0, len(row), 2))
    rows = np.tile(row, (4, 1)).repeat(2, axis=0)
    depth = np.dstack([rows, rows[::-1], np.zeros_like(rows)])
    parts = np.stack([depth, np.roll(depth, 3, axis=1)])
    whole = np.concatenate([parts.ravel(), np.resize(frame[..., 2], 500), np.trim_zeros(row)])
    return float(np.mean(whole) / 255)
