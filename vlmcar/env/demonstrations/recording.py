"""What every kind of file is read as, and the checks that all of them go through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

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


def trajectories(recordings: Iterable[Recording], source: str) -> list[Trajectory]:
    """Experts' episodes of one frame shape, in the order given.

    Raises:
        VlmcarError: an episode has fewer than two frames, or frames of another shape.
        ConfigError: there are none, or they need more memory than ``MOST_BYTES``.
    """
    taken: list[Trajectory] = []
    before = 0
    for number, recording in enumerate(recordings):
        frames = np.stack(list(_checked(recording, before, source)))
        if taken and frames.shape[1:] != taken[0].frames.shape[1:]:
            raise VlmcarError(
                f"{recording.name} has frames of {size_of(frames[0])}, the episodes before it of "
                f"{size_of(taken[0].frames[0])}: all frames of {source} must have one size"
            )
        before += frames.nbytes
        taken.append(_trajectory(recording, frames, number))
    if not taken:
        raise ConfigError(f"{source} holds no episodes")
    return taken


def refuse_size(bytes_: int, source: str) -> None:
    """Raise ``ConfigError`` if frames of so many bytes are more than should be in memory."""
    if bytes_ > MOST_BYTES:
        raise ConfigError(
            f"the frames of {source} take more than {MOST_BYTES / 2**30:g} GiB of memory: give fewer episodes, "
            "keep every n-th frame only, or make the pictures smaller (a video: ffmpeg -vf fps=5,scale=256:-2)"
        )


def size_of(frame: Frame) -> str:
    """Width x height, as people say it."""
    return f"{frame.shape[1]} x {frame.shape[0]} pixels"


def _checked(recording: Recording, before: int, source: str) -> Iterator[Frame]:
    """The frames of a recording, where the episodes before it took so many bytes."""
    count, first = 0, None
    for count, frame in enumerate(recording.frames, start=1):
        if first is None:
            first = frame
        if frame.shape != first.shape:
            raise VlmcarError(
                f"{recording.name}: frame {count} has {size_of(frame)}, the first one {size_of(first)}; "
                "all must have one size"
            )
        refuse_size(before + count * frame.nbytes, source)
        yield frame
    if count < 2:
        raise VlmcarError(
            f"{recording.name} has {count} frame{'s' * (count != 1)}: an episode needs its first and its last, at least"
        )


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
