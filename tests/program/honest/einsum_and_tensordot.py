"""Weighted sums over channels and places."""
import numpy as np

WEIGHTS = np.array([0.299, 0.587, 0.114])


def first(initial, frame):
    x = frame.astype(np.float32) / 255
    luminance = np.einsum("ijc,c->ij", x, WEIGHTS.astype(np.float32))
    outer = np.einsum("ijc,ijd->cd", x, x, optimize=True)
    return bool(luminance.max() > 0.5 and outer[0, 2] > 1.01 * outer[1, 2])


def second(initial, frame):
    x = frame / 255.0
    gray = np.tensordot(x, WEIGHTS, axes=([2], [0]))
    h, w = gray.shape
    centre = np.outer(np.hanning(h), np.hanning(w))
    blocks = np.kron(np.eye(2), np.ones((h // 2, w // 2)))
    inner = np.inner(gray.ravel(), centre.ravel()) / centre.sum()
    diagonal = np.vdot(gray, blocks) / blocks.sum()
    return float(np.clip((inner + diagonal) / 2, 0, 1))
