"""Memory that the trainer and one worker both see."""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import platform
import tempfile
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.frames import digest
from vlmcar.program.worker.protocol import image_offset, shared_bytes
from vlmcar.types import Frames, VlmcarError

F_SEAL_FUTURE_WRITE = 0x10
"""Linux 5.1 and later; absent from Python 3.11's ``fcntl``."""


class SharedMemory:
    """An anonymous file, mapped here for writing; the worker gets `fd`.

    On Linux sealed against resizing, because a worker that shrank it would crash the trainer at the next access,
    and with ``writable=False`` against every later writable mapping, the worker's included.
    """

    def __init__(self, size: int, writable: bool) -> None:
        self.fd = _anonymous_file()
        try:
            os.ftruncate(self.fd, size)
            self.map = mmap.mmap(self.fd, size)
            if platform.system() == "Linux":
                seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
                fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals | (0 if writable else F_SEAL_FUTURE_WRITE))
        except OSError as error:
            os.close(self.fd)
            raise VlmcarError(
                f"the sandbox needs sealed shared memory (Linux 5.1 or later): {error}"
            ) from error

    def release_fd(self) -> None:
        """Close this process's descriptor; the mapping stays. Safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def close(self) -> None:
        self.release_fd()
        with suppress(BufferError):  # a traceback still holds an array over it; unmapped with that array
            self.map.close()


def _anonymous_file() -> int:
    if platform.system() == "Linux":
        return os.memfd_create("vlmcar", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:  # has no name once it is open
        return os.dup(file.fileno())


class SharedFrames(SharedMemory):
    """Room for one request: ``batch`` pairs of image indices, and the images they point to."""

    def __init__(self, batch: int, shape: tuple[int, int, int]) -> None:
        super().__init__(shared_bytes(batch, shape), writable=False)
        count = 2 * batch
        self.pairs: NDArray[np.int32] = np.frombuffer(self.map, np.int32, 2 * batch).reshape(batch, 2)
        pixels = np.frombuffer(self.map, np.uint8, count * math.prod(shape), image_offset(batch))
        self.images: Frames = pixels.reshape(count, *shape)

    def put(self, initial: Frames, frames: Frames) -> int:
        """Write every frame and each distinct initial image once; return how many images that makes.

        Args:
            initial: uint8 (pairs, height, width, 3) RGB, 0-255, with at most ``batch`` pairs.
            frames: the same.
        """
        count = len(frames)
        self.images[:count] = frames
        slots: dict[bytes, int] = {}
        for item, image in enumerate(initial):
            slot = slots.setdefault(digest(image), count)
            if slot == count:
                self.images[count] = image
                count += 1
            self.pairs[item] = slot, item
        return count

    def close(self) -> None:
        self.__dict__.pop("pairs", None)
        self.__dict__.pop("images", None)
        super().close()
