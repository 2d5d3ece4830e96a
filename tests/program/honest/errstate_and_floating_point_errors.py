"""Divisions by zero, logarithms of zero, overflow: warned, ignored and raised."""
import numpy as np


def ratio(frame):
    """Noisy: numpy warns here on black pixels."""
    x = frame.astype(np.float32)
    return x[..., 0] / x.sum(axis=2)


def first(initial, frame):
    try:
        with np.errstate(all="raise"):
            ratio(frame)
    except FloatingPointError as problem:
        return "divide" in str(problem) or "invalid" in str(problem)
    else:
        return False


def second(initial, frame):
    share = ratio(frame)
    logs = np.log(frame[..., 1].astype(np.float32))
    huge = np.exp(frame[..., 2].astype(np.float32))
    empty = np.mean(frame[:0, 0, 0])
    good = np.isfinite(logs) & np.isfinite(huge) & np.isfinite(share)
    return float(good.mean()) if np.isnan(empty) else 0.0
