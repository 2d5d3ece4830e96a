"""Running totals along rows; how soon is half of the light reached?"""
import numpy as np


def first(initial, frame):
    light = frame.sum(axis=2, dtype=np.int64)
    running = np.cumsum(light, axis=1)
    half = np.argmax(running >= running[:, -1:] / 2, axis=1)
    return bool(np.median(half) >= frame.shape[1] / 2)


def second(initial, frame):
    signal = frame.max(axis=(0, 2)).astype(float)
    window = np.ones(5) / 5
    moving = np.convolve(signal, window, "valid")
    peaks = np.maximum.accumulate(moving)
    product = np.cumprod(1 + signal / 1e4)
    steps = np.ediff1d(peaks)
    sums = np.add.reduceat(signal, [0, len(signal) // 2])
    return float(np.clip((steps > 0).mean() + np.log(product[-1]) / 10 + sums[0] / sums.sum() / 3, 0, 1)) if sums.any() else 0.0
