"""Flood fill with an explicit stack, from where the agent stands."""
import numpy as np


def fill(mask, y, x):
    seen = np.zeros(mask.shape, dtype=bool)
    stack = [(y, x)]
    while stack:
        y, x = stack.pop()
        if not (0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]):
            continue
        if seen[y, x] or not mask[y, x]:
            continue
        seen[y, x] = True
        stack += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return seen


def first(initial, frame):
    small = frame[:: frame.shape[0] // 16, :: frame.shape[1] // 16]
    like = np.abs(small.astype(np.int32) - small[8, 8].astype(np.int32)).max(axis=2) < 30
    filled = fill(like, 8, 8)
    return bool(filled[0].any() or filled[-1].any())


def second(initial, frame):
    small = frame[:: frame.shape[0] // 16, :: frame.shape[1] // 16]
    y, x = map(int, np.unravel_index(small.sum(axis=2).argmax(), small.shape[:2]))
    return float(fill(small.max(axis=2) > 100, y, x).mean())
