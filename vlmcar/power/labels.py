"""Ground truth says which programs are right: on episodes that verification never sees.

In an episode a program is right if no sub-task is done on its first frame, and each sub-task is counted, by the rule
that pays the agent, within one frame of when ground truth counts it, or in neither; in an expert's, besides, at most a
tenth of the answers differ from the truth: what is done stays done. It is *right* if that holds in at least 99 % of the
episodes, *wrong* in at most 95 %, and *unclear* between: such programs are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Program, SubTask, Task, Trajectory
from vlmcar.verification.agreement import is_so
from vlmcar.verification.evidence import done_in_order
from vlmcar.verification.trajectories import Counts, make_set

FIRST_SEED = 60_000
COUNTS = Counts(experts=24, randoms=16, random_steps=100, negatives=8, exploit_steps=30)
KINDS = ("expert", "random", "near_miss", "hold")
RIGHT, WRONG = 0.99, 0.95
FRAMES, ANSWERS = 1, 0.1
"""By how many frames the moment may differ, and the share of answers in an expert's episode that may."""


@dataclass(frozen=True)
class Labelled:
    """An episode and what is so in it."""

    trajectory: Trajectory
    truth: NDArray[np.bool_]
    """(steps + 1, num_subtasks)"""


def episodes(task: Task, subtasks: Sequence[SubTask], truths: Mapping[str, str]) -> list[Labelled]:
    """What a program with these sub-tasks is labelled on."""
    found = []
    for kept in make_set(task, FIRST_SEED, COUNTS):
        if kept.kind in KINDS:
            trajectory = kept.whole()
            so = task.truth(trajectory)
            truth = np.stack([is_so(truths[subtask.name], so) for subtask in subtasks], axis=1)
            found.append(Labelled(trajectory, truth))
    return found


def first_frames(progress: NDArray[np.float32]) -> tuple[int | None, ...]:
    """Frame at which each sub-task counts, in order; None: never."""
    return tuple(int(column.argmax()) if column.any() else None for column in done_in_order(progress).T)


def agreement(program: Program, sandbox: Sandbox, labelled: Sequence[Labelled]) -> float:
    """Fraction of the episodes in which the program is right; one with an error is not."""
    right = 0
    with ProgramJudge(program, sandbox, hot_spare=False) as judge:
        for episode in labelled:
            frames = episode.trajectory.frames
            try:
                progress = judge.progress(np.broadcast_to(frames[:1], frames.shape), frames)
            except ProgramError:
                return right / len(labelled)  # what crashes is not right, however often it would
            most = ANSWERS if episode.trajectory.kind == "expert" else 1.0
            right += _right(progress >= 1, episode.truth, most)
    return right / len(labelled)


def label(agreed: float) -> str:
    return "right" if agreed >= RIGHT else "wrong" if agreed <= WRONG else "unclear"


def _right(said: NDArray[np.bool_], truth: NDArray[np.bool_], most: float) -> bool:
    """Both (steps + 1, num_subtasks); at most this share of them may differ."""
    moments = zip(*(first_frames(answers.astype(np.float32)) for answers in (said, truth)), strict=True)
    on_time = all(_same(at, so) for at, so in moments)
    return bool(not said[0].any() and on_time and (said != truth).mean() <= most)


def _same(said: int | None, so: int | None) -> bool:
    if said is None or so is None:
        return said is so
    return abs(said - so) <= FRAMES
