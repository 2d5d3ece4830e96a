"""How often an accepted program agrees with the simulator: measured afterwards.

Generation, feedback, verification and VLM-CaR's reward do not import this; simulated judges, which are called so, take
``is_so`` from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import Judge, Program, Task, Trajectory
from vlmcar.verification.evidence import done_in_order

EPISODES = "episodes completed"


@dataclass(frozen=True)
class Agreement:
    """One row: a sub-task's answers against ground truth, over frames or episodes of one kind."""

    trajectories: str
    """``expert``, ``random`` or ``policy``."""
    subtask: str
    """A sub-task, or ``EPISODES``: all of them done in order, against the environment's own success."""
    truth: str
    """The ground-truth predicate; empty where there is none to compare with."""
    count: int
    """Frames (or episodes) compared."""
    positives: int
    """Of which ground truth is true."""
    agreement: float
    """Fraction of equal answers, in [0, 1]."""
    false_positives: int
    false_negatives: int


def agreement(
    judge: Judge,
    program: Program,
    task: Task,
    trajectories: Iterable[Trajectory],
    predicates: Mapping[str, str],
) -> Iterator[Agreement]:
    """Compare every frame's answers with ground truth, per kind of trajectory.

    Args:
        judge: runs ``program``.
        program: whose sub-tasks are compared.
        task: gives the ground truth of each frame.
        trajectories: of any kinds.
        predicates: sub-task name -> predicates of ``task.truth`` joined by ``and`` and ``or`` (``and`` binds
            more tightly), such as ``holding_key or locked_door_open``.

    Raises:
        ProgramError: the program had no answer for a frame.
    """
    answers: dict[tuple[str, str], list[tuple[bool, bool]]] = {}  # (program says, ground truth says)
    for trajectory in trajectories:
        frames = trajectory.frames
        progress = judge.progress(np.broadcast_to(frames[:1], frames.shape), frames)
        complete = bool(done_in_order(progress).any(axis=0).all())
        truth = task.truth(trajectory)
        for k, subtask in enumerate(program.subtasks):
            if subtask.name in predicates:
                compared = zip(progress[:, k] >= 1.0, is_so(predicates[subtask.name], truth), strict=True)
                answers.setdefault((trajectory.kind, subtask.name), []).extend(compared)
        answers.setdefault((trajectory.kind, EPISODES), []).append((complete, trajectory.success))
    for (kind, name), pairs in answers.items():
        truth_name = "success" if name == EPISODES else predicates[name]
        yield _row(kind, name, truth_name, pairs)


def is_so(expression: str, truth: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Evaluate ``a and b or c`` over predicates, each bool (steps + 1,).

    Raises:
        KeyError: an unknown predicate.
    """
    alternatives = [
        np.logical_and.reduce([truth[name.strip()] for name in alternative.split(" and ")])
        for alternative in expression.split(" or ")
    ]
    return np.asarray(np.logical_or.reduce(alternatives))


def _row(kind: str, subtask: str, truth: str, pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    said, so = np.array(pairs, dtype=bool).T
    return Agreement(
        kind,
        subtask,
        truth,
        len(so),
        int(so.sum()),
        float((said == so).mean()),
        int((said & ~so).sum()),
        int((~said & so).sum()),
    )
