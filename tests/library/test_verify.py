"""Verification of a program on episodes that were given, without any environment of ours."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vlmcar
from tests.library.corridor import PROGRAM, RIGHT, SOURCE, WANDERED, random_walks, walked
from vlmcar import GivenTask, Program, Trajectory, verify
from vlmcar.env.minigrid import MiniGrid
from vlmcar.library.defaults import CONF
from vlmcar.library.verifying import _OF_A_TASK
from vlmcar.types import ConfigError, NotAvailable
from vlmcar.verification.trajectories import EXPERT


def failed(verdict: vlmcar.Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


def broken(old: str, new: str) -> Program:
    assert old in SOURCE
    return Program(PROGRAM.subtasks, SOURCE.replace(old, new))


def test_a_right_program_is_accepted_on_both_halves() -> None:
    verdict = verify(PROGRAM, RIGHT, WANDERED)
    assert verdict.accepted
    assert verdict.feedback == ""
    counts = {
        check.trajectories: check.count for check in verdict.checks if check.name == "runs_without_error"
    }
    assert {which: counts[which] for which in counts if which.endswith(("expert", "random"))} == {
        "feedback/expert": 3,
        "feedback/random": 30,
        "held_out/expert": 3,
        "held_out/random": 30,
    }
    (row,) = [
        c
        for c in verdict.checks
        if c.trajectories == "held_out/near_miss" and c.name == "near_miss_completes"
    ]
    assert row.measured is None
    assert "not available" in row.threshold
    reasons = {c.threshold for c in verdict.checks if c.measured is None}
    assert reasons == {
        "not available: recorded demonstrations cannot be acted out again",
        "not available: there is no environment to act in, only recorded episodes",
    }  # no key of an environment of the command line's


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (broken("return bool(frame[0, 0, 0] >= 150)", "return True"), "not_done_at_start"),
        (broken(">= 150", ">= 255"), "expert_completes"),
        (broken("/ 250", "/ 200"), "expert_completes_early"),
        (broken("return bool", "raise ValueError\n    return bool"), "runs_without_error"),
        (broken("frame[0, 0, 0] >= 150", "np.random.random() > 2"), "runs_without_error"),
    ],
)
def test_a_wrong_one_is_rejected_and_says_why(program: Program, why: str) -> None:
    verdict = verify(program, RIGHT, WANDERED)
    assert not verdict.accepted
    assert why in failed(verdict)
    assert verdict.feedback
    shown = str(verdict)
    assert shown.startswith("rejected for ")
    assert why in shown.splitlines()[0]
    (line, *_) = [line for line in shown.splitlines() if line.startswith("FAILED") and why in line]
    assert "feedback/" in line


def test_the_second_half_decides_too() -> None:
    """A walk that only the held-out half has is too short for this program."""
    late = broken("frame[0, 0, 0] >= 150", "initial[0, 0, 0] < 50 and frame[0, 0, 0] >= 150")
    verdict = verify(late, [*RIGHT[:3], walked(1, 1, 1, 1, start=1), *RIGHT[3:5]], WANDERED)
    assert failed(verdict) >= {"expert_completes"}
    assert {check.trajectories.split("/")[0] for check in verdict.checks if not check.passed} == {"held_out"}
    assert "cannot be shown" in verdict.feedback
    assert not verdict.feedback_frames


def test_random_play_that_completes_is_counted() -> None:
    lucky = [RIGHT[0]] * 12
    verdict = verify(PROGRAM, RIGHT, [*lucky, *WANDERED[:48]])
    assert failed(verdict) == {"random_completes", "successes_outscore"}
    truly = [Trajectory(w, np.zeros((5, 0)), np.zeros(5, np.float32), True, 0, "random") for w in lucky]
    assert verify(PROGRAM, RIGHT, [*truly, *WANDERED[:48]]).accepted  # success is no mistake


def test_the_table_begins_with_what_failed_and_what_was_not_asked() -> None:
    strict: Any = {"checks.robust.at_least": 1.0}
    first, head, *rows = str(verify(PROGRAM, RIGHT, WANDERED, **strict)).splitlines()
    assert first == "rejected for robust"
    assert head.split() == ["check", "episodes", "measured", "asked"]
    kinds = ["FAILED" if row[0] == "F" else "ok" if row[:2] == "ok" else "" for row in rows]
    assert kinds == sorted(kinds, key=["FAILED", "", "ok"].index)
    assert set(kinds) == {"FAILED", "", "ok"}


def test_all_that_is_given_is_used() -> None:
    verdict = verify(PROGRAM, RIGHT, random_walks(84))
    assert [c.count for c in verdict.checks if c.name == "random_completes"] == [42, 42]


def test_thresholds_may_be_moved_and_checks_turned_off() -> None:
    few = WANDERED[:20]
    with pytest.raises(
        ConfigError, match=r"20 random episodes make a half of 10.*give 50 or more.*25 teach and 25"
    ):
        verify(PROGRAM, RIGHT, few)
    assert verify(PROGRAM, RIGHT, few, checks={"random_completes": {"at_most": 0.25}}).accepted
    off: Any = {"checks.random_completes.enabled": False}
    verdict = verify(PROGRAM, RIGHT, few, **off)
    assert verdict.accepted
    assert "random_completes" not in {check.name for check in verdict.checks}
    strict: Any = {"checks.robust.at_least": 1.0}
    assert failed(verify(PROGRAM, RIGHT, WANDERED, **strict)) == {"robust"}
    with pytest.raises(ConfigError, match="did you mean 'random_completes'"):
        verify(PROGRAM, RIGHT, WANDERED, checks={"random_complets": {"at_most": 0.2}})
    with pytest.raises(ConfigError, match=r"at_most=2.* must be a fraction"):
        verify(PROGRAM, RIGHT, WANDERED, checks={"random_completes": {"at_most": 2}})


def test_without_random_play_the_verdict_says_so() -> None:
    verdict = verify(PROGRAM, RIGHT, [])
    assert verdict.accepted
    rows = [check for check in verdict.checks if check.name == "random_completes"]
    assert len(rows) == 2
    assert all(row.measured is None for row in rows)
    assert "not available: there are no episodes of random play" in str(verdict)


@pytest.mark.parametrize(
    ("expert", "random", "message"),
    [
        (None, None, "give expert= and random="),
        (RIGHT, None, "give expert= and random="),
        (RIGHT[:1], WANDERED, r"expert has 1 episode\(s\), and needs 2 or more"),
        (RIGHT[0], WANDERED, r"expert\[0\] is uint8 \(8, 8, 3\)"),  # one array in place of a list
        ([*RIGHT, RIGHT[0].astype(float)], WANDERED, r"expert\[6\] is float64"),
        ([*RIGHT, RIGHT[0][:1]], WANDERED, "two frames or more"),
        (RIGHT, [np.zeros((5, 16, 8, 3), np.uint8)] * 50, "several sizes .8 x 8, 8 x 16."),
        (
            [Trajectory(RIGHT[0], np.zeros(5), np.zeros(5, np.float32), False, 0, "expert")] * 2,
            [],
            "success=False",
        ),
    ],
)
def test_what_cannot_be_verified_on_is_refused(expert: Any, random: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        verify(PROGRAM, expert, random)


def test_recordings_are_read(tmp_path: Path) -> None:
    """A folder of pictures is one episode, an npz file is another, and a folder of these is many."""
    for kind, walks in {"right": RIGHT, "wandered": WANDERED}.items():
        (tmp_path / kind).mkdir()
        for number, frames in enumerate(walks):
            np.savez(tmp_path / kind / f"{number}.npz", frames=frames)
    (tmp_path / "pictures").mkdir()
    for number, frame in enumerate(RIGHT[2]):
        cv2.imwrite(str(tmp_path / "pictures" / f"{number}.png"), frame)
    task = GivenTask([tmp_path / "right", str(tmp_path / "pictures"), RIGHT[5]], tmp_path / "wandered")
    assert (task.demonstrations, task.random_episodes) == (8, 60)
    np.testing.assert_array_equal(task.experts[6].frames, RIGHT[2])
    assert [one.seed for one in task.experts] == list(range(8))
    assert not any(one.success for one in task.randoms)
    assert verify(PROGRAM, task=task).accepted
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        verify(PROGRAM, tmp_path / "nowhere", [])


def test_a_program_that_is_screened_out_is_a_verdict(tmp_path: Path) -> None:
    path = tmp_path / "reads.py"
    path.write_text(f"import os\n{SOURCE}", encoding="utf-8")
    verdict = verify(path, RIGHT, WANDERED)
    assert failed(verdict) >= {"runs_without_error"}
    assert "os" in verdict.feedback


def test_a_whole_task_is_verified_with_its_thresholds(doorkey: MiniGrid, doorkey_program: Program) -> None:
    small: Any = {
        f"{which}_{kind}": n
        for which in ("feedback", "held_out")
        for kind, n in (("experts", 4), ("randoms", 25))
    }
    verdict = verify(doorkey_program, task=doorkey, negatives=1, **small)
    assert verdict.accepted
    assert {"near_miss_completes", "exploits_pay_less"} <= {
        c.name for c in verdict.checks if c.measured is not None
    }
    lenient = dataclasses.replace(doorkey, thresholds={"random_completes": 0.4})
    few = {**small, "feedback_randoms": 5, "held_out_randoms": 5}
    verdict = verify(doorkey_program, task=lenient, negatives=1, **few)
    assert any(check.threshold.endswith("<= 0.4") for check in verdict.checks)
    with pytest.raises(ConfigError, match="either task="):
        verify(doorkey_program, RIGHT, [], task=doorkey)


def test_the_yaml_takes_from_the_task_what_it_says() -> None:
    text = (CONF / "verification" / "default.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"oc\.select:env\.(\w+)", text)) == set(_OF_A_TASK)


def test_a_given_task_is_no_more_than_what_was_given() -> None:
    task = GivenTask(RIGHT, WANDERED, name="corridor")
    assert (task.id, task.demonstrations, task.random_episodes) == ("given-corridor", 6, 60)
    initial, goal = task.images()
    np.testing.assert_array_equal(initial, RIGHT[0][0])
    np.testing.assert_array_equal(goal, RIGHT[0][-1])
    assert task.expert(7).kind == EXPERT
    np.testing.assert_array_equal(task.expert(7).frames, RIGHT[1])
    for asked in (lambda: task.replay(0, [1], "idle"), lambda: task.make_vec(1, [0], True, True)):
        with pytest.raises(NotAvailable, match="no environment"):
            asked()
    assert task.setting() == GivenTask(RIGHT, WANDERED, name="another").setting()
    changed = [frames.copy() for frames in WANDERED]
    changed[3][2, 0, 0, 0] += 1
    assert task.setting() != GivenTask(RIGHT, changed).setting()
    with pytest.raises(ConfigError, match="letters, digits"):
        GivenTask(RIGHT, WANDERED, name="../up")
    with pytest.raises(ConfigError, match="several sizes"):
        GivenTask(RIGHT, WANDERED, goal=np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ConfigError, match="initial and goal are uint8"):
        GivenTask(RIGHT, WANDERED, goal=np.zeros((8, 8), np.uint8))
