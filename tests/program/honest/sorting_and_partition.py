"""Orders pixels in every way numpy knows."""
import numpy as np


def first(initial, frame):
    ys, xs = np.nonzero(frame.sum(axis=2, dtype=np.int32) > 400)
    if ys.size < 2:
        return False
    order = np.lexsort((xs, ys))
    top = (ys[order[0]], xs[order[0]])
    left = xs[np.argsort(xs, kind="stable")[0]]
    return bool(top[1] - left > frame.shape[1] // 4)


def second(initial, frame):
    gray = frame.sum(axis=-1, dtype=np.uint16).ravel()
    k = gray.size // 20
    brightest = np.argpartition(gray, -k)[-k:]
    cut = np.partition(gray, gray.size // 2)[gray.size // 2]
    levels = np.sort(gray)
    rank = np.searchsorted(levels, [cut, gray[brightest].min()], side="left")
    flipped = np.sort(frame, axis=1)[:, ::-1].astype(np.float32)
    return float(np.clip((rank[1] - rank[0]) / gray.size * 0.8 + flipped[:, 0].mean() / 2550, 0, 1))
