"""Orientation of the bright object by principal components, cv2's and by hand."""
import cv2
import numpy as np


def bright_points(image):
    ys, xs = np.where(image.max(axis=2) > 180)
    return np.stack([xs, ys], axis=1).astype(np.float64)


def first(initial, frame):
    data = bright_points(frame)
    if len(data) < 5:
        return False
    mean, vectors, values = cv2.PCACompute2(data, mean=None)
    return bool(values[0, 0] > 2.0 * max(values[1, 0], 1e-9) and abs(vectors[0, 0]) > 0.5)


def second(initial, frame):
    data = bright_points(frame)
    if len(data) < 5:
        return 0.0
    mean, vectors = cv2.PCACompute(data, mean=None, maxComponents=1)
    projected = cv2.PCAProject(data, mean, vectors)
    rebuilt = cv2.PCABackProject(projected, mean, vectors)
    covariance, _ = cv2.calcCovarMatrix(data, None, cv2.COVAR_NORMAL | cv2.COVAR_ROWS)
    share = 1.0 - np.square(rebuilt - data).sum() / max(np.trace(covariance), 1e-9)
    return float(np.clip(share, 0.0, 1.0))
