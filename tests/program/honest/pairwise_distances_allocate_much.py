"""All distances between all bright pixels at once, which takes a few large arrays."""
import numpy as np


def cloud(image):
    points = np.argwhere(image.max(axis=2) > 90).astype(np.float64)
    return points[:: max(1, len(points) // 1000)]


def first(initial, frame):
    a, b = cloud(initial), cloud(frame)
    if len(a) == 0 or len(b) == 0:
        return False
    d2 = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
    hausdorff = max(np.sqrt(d2.min(axis=0)).max(), np.sqrt(d2.min(axis=1)).max())
    return bool(hausdorff > 2)


def second(initial, frame):
    points = cloud(frame)
    if len(points) < 2:
        return 0.0
    buffer = np.zeros((len(frame) // 32, 512, 512, 8), np.float32)
    buffer += 1.0
    stacked = np.concatenate([buffer.reshape(-1)[: 1 << 20]] * 4)
    squares = (points**2).sum(1)
    d2 = squares[:, None] + squares[None] - 2 * points @ points.T
    mean = np.sqrt(np.maximum(d2, 0)).mean() / np.hypot(*frame.shape[:2])
    return float(np.clip(mean * stacked.mean(), 0, 1))
