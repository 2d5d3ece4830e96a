"""Batches of frames as the judge and its workers take them."""

from __future__ import annotations

from collections.abc import Sequence

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


class Pixels:
    """A frame that is there: a `vlmcar.types.Picture`."""

    def __init__(self, key: bytes, frame: Frame) -> None:
        self.key = key
        self.frame = frame
        height, width, channels = frame.shape
        self.shape = (height, width, channels)

    @staticmethod
    def draw_all(pictures: Sequence[Pixels], out: Frames) -> None:
        for place, picture in enumerate(pictures):
            out[place] = picture.frame


class ShownPixels:
    """Frames that are there: a `vlmcar.types.Shown`.

    Args:
        frames: uint8 (frames, height, width, 3), contiguous; nobody else writes to it.
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.keys = [digest(frame) for frame in frames]

    def picture(self, i: int) -> Pixels:
        return Pixels(self.keys[i], self.frames[i])
