"""Sums over boxes in constant time, with cv2's integral images and with cumsum."""
import cv2
import numpy as np


def box_means(gray, k):
    total = cv2.integral(gray)
    sums = total[k:, k:] - total[:-k, k:] - total[k:, :-k] + total[:-k, :-k]
    return sums / float(k * k)


def first(initial, frame):
    gray = frame[..., 1]
    table = np.zeros((gray.shape[0] + 1, gray.shape[1] + 1), np.int64)
    table[1:, 1:] = gray.astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    assert np.array_equal(table, cv2.integral(gray))
    return bool(box_means(gray, 8).max() > 150)


def second(initial, frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    plain, squares, tilted = cv2.integral3(gray)
    mean = plain[-1, -1] / gray.size
    variance = max(0.0, squares[-1, -1] / gray.size - mean**2)
    return min(1.0, float(np.sqrt(variance) / 128 + (tilted[-1, 1] % 7) / 100))
