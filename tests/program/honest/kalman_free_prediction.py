"""A Kalman filter by hand predicts where the object goes next between the two images."""
import numpy as np


def position(image):
    weights = np.clip(image.astype(np.float64).max(axis=2) - 120, 0, None)
    if weights.sum() == 0:
        return None
    ys, xs = np.indices(weights.shape)
    return np.array([np.average(xs, weights=weights), np.average(ys, weights=weights)])


def predict(start, end):
    F = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    H, P, Q, R = np.eye(2, 4), np.eye(4) * 10, np.eye(4) * 0.1, np.eye(2)
    state = np.array([*start, 0.0, 0.0])
    for measured in (start, end):
        state, P = F @ state, F @ P @ F.T + Q
        gain = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
        state, P = state + gain @ (measured - H @ state), (np.eye(4) - gain @ H) @ P
    return state


def first(initial, frame):
    a, b = position(initial), position(frame)
    return a is not None and b is not None and bool(predict(a, b)[2] > 0.1)


def second(initial, frame):
    a, b = position(initial), position(frame)
    if a is None or b is None:
        return 0.0
    x = predict(a, b)[0] / frame.shape[1]
    return float(np.clip(round(x, 6), 0, 1))
