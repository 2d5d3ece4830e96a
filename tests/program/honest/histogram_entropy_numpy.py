"""Joint entropy of the two images: mutual information from a 2D histogram."""
import math

import numpy as np


def entropy(counts):
    p = counts[counts > 0] / counts.sum()
    return float(-np.sum(p * np.log2(p)))


def mutual_information(a, b):
    joint, x_edges, y_edges = np.histogram2d(a.ravel(), b.ravel(), bins=16, range=[[0, 256], [0, 256]])
    return entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint.ravel())


def first(initial, frame):
    counts, edges = np.histogram(frame, bins=np.arange(0, 257, 16))
    cumulative = np.cumsum(counts) / counts.sum()
    return bool(edges[np.argmax(cumulative >= 0.5)] >= 64)


def second(initial, frame):
    value = mutual_information(initial[..., 0], frame[..., 0])
    return 1.0 - math.exp(-max(value, 0.0))
