r"""Differences of uint8 wrap around: 3 - 5 = 254. \o/ Cast first, or use absdiff."""
import cv2
import numpy as np


def first(initial, frame):
    wrapped = frame - initial
    honest = frame.astype(np.int16) - initial.astype(np.int16)
    saturated = cv2.subtract(frame, initial)
    assert (np.maximum(honest, 0) == saturated).all()
    assert (honest.astype(np.uint8) == wrapped).all()
    return bool(honest.sum() > 0)


def second(initial, frame):
    info = np.iinfo(frame.dtype)
    total = np.sum(frame, dtype=np.uint64)
    scaled = np.clip(frame * np.float32(1.2), info.min, info.max).astype(np.uint8)
    changed = np.not_equal(scaled, frame).mean()
    small = np.int8(np.right_shift(frame, 1)).astype(np.int64).sum()
    return float(changed) / 2 + float(small) / max(float(total), 1.0) / 2
