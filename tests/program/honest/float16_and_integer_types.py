"""Mixed types: float16, int8, uint16, longdouble, bool arithmetic and exact casts."""
import numpy as np


def first(initial, frame):
    half = (frame / 255).astype(np.float16)
    delta = half.astype(np.float32).mean() - (initial / 255).mean()
    return bool(np.sign(delta) * (np.abs(delta) > 1e-3) >= 0)


def second(initial, frame):
    wide = frame.astype(np.uint16) * 257
    signed = (frame.astype(np.int16) - 128).astype(np.int8)
    exact = np.longdouble(wide.sum(dtype=np.uint64)) / wide.size / 65535
    rounded = np.rint(np.float64(exact) * 1000) / 1000
    mantissa, exponent = np.frexp(float(np.abs(signed).sum(dtype=np.int64)) + 1)
    odd = np.bitwise_and(frame, 1).astype(bool)
    return float(np.clip(rounded * 0.5 + (mantissa + exponent % 2) / 10 + (odd ^ ~odd).mean() / 10, 0, 1))
