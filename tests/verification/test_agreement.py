"""Agreement with ground truth: known errors are counted as what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vlmcar.env.minigrid import MiniGrid
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Program
from vlmcar.verification.agreement import EPISODES, agreement, is_so

PREDICATES = {"pick_up_key": "holding_key", "open_door": "locked_door_open", "reach_goal": "on_goal"}


def rows(
    task: MiniGrid, program: Program, sandbox: Sandbox
) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    trajectories = [task.expert(seed) for seed in range(3)] + [task.random(seed, 30) for seed in range(3)]
    with ProgramJudge(program, sandbox) as judge:
        return {
            (row.trajectories, row.subtask): (
                row.count,
                row.positives,
                row.false_positives,
                row.false_negatives,
            )
            for row in agreement(judge, program, task, trajectories, PREDICATES)
        }


def test_a_right_program_agrees_everywhere(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    found = rows(doorkey, doorkey_program, sandbox)
    frames = sum(len(doorkey.expert(seed).frames) for seed in range(3))
    assert found["expert", "reach_goal"] == (frames, 3, 0, 0)
    assert found["expert", EPISODES] == (3, 3, 0, 0)
    assert all(wrong == (0, 0) for *_, wrong in ((*f[:2], f[2:]) for f in found.values()))


def test_a_wrong_program_is_wrong_as_often_as_it_is(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    never = doorkey_program.source.replace(
        "return bool(open_and_empty or _agent(frame) == (row, column))", "return False"
    )
    found = rows(doorkey, replace(doorkey_program, source=never), sandbox)
    _, positives, false_positives, false_negatives = found["expert", "open_door"]
    assert positives > 0
    assert (false_positives, false_negatives) == (0, positives)
    assert found["expert", EPISODES] == (3, 3, 0, 3)


def test_expressions_over_predicates() -> None:
    truth = {
        "a": np.array([True, True, False, False]),
        "b": np.array([True, False, True, False]),
        "c": np.array([False, False, False, True]),
    }
    assert is_so("a", truth).tolist() == [True, True, False, False]
    assert is_so("a and b or c", truth).tolist() == [True, False, False, True]
    with pytest.raises(KeyError):
        is_so("a or d", truth)
