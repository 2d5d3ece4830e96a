"""Edge directions as complex numbers; their double angle adds up along a line."""
import numpy as np


def orientation(image):
    gray = image.mean(axis=2)
    dy, dx = np.gradient(gray)
    z = dx + 1j * dy
    return (z * z).sum(), (np.abs(z) ** 2).sum()


def first(initial, frame):
    z, _ = orientation(frame)
    return bool(np.angle(z) > 0)


def second(initial, frame):
    z, total = orientation(frame)
    if total == 0:
        return 0.0
    hue = np.unwrap(np.angle(np.exp(1j * frame[0, :, 0] / 40.0)))
    return float(np.clip(np.abs(z) / total * 0.9 + 0.1 * np.tanh(np.ptp(hue) / 10), 0, 1))
