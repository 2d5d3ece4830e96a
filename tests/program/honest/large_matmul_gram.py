"""Gram matrices of 256 and more rows: BLAS in single and double precision."""
import numpy as np


def tiled(image, dtype):
    gray = image.mean(axis=2)
    times = -(-256 // min(gray.shape))
    return np.tile(gray, (times, times)).astype(dtype) / 255


def first(initial, frame):
    a, b = tiled(initial, np.float32), tiled(frame, np.float32)
    products = a @ b.T
    return bool(np.trace(products) < 0.99 * np.trace(a @ a.T))


def second(initial, frame):
    a = tiled(frame, np.float64)
    gram = a @ a.T
    double = np.matmul(gram, gram, out=np.zeros_like(gram))
    vector = np.ones(len(a)) / np.sqrt(len(a))
    for _ in range(3):
        vector = double @ vector
        vector /= np.linalg.norm(vector) + 1e-12
    return float(np.clip(round(float(vector.max()), 5), 0, 1))
