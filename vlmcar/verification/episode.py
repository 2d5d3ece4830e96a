"""One program over one trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.reward.tracker import InOrder
from vlmcar.types import Judge, Trajectory


@dataclass(frozen=True)
class Episode:
    """What a program said about one trajectory."""

    trajectory: Trajectory
    done_at: tuple[int | None, ...]
    """Per sub-task: the frame at which it was done with all earlier ones done; ``None``: never."""
    done_at_start: tuple[bool, ...]
    """Per sub-task: done on frame 0."""
    progress: NDArray[np.float32] | None = None
    """float32 (steps + 1, num_subtasks); ``None``: there was an error."""
    error: ProgramError | None = None
    error_frame: int | None = None

    @property
    def complete(self) -> bool:
        """All sub-tasks done, in order."""
        return self.error is None and all(frame is not None for frame in self.done_at)

    def complete_early(self, frames: int) -> bool:
        """All sub-tasks done more than ``frames`` before the last: of an expert's, before its task was done."""
        last = len(self.trajectory.frames) - 1
        return self.complete and max(frame for frame in self.done_at if frame is not None) < last - frames


def judge_episode(judge: Judge, trajectory: Trajectory) -> Episode:
    """Run a program over one trajectory, with nothing remembered from any other."""
    frames = trajectory.frames
    initial = np.broadcast_to(frames[:1], frames.shape)
    try:
        progress = judge.progress(initial, frames)  # (steps + 1, num_subtasks)
    except ProgramError as error:
        nothing = (None,) * judge.num_subtasks
        return Episode(trajectory, nothing, (False,) * judge.num_subtasks, None, error, error.index)
    order = InOrder(1, judge.num_subtasks)
    done_at: list[int | None] = [None] * judge.num_subtasks
    for t in range(1, len(frames)):
        for k in np.flatnonzero(order.update(progress[t : t + 1])[0]):
            done_at[k] = t
    return Episode(trajectory, tuple(done_at), tuple(bool(p >= 1.0) for p in progress[0]), progress)
