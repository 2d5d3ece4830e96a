"""Batches of frames as the judge and its workers take them."""

from __future__ import annotations

import numpy as np
import xxhash

from vlmcar.types import Frame, Frames, VlmcarError


def batches(initial: Frames, frames: Frames) -> tuple[Frames, Frames]:
    """Both as contiguous uint8 (batch, height, width, 3), or a VlmcarError that shows what came instead."""
    for name, array in (("initial", initial), ("frames", frames)):
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
            raise VlmcarError(
                f"{name} is {array.dtype} {array.shape}, but a judge takes uint8 (batch, height, width, 3)"
            )
    if initial.shape != frames.shape:
        raise VlmcarError(f"initial {initial.shape} and frames {frames.shape} must have the same shape")
    return np.ascontiguousarray(initial), np.ascontiguousarray(frames)


def digest(frame: Frame) -> bytes:
    """128-bit name of a contiguous frame's content and shape.

    Not cryptographic, because frames come from our own environments, and some 50 times faster than
    `hashlib` on 256 x 256 x 3 bytes: two digests per frame must stay cheap beside the program itself.
    """
    return xxhash.xxh3_128_digest(frame.data, seed=frame.shape[0])
