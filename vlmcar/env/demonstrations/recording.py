"""What every kind of file is read as, and the checks that all of them go through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vlmcar.types import ConfigError, Frame, Trajectory, VlmcarError

MOST_BYTES = 4 * 2**30
"""Of all frames of one source; they are held in memory."""


class Recording(NamedTuple):
    """One episode as its file tells it; its frames may be read while they are taken."""

    name: str
    """As messages call it."""
    frames: Iterable[Frame]
    """uint8 (height, width, 3) RGB each, the last one included."""
    actions: NDArray[Any] | None = None
    """As ``actions_of`` gives them; ``None``: not known."""
    rewards: NDArray[np.float32] | None = None
    """float32 (steps,); ``None``: not known."""
    success: bool = True
    seed: int | None = None
    """Of the environment's reset; ``None``: not known."""


def trajectories(
    recordings: Iterable[Recording], source: str, most: int | None = None, size: tuple[int, int] | None = None
) -> list[Trajectory]:
    """Experts' episodes of one frame size, in the order given; the arguments are those of ``read``.

    Raises:
        VlmcarError: an episode has fewer than two frames, or frames of another size.
        ConfigError: there are none, or they need more memory than ``MOST_BYTES``.
    """
    reader = _Reader(source, size)
    taken = [
        _trajectory(recording, np.stack(list(reader.frames(recording))), number)
        for number, recording in enumerate(islice(recordings, most))
    ]
    if not taken:
        raise ConfigError(f"{source} holds no episodes")
    return taken


def refuse_size(bytes_: int, source: str) -> None:
    """Raise ``ConfigError`` if frames of so many bytes are more than should be in memory."""
    if bytes_ > MOST_BYTES:
        raise ConfigError(
            f"the frames of {source} take more than {MOST_BYTES / 2**30:g} GiB of memory: read fewer episodes, "
            "make the frames smaller, or keep every n-th only (a video: ffmpeg -vf fps=5,scale=256:-2)"
        )


@dataclass
class _Reader:
    """Checks the frames of one source while they are read, and makes them as large as they shall be."""

    source: str
    size: tuple[int, int] | None
    shape: tuple[int, ...] | None = None
    """Of all frames as the files have them."""
    bytes: int = 0
    """Of all frames so far, as they are kept."""

    def frames(self, recording: Recording) -> Iterator[Frame]:
        count = 0
        for count, frame in enumerate(recording.frames, start=1):
            self.shape = self.shape or frame.shape
            if frame.shape != self.shape:
                raise VlmcarError(
                    f"{recording.name}: frame {count} has {_pixels(frame.shape)}, those before it "
                    f"{_pixels(self.shape)}; all frames of {self.source} must have one size"
                )
            kept = frame if self.size is None else resized(frame, self.size)
            self.bytes += kept.nbytes
            refuse_size(self.bytes, self.source)
            yield kept
        if count < 2:
            raise VlmcarError(
                f"{recording.name} has {count} frame{'s' * (count != 1)}: an episode needs its first and its last, "
                "at least"
            )


def resized(frame: Frame, size: tuple[int, int]) -> Frame:
    """A frame of this height and width."""
    if frame.shape[:2] == size:
        return frame
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _pixels(shape: tuple[int, ...]) -> str:
    """Width x height, as people say it."""
    return f"{shape[1]} x {shape[0]} pixels"


def _trajectory(recording: Recording, frames: NDArray[np.uint8], number: int) -> Trajectory:
    steps = len(frames) - 1
    actions, rewards = recording.actions, recording.rewards
    if rewards is not None and len(rewards) != steps:
        raise VlmcarError(
            f"{recording.name} has {steps + 1} frames and {len(rewards)} rewards: one fewer than frames"
        )
    return Trajectory(
        frames=frames,
        actions=np.zeros((steps, 0), np.float32) if actions is None else actions,
        rewards=np.zeros(steps, np.float32) if rewards is None else rewards,
        success=recording.success,
        seed=number if recording.seed is None else recording.seed,
        kind="expert",
    )


def actions_of(values: NDArray[Any], steps: int, name: str) -> NDArray[Any]:
    """int64 (steps,) of whole numbers, or float32 (steps, dimensions).

    Raises:
        VlmcarError: they are neither.
    """
    if values.dtype.kind in "biu" and values.shape == (steps,):
        return values.astype(np.int64)
    if values.dtype.kind in "biuf" and values.ndim == 2 and len(values) == steps and _finite(values):
        return values.astype(np.float32)
    raise VlmcarError(
        f"{name}: actions must be whole numbers ({steps},), or finite floats ({steps}, dimensions), one row for "
        f"each frame but the last; they are {values.dtype} {values.shape}"
    )


def rewards_of(values: NDArray[Any], steps: int, name: str) -> NDArray[np.float32]:
    """float32 (steps,).

    Raises:
        VlmcarError: they are something else.
    """
    if values.dtype.kind in "biuf" and values.shape == (steps,) and _finite(values):
        return values.astype(np.float32)
    raise VlmcarError(
        f"{name}: rewards must be finite numbers ({steps},), one for each frame but the last; they are "
        f"{values.dtype} {values.shape}"
    )


def _finite(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all())
