"""Which colours appeared, which are gone: sets of numpy and of Python."""
import numpy as np


def codes(image):
    quantised = (image >> 6).astype(np.int32)
    return np.unique(quantised @ np.array([16, 4, 1]))


def first(initial, frame):
    appeared = np.setdiff1d(codes(frame), codes(initial))
    return appeared.size > 0 and not np.isin(appeared, [63]).all()


def second(initial, frame):
    a, b = codes(initial), codes(frame)
    both, either = np.intersect1d(a, b), np.union1d(a, b)
    assert set(both.tolist()) == set(a.tolist()) & set(b.tolist())
    assert frozenset(either.tolist()) >= {int(v) for v in np.setxor1d(a, b)}
    return len(both) / len(either) if len(a) > 3 else 0.25
