"""One-dimensional signals: profiles smoothed, differentiated and aligned."""
import numpy as np

KERNEL = np.array([1, 2, 3, 2, 1]) / 9


def profile(image, axis):
    return np.convolve(image.mean(axis=(axis, 2)), KERNEL, mode="same")


def first(initial, frame):
    a, b = profile(initial, 0), profile(frame, 0)
    lag = np.correlate(b - b.mean(), a - a.mean(), mode="full").argmax() - (len(a) - 1)
    return bool(lag != 0)


def second(initial, frame):
    signal = profile(frame, 1)
    slope = np.gradient(signal)
    crossings = np.count_nonzero(np.diff(np.sign(slope)) != 0)
    area = np.trapz(np.abs(slope)) / 512
    return float(np.clip(crossings / len(signal) / 2 + area / 2, 0, 1))
