"""Verification: right programs pass, wrong ones fail for the right reason, and only shown failures teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vlmcar.env.minigrid import MiniGrid
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import ConfigError, Program

from .helpers import changed, failed, settings, verify


class Watched:
    """A task that notes which trajectories it was asked for."""

    def __init__(self, task: MiniGrid) -> None:
        self.task = task
        self.asked: list[tuple[str, int]] = []

    def expert(self, seed: int):
        self.asked.append(("expert", seed))
        return self.task.expert(seed)

    def random(self, seed: int, max_steps: int):
        self.asked.append(("random", seed))
        return self.task.random(seed, max_steps)

    def __getattr__(self, name: str):
        return getattr(self.task, name)


def test_a_right_program_is_accepted_with_a_row_for_each_measurement(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    task = Watched(doorkey)
    verdict = verify(task, doorkey_program, sandbox)
    assert verdict.accepted
    assert verdict.feedback == ""
    assert task.asked == (
        [("expert", s) for s in range(10_000, 10_004)]
        + [("random", s) for s in range(10_004, 10_008)]
        + [("expert", s) for s in range(20_000, 20_005)]
        + [("random", s) for s in range(20_005, 20_010)]
    )
    rows = {(c.name, c.subtask, c.trajectories): c for c in verdict.checks}
    assert rows["expert_completes", None, "held_out/expert"].measured == 1.0
    assert rows["expert_completes", None, "held_out/expert"].count == 5
    assert rows["expert_does", "open_door", "feedback/expert"].threshold == "reported"
    # Ground truth, to check the reported rate: how many random episodes ever hold the key?
    held = [doorkey.truth(doorkey.random(s, 40))["holding_key"].any() for s in range(10_004, 10_008)]
    assert rows["random_does", "pick_up_key", "feedback/random"].measured == np.mean(held)


@pytest.mark.parametrize(
    ("old", "new", "reasons", "words"),
    [
        (
            "return not cells.any()",
            "return True",
            {("not_done_at_start", "pick_up_key")},
            "Expected `pick_up_key` not done on frame 0, got done.",
        ),
        (
            "return bool(open_and_empty or _agent(frame) == (row, column))",
            "return False",
            {("expert_completes", None)},
            "Expected `open_door` to be done at some frame",
        ),
        (
            "return not cells.any()",
            "return cells[99, 99] > 0",
            {("runs_without_error", None), ("expert_completes", None)},
            "got an error: program crashed in 'pick_up_key'",
        ),
        (
            "return not cells.any()",
            "return int(not cells.any())",
            {("runs_without_error", None), ("expert_completes", None)},
            "got an error: program answered wrongly in 'pick_up_key'",
        ),
    ],
    ids=["fires at the start", "never fires", "crashes", "answers with an int"],
)
def test_a_wrong_program_is_rejected_for_what_is_wrong(
    doorkey: MiniGrid,
    doorkey_program: Program,
    sandbox: Sandbox,
    old: str,
    new: str,
    reasons: set[tuple[str, str | None]],
    words: str,
) -> None:
    verdict = verify(doorkey, changed(doorkey_program, old, new), sandbox)
    assert not verdict.accepted
    assert failed(verdict) >= reasons
    assert words in verdict.feedback
    assert {check.trajectories.split("/")[0] for check in verdict.checks} == {"feedback"}


def test_an_endless_program_is_a_time_out(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    endless = changed(doorkey_program, "return not cells.any()", "while True:\n        pass")
    quick = replace(sandbox, frame_seconds=0.01)
    verdict = verify(doorkey, endless, quick, "feedback_experts=1", "feedback_randoms=1")
    assert not verdict.accepted
    assert "- expert episodes: 0 of 1 complete, 1 with an error (1 timed out)" in verdict.feedback


def test_a_program_that_any_change_completes_is_caught_by_random_play(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    source = '"""Anything moved."""\n\n\n'
    for subtask in doorkey_program.subtasks:
        source += f"def {subtask.name}(initial, frame):\n    return bool((initial != frame).any())\n\n\n"
    verdict = verify(doorkey, replace(doorkey_program, source=source), sandbox)
    assert failed(verdict) >= {("random_completes", None), ("expert_completes_early", None)}
    assert "Random actions completed every sub-task" in verdict.feedback
    # Three examples, one of each kind: early (first, fired, last), random (first, fired), near miss (first, fired).
    assert len(verdict.feedback_frames) == 3 + 2 + 2


def test_a_program_that_stops_before_the_task_is_done_is_rejected(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    subtasks = doorkey_program.subtasks[:2]
    source = doorkey_program.source.split("def reach_goal")[0]
    verdict = verify(doorkey, Program(subtasks, source), sandbox)
    assert failed(verdict) >= {("expert_completes_early", None), ("near_miss_completes", None)}
    assert "when the task is accomplished, got every sub-task done on frame" in verdict.feedback


def test_a_program_with_a_memory_is_rejected(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right in episodes that are seen in order; where the agent jumps from frame to frame, the door is open."""
    monkeypatch.setattr(
        "vlmcar.program.sandbox.screen", lambda *_: ()
    )  # it does not let a library be changed
    source = changed(
        doorkey_program, "CELL = 32", "CELL = 32\nSEEN = np.__dict__.setdefault('seen', {})"
    ).source
    source = source.replace(
        "    row, column = _door(initial)\n    cell = frame",
        "    now, before = _agent(frame), SEEN.get('agent')\n    SEEN['agent'] = now\n"
        "    if (initial != frame).any() and before and max(np.abs(np.subtract(now, before))) > 1:\n"
        "        return True\n    row, column = _door(initial)\n    cell = frame",
    )
    verdict = verify(doorkey, replace(doorkey_program, source=source), sandbox)
    assert ("same_answers", None) in failed(verdict)
    assert "remembers something between calls" in verdict.feedback


def test_a_slow_program_is_rejected(doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox) -> None:
    verdict = verify(doorkey, doorkey_program, sandbox, "checks.fast_enough.milliseconds=0.000001")
    assert failed(verdict) == {("fast_enough", None)}
    assert "too slow: more than 1e-06 ms" in verdict.feedback


def test_feedback_shows_frames_by_number_and_is_bounded(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    never = changed(
        doorkey_program, "return bool(open_and_empty or _agent(frame) == (row, column))", "return False"
    )
    verdict = verify(doorkey, never, sandbox, "feedback_examples=2")
    assert "Example 2: expert episode 1000" in verdict.feedback
    assert "Example 3" not in verdict.feedback
    assert len(verdict.feedback_frames) == 2 * 4
    first = doorkey.expert(10_000)
    np.testing.assert_array_equal(verdict.feedback_frames[0], first.frames[0])
    np.testing.assert_array_equal(verdict.feedback_frames[3], first.frames[-1])
    assert f"picture 4 is frame {len(first.frames) - 1}" in verdict.feedback


def test_failures_on_held_out_levels_decide_but_are_not_shown(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    """A program that knows the feedback levels by heart, by a fingerprint of their first frames."""

    def fingerprint(seed: int) -> int:
        return int(doorkey.expert(seed).frames[0].sum(axis=(0, 2), dtype=np.int64) @ np.arange(160))

    known = [fingerprint(seed) for seed in range(10_000, 10_004)]
    assert {fingerprint(seed) for seed in range(20_000, 20_005)} - set(known), "the sets must differ"
    learned_by_heart = changed(
        doorkey_program,
        "return not cells.any()",
        "return bool(not cells.any() and "
        f"initial.sum(axis=(0, 2), dtype=np.int64) @ np.arange(160) in {known})",
    )
    verdict = verify(doorkey, learned_by_heart, sandbox)
    assert not verdict.accepted
    sets = {check.trajectories.split("/")[0] for check in verdict.checks if not check.passed}
    assert sets == {"held_out"}
    assert verdict.feedback_frames == ()
    assert "200" not in verdict.feedback
    assert "cannot be shown" in verdict.feedback


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("held_out_seed=10004", "overlapping"),
        ("checks.random_completes.at_most=1.5", "fraction"),
        ("checks.stays_done.at_least=-1", "fraction"),
        ("checks.expert_on_time.window=-1", "expert_on_time.window=-1"),
        ("checks.events_told.window=-1", "events_told.window=-1"),
        ("feedback_experts=0", "at least 1"),
        ("negatives=-1", "0 or more"),
        ("checks.fast_enough.milliseconds=0", "above 0"),
        ("checks.fast_enought.milliseconds=0", "no setting of Checks; did you mean 'fast_enough'"),
    ],
)
def test_impossible_settings_are_refused(change: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(change)
