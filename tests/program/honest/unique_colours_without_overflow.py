"""Counts colours by packing each into one number. uint8 would overflow, so cast first."""
import numpy as np


def packed(image):
    r, g, b = (image[..., i].astype(np.uint32) for i in range(3))
    return (r << 16) | (g << 8) | b


def first(initial, frame):
    colours, index, inverse, counts = np.unique(
        packed(frame), return_index=True, return_inverse=True, return_counts=True
    )
    most = colours[counts.argmax()]
    assert inverse.max() + 1 == len(colours) == len(index)
    return bool(int(most) & 0xFF > int(most) >> 16)


def second(initial, frame):
    rows = np.unique(frame.reshape(-1, 3) // 32, axis=0)
    histogram = np.bincount(frame.ravel() >> 5, minlength=8)
    p = histogram / histogram.sum()
    entropy = -(p[p > 0] * np.log2(p[p > 0])).sum()
    return float(np.clip(0.5 * entropy / 3 + 0.5 * len(rows) / 512, 0, 1))
