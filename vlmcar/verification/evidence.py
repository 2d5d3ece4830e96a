"""What a program did on one set of episodes: everything that the checks look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.reward.tracker import InOrder
from vlmcar.types import Judge, Program
from vlmcar.verification.trajectories import EXPERT, EXPLOITS, RANDOM, Kept


@dataclass(frozen=True)
class Episode:
    """What a program said about one trajectory."""

    trajectory: Kept
    done_at: tuple[int | None, ...]
    """Per sub-task: the frame at which it was done with all earlier ones done; ``None``: never."""
    done_at_start: tuple[bool, ...]
    """Per sub-task: done on frame 0."""
    progress: NDArray[np.float32] | None = None
    """float32 (steps + 1, num_subtasks); ``None``: there was an error."""
    returned: float = 0.0
    """The reward over the episode, undiscounted."""
    error: ProgramError | None = None
    error_frame: int | None = None
    paid: NDArray[np.float64] | None = None
    """(steps + 1,): the reward for getting to each frame, 0 for the first; ``None``: there was an error."""

    @property
    def complete(self) -> bool:
        """All sub-tasks done, in order."""
        return self.error is None and all(frame is not None for frame in self.done_at)

    @property
    def complete_at(self) -> int:
        """Frame at which the last sub-task was done, of a complete episode."""
        return max(frame for frame in self.done_at if frame is not None)

    @property
    def last(self) -> int:
        """Number of the last frame."""
        return len(self.trajectory) - 1


@dataclass(frozen=True)
class Evidence:
    """One set of episodes, judged by one program."""

    which: str
    """``feedback`` or ``held_out``."""
    program: Program
    episodes: tuple[Episode, ...]
    milliseconds: float
    """CPU time of the worker per frame that the program was run on; other jobs on the machine change little of it."""
    replayed: NDArray[np.bool_]
    """bool (frames,): whether frames that were judged again, shuffled, by a fresh process, got the same answer."""
    distorted: dict[str, NDArray[np.bool_]]
    """Kind of distortion -> bool (frames,): whether a frame of an expert's got the same answer when distorted."""
    early_frames: int
    """Frames by which the end of an expert's episode cannot be told on a picture."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Kind of episode that this task cannot give -> why not."""
    earlier: Evidence | None = None
    """Of the held-out set: the feedback set."""

    def of(self, *kinds: str) -> list[Episode]:
        return [episode for episode in self.episodes if episode.trajectory.kind in kinds]

    @property
    def experts(self) -> list[Episode]:
        return self.of(EXPERT)

    @property
    def randoms(self) -> list[Episode]:
        return self.of(RANDOM)

    @property
    def exploits(self) -> list[Episode]:
        return self.of(*EXPLOITS)

    @property
    def expert_return(self) -> float:
        """Mean over experts that were answered; 0 without any."""
        returned = [episode.returned for episode in self.experts if episode.error is None]
        return float(np.mean(returned)) if returned else 0.0


def judge_episode(judge: Judge, trajectory: Kept, reward: Any, env_reward: float) -> Episode:
    """Run a program over one trajectory, with nothing remembered from any other, and pay for it.

    Args:
        judge: runs the program.
        trajectory: what happened.
        reward: a component of ``conf/reward``.
        env_reward: weight of the environment's own reward.
    """
    frames = trajectory.frames()
    try:
        progress = judge.progress(
            np.broadcast_to(frames[:1], frames.shape), frames
        )  # (steps + 1, num_subtasks)
    except ProgramError as error:
        nothing = (None,) * judge.num_subtasks
        return Episode(trajectory, nothing, (False,) * judge.num_subtasks, None, 0.0, error, error.index)
    payment = reward.start(1, judge.num_subtasks)
    payment.reset(np.ones(1, np.bool_), progress[:1])
    paid = np.zeros(len(frames))
    paid[1:] = env_reward * trajectory.trajectory.rewards
    newly_done = done_in_order(progress)
    for t in range(1, len(frames)):
        terminated = np.array([trajectory.success and t == len(frames) - 1])
        paid[t] += float(payment.step(progress[t : t + 1], newly_done[t : t + 1], terminated)[0])
    done_at = [int(column.argmax()) if column.any() else None for column in newly_done.T]
    done_at_start = tuple(bool(p >= 1.0) for p in progress[0])
    return Episode(trajectory, tuple(done_at), done_at_start, progress, float(paid.sum()), paid=paid)


def done_in_order(progress: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where each sub-task counts for the first time, by the rule that pays the agent.

    Args:
        progress: float32 (steps + 1, num_subtasks) in [0, 1].

    Returns:
        bool (steps + 1, num_subtasks): at most one True per sub-task, never on frame 0.
    """
    order = InOrder(1, progress.shape[1])
    newly_done = np.zeros(progress.shape, np.bool_)
    for t in range(1, len(progress)):
        newly_done[t] = order.update(progress[t : t + 1])[0]
    return newly_done


def offsets(episode: Episode) -> list[int | None]:
    """How many frames after which of its expert's events each sub-task was done; ``None``: at no event, or never.

    Sub-tasks and events are matched in order, as many as can be, so that the differences are least in sum.
    """
    events = episode.trajectory.events
    done = [k for k, frame in enumerate(episode.done_at) if frame is not None]
    at = [int(episode.done_at[k] or 0) for k in done]
    matched = _match(at, events)
    found: list[int | None] = [None] * len(episode.done_at)
    for n, event in matched:
        found[done[n]] = at[n] - events[event]
    return found


def told(episode: Episode, window: int) -> list[bool]:
    """Per event of its expert's, whether a sub-task is done at it, or at most ``window`` frames before or after."""
    found = zip(episode.done_at, offsets(episode), strict=True)
    at = {frame - off for frame, off in found if frame is not None and off is not None and abs(off) <= window}
    return [event in at for event in episode.trajectory.events]


def _match(at: Sequence[int], events: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs (index in ``at``, index in ``events``), both rising: most pairs first, then least total distance."""
    best: list[list[tuple[int, int]]] = [[(0, 0)] * (len(events) + 1) for _ in range(len(at) + 1)]
    for i in range(len(at) - 1, -1, -1):
        for j in range(len(events) - 1, -1, -1):
            pairs, cost = best[i + 1][j + 1]
            together = (pairs - 1, cost + abs(at[i] - events[j]))
            best[i][j] = min(together, best[i + 1][j], best[i][j + 1])
    return list(_trace(best, at, events))


def _trace(
    best: Sequence[Sequence[tuple[int, int]]], at: Sequence[int], events: Sequence[int]
) -> Iterator[tuple[int, int]]:
    i = j = 0
    while i < len(at) and j < len(events):
        pairs, cost = best[i + 1][j + 1]
        if best[i][j] == (pairs - 1, cost + abs(at[i] - events[j])):
            yield i, j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
