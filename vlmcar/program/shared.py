"""Memory that the trainer and one worker both see."""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import platform
import tempfile
from collections.abc import Collection
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.frames import digest
from vlmcar.program.worker.protocol import ALL, image_offset, shared_bytes
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
    """Room for one request: ``batch`` pairs of image indices, and the images they point to.

    Initial images lie in the second half and stay there from request to request, as long as there is room.
    """

    def __init__(self, batch: int, shape: tuple[int, int, int]) -> None:
        super().__init__(shared_bytes(batch, shape), writable=False)
        count = 2 * batch
        self.batch = batch
        self.pairs: NDArray[np.int32] = np.frombuffer(self.map, np.int32, 3 * batch).reshape(batch, 3)
        pixels = np.frombuffer(self.map, np.uint8, count * math.prod(shape), image_offset(batch))
        self.images: Frames = pixels.reshape(count, *shape)
        self._initial: dict[bytes, int] = {}

    def put(self, initial: Frames, frames: Frames) -> None:
        """Write every frame and each distinct initial image once, and ask all about each pair.

        Args:
            initial: uint8 (pairs, height, width, 3) RGB, 0-255, with at most ``batch`` pairs.
            frames: the same.
        """
        self.images[: len(frames)] = frames
        self._initial.clear()  # at most ``batch`` images: there is room
        for item, image in enumerate(initial):
            slot, new = self.initial_slot(digest(image))
            if new:
                self.images[slot] = image
            self.pairs[item] = slot, item, ALL

    def make_room(self, keys: Collection[bytes]) -> None:
        """Forget initial images, if these (at most ``batch``) would not fit beside them."""
        if len(self._initial) + sum(key not in self._initial for key in keys) > self.batch:
            self._initial.clear()

    def initial_slot(self, key: bytes) -> tuple[int, bool]:
        """Where the initial image of this name lies, and whether it has to be written there first."""
        known = len(self._initial)
        slot = self._initial.setdefault(key, self.batch + known)
        return slot, len(self._initial) > known

    def close(self) -> None:
        self.__dict__.pop("pairs", None)
        self.__dict__.pop("images", None)
        super().close()
