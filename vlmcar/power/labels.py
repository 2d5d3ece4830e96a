"""Ground truth says which programs are right: on episodes that verification never sees.

In an episode a program is right if no sub-task is done on its first frame, and each sub-task is counted, by the rule
that pays the agent, within one frame of when ground truth counts it, or in neither; in an expert's, besides, each
answer about a sub-task that has been counted is true: a program that takes back what is done is not right. It is
*right* if that holds in at least 99 % of the episodes, *wrong* in at most 95 %, and *unclear* between: such programs
are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Program, Task
from vlmcar.verification.agreement import is_so
from vlmcar.verification.evidence import done_in_order
from vlmcar.verification.trajectories import EXPERT, Counts, Kept, Seeds, make_set

FIRST_SEED = 60_000
SEEDS = Seeds.from_levels(range(FIRST_SEED, FIRST_SEED + 100), experts=60)
COUNTS = Counts(random_steps=100, negatives=16, exploit_steps=30)
KINDS = ("expert", "random", "near_miss", "hold")
RIGHT, WRONG = 0.99, 0.95
FRAMES = 1
"""By how many frames the moment may differ."""


@dataclass(frozen=True)
class Labelled:
    """An episode and what is so in it."""

    episode: Kept
    so: Mapping[str, NDArray[np.bool_]]
    """Ground-truth predicate -> (steps + 1,)"""


def episodes(task: Task) -> list[Labelled]:
    """What programs for this task are labelled on."""
    made = make_set(task, SEEDS, COUNTS).episodes
    return [Labelled(kept, task.truth(kept.whole())) for kept in made if kept.kind in KINDS]


def first_frames(progress: NDArray[np.float32]) -> tuple[int | None, ...]:
    """Frame at which each sub-task counts, in order; None: never."""
    return tuple(int(column.argmax()) if column.any() else None for column in done_in_order(progress).T)


def agreement(
    program: Program, truths: Mapping[str, str], sandbox: Sandbox, labelled: Sequence[Labelled]
) -> float:
    """Fraction of the episodes in which the program is right; a program that crashes is right in none further.

    Args:
        program: to be labelled.
        truths: sub-task -> expression over ground-truth predicates.
        sandbox: how it is run.
        labelled: of `episodes`.
    """
    right = 0
    with ProgramJudge(program, sandbox, hot_spare=False) as judge:
        for known in labelled:
            frames = known.episode.frames()
            truth = np.stack([is_so(truths[subtask.name], known.so) for subtask in program.subtasks], axis=1)
            try:
                progress = judge.progress(np.broadcast_to(frames[:1], frames.shape), frames)
            except ProgramError:
                return right / len(labelled)
            right += _right(progress >= 1, truth, known.episode.kind == EXPERT)
    return right / len(labelled)


def label(agreed: float) -> str:
    return "right" if agreed >= RIGHT else "wrong" if agreed <= WRONG else "unclear"


def _right(said: NDArray[np.bool_], truth: NDArray[np.bool_], stays: bool) -> bool:
    """Both (steps + 1, num_subtasks); ``stays``: what has been counted must be true from then on."""
    moments = list(zip(*(first_frames(answers.astype(np.float32)) for answers in (said, truth)), strict=True))
    if said[0].any() or not all(_same(at, so) for at, so in moments):
        return False
    later = [max(at, so) for at, so in moments if at is not None and so is not None]
    return not stays or all((said[t:, k] == truth[t:, k]).all() for k, t in enumerate(later))


def _same(said: int | None, so: int | None) -> bool:
    if said is None or so is None:
        return said is so
    return abs(said - so) <= FRAMES
