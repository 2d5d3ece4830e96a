"""Python functions over arrays: vectorize, apply_along_axis, frompyfunc, fromfunction, fromiter."""
import numpy as np

grade = np.vectorize(lambda v: 2 if v > 170 else 1 if v > 85 else 0, otypes=[np.int64])
bits = np.frompyfunc(lambda v: int(v).bit_count(), 1, 1)


def longest_run(row):
    best = run = 0
    for value in row:
        run = run + 1 if value else 0
        best = max(best, run)
    return best


def first(initial, frame):
    mask = frame[::2, ::2].max(axis=2) > 120
    runs = np.apply_along_axis(longest_run, 1, mask)
    return bool(runs.max() > mask.shape[1] // 2)


def second(initial, frame):
    small = frame[::4, ::4, 0]
    ramp = np.fromfunction(lambda i, j: (i + j) / 2, small.shape)
    counts = np.fromiter((int(n) for n in bits(small.ravel())), dtype=np.int64, count=small.size)
    return float(np.clip((grade(small) * ramp).mean() / (2 * len(small)) + counts.mean() / 80, 0, 1))
