"""Each check by itself, on evidence whose outcome can be worked out by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from vlmcar.program.errors import ProgramCrashed
from vlmcar.types import Check, Program, SubTask, Trajectory
from vlmcar.verification.checks import Checks
from vlmcar.verification.evidence import Episode, Evidence, done_in_order, offsets
from vlmcar.verification.trajectories import Kept

from .helpers import settings

CHECKS = settings().checks
PROGRAM = Program((SubTask("key", "."), SubTask("door", ".")), "")


def episode(
    kind: str = "expert",
    done: tuple[int | None, int | None] = (3, 6),
    steps: int = 6,
    success: bool | None = None,
    seed: int = 0,
    events: tuple[int, ...] = (3, 6),
    missing: int | None = None,
    returned: float | None = None,
    **changes: Any,
) -> Episode:
    """An episode of two sub-tasks, each done from a frame on, or never."""
    success = kind == "expert" if success is None else success
    nothing = np.zeros((0, 4, 4, 3), np.uint8)
    trajectory = Trajectory(
        nothing, np.zeros(steps, np.int64), np.zeros(steps, np.float32), success, seed, kind
    )
    progress = np.zeros((steps + 1, 2), np.float32)
    for k, frame in enumerate(done):
        if frame is not None:
            progress[frame:, k] = 1
    paid = sum(frame is not None for frame in done) / 2 if returned is None else returned
    values = {
        "done_at": done, "done_at_start": tuple(bool(p) for p in progress[0]), "progress": progress, "returned": paid,
    }  # fmt: skip
    kept = Kept(trajectory, (b"",) * (steps + 1), (4, 4, 3), events, missing)
    return Episode(kept, **{**values, **changes})


def evidence(*episodes: Episode, **changes: Any) -> Evidence:
    values = {"which": "feedback", "program": PROGRAM, "milliseconds": 1.0, "early_frames": 0}
    empty = {"replayed": np.ones(4, np.bool_), "distorted": {}}
    return Evidence(episodes=episodes, **{**values, **empty, **changes})


def rows(name: str, found: Evidence, **changes: Any) -> list[Check]:
    component = replace(getattr(CHECKS, name), enabled=True, **changes)
    return list(component.rows(found))


def outcome(name: str, found: Evidence, **changes: Any) -> list[tuple[str | None, float, bool]]:
    return [(row.subtask, pytest.approx(row.measured), row.passed) for row in rows(name, found, **changes)]


CRASH = ProgramCrashed("boom", "key", 2)


def crashed(kind: str = "expert") -> Episode:
    return episode(kind, (None, None), progress=None, error=CRASH, error_frame=2)


def test_runs_without_error() -> None:
    found = evidence(episode(), crashed(), episode("random", (None, None)))
    assert outcome("runs_without_error", found) == [(None, 0.5, False), (None, 1.0, True)]


def test_not_done_at_start() -> None:
    at_start = episode(done=(0, 6))
    assert outcome("not_done_at_start", evidence(episode(), at_start)) == [
        ("key", 0.5, False),
        ("door", 1.0, True),
    ]
    assert rows("not_done_at_start", evidence(crashed())) == []


def test_expert_completes() -> None:
    found = evidence(episode(), episode(), episode(done=(3, None)), crashed())
    assert outcome("expert_completes", found, at_least=0.5) == [(None, 0.5, True)]
    assert outcome("expert_completes", found, at_least=0.6) == [(None, 0.5, False)]
    assert rows("expert_completes", evidence(episode("random"))) == []


def test_expert_completes_early() -> None:
    early = episode(done=(3, 5))
    assert outcome("expert_completes_early", evidence(episode(), early), at_most=0.0) == [(None, 0.5, False)]
    assert outcome("expert_completes_early", evidence(early, early_frames=1), at_most=0.0) == [
        (None, 0.0, True)
    ]


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ((3, 6), [("key", 1.0, True), ("door", 1.0, True)]),
        ((4, 6), [("key", 1.0, True), ("door", 1.0, True)]),
        ((5, 6), [("key", 0.0, False), ("door", 1.0, True)]),  # fires late
        ((1, 6), [("key", 0.0, False), ("door", 1.0, True)]),
        ((3, None), []),  # not complete: another check's business
    ],
)
def test_expert_on_time(done: tuple[int, int | None], expected: list[tuple[str, float, bool]]) -> None:
    assert outcome("expert_on_time", evidence(episode(done=done)), window=1, at_least=1.0) == expected


def test_a_sub_task_beyond_the_events_is_not_asked_about() -> None:
    one_event = episode(done=(1, 6), events=(6,))
    assert outcome("expert_on_time", evidence(one_event), window=0, at_least=1.0) == [("door", 1.0, True)]


@pytest.mark.parametrize(
    ("done", "events", "share"),
    [
        ((3, 6), (3, 6), 1.0),
        ((4, 6), (3, 6), 1.0),  # within the window
        ((5, 6), (3, 6), 0.5),
        ((1, 6), (3, 6), 0.5),  # both are matched; one is done elsewhere
        ((3, 6), (3, 5, 6), 2 / 3),  # one step more than there are sub-tasks
        ((1, 6), (6,), 1.0),  # a sub-task more than there are events
    ],
)
def test_events_told(done: tuple[int, int], events: tuple[int, ...], share: float) -> None:
    found = evidence(episode(done=done, events=events))
    (row,) = rows("events_told", found, window=1, at_least=0.0)
    assert (row.count, row.measured, row.threshold, row.passed) == (len(events), share, "reported", True)
    assert outcome("events_told", found, window=1, at_least=0.9) == [(None, share, share == 1)]


def test_a_missed_step_is_a_share_of_all_experts_events() -> None:
    two, three = episode(), episode(events=(2, 4, 6))
    incomplete = episode(done=(3, None))  # another check's business
    found = evidence(two, three, incomplete, crashed(), episode("random"))
    assert outcome("events_told", found, window=0, at_least=0.0) == [(None, 3 / 5, True)]
    assert outcome("events_told", replace(found, early_frames=1), window=0, at_least=0.0) == [
        (None, 4 / 5, True)
    ]
    assert rows("events_told", evidence(incomplete, crashed())) == []


def test_events_are_told_within_the_window_of_on_time() -> None:
    assert settings("checks.expert_on_time.window=3").checks.events_told.window == 3


@pytest.mark.parametrize(
    ("done", "events", "expected"),
    [
        ((3, 6), (3, 6), [0, 0]),
        ((4, 6), (3, 6), [1, 0]),
        ((2, 6), (3, 4, 6), [-1, 0]),
        ((5, 6), (1, 5, 6), [0, 0]),
        ((1, 3), (3,), [None, 0]),
        ((None, None), (3, 6), [None, None]),
        ((2, None), (3, 6), [-1, None]),
    ],
)
def test_sub_tasks_and_events_are_matched_in_order(
    done: tuple[int | None, int | None], events: tuple[int, ...], expected: list[int | None]
) -> None:
    assert offsets(episode(done=done, events=events)) == expected


def test_stays_done() -> None:
    gone = episode()
    assert gone.progress is not None
    gone.progress[5, 0] = 0
    assert outcome("stays_done", evidence(episode(), gone), at_least=1.0) == [
        ("key", 0.5, False),
        ("door", 1.0, True),
    ]
    assert outcome("stays_done", evidence(gone), at_least=0.0)[0][2]
    never = episode(done=(None, None))
    assert rows("stays_done", evidence(never)) == []


@pytest.mark.parametrize(
    ("complete", "total", "passes"),
    [(0, 24, False), (0, 25, True), (1, 30, False), (1, 50, True), (2, 58, True)],
)
def test_random_completes_is_asked_of_the_wilson_bound(complete: int, total: int, passes: bool) -> None:
    """z^2 / (n + z^2) for none of n, with z = 1.645: 25 are the fewest that stay below 0.1."""
    ends = [episode("random", (3, 6))] * complete + [episode("random", (3, None))] * (total - complete)
    (row,) = rows("random_completes", evidence(*ends), at_most=0.1)
    assert row.measured == complete / total
    assert row.passed == passes
    if not complete:
        assert f"95 % bound {1.645**2 / (total + 1.645**2):.3g} <= 0.1" == row.threshold


def test_random_play_that_succeeds_may_complete() -> None:
    lucky = [episode("random", (3, 6), success=True)] * 30
    assert outcome("random_completes", evidence(*lucky), at_most=0.1) == [(None, 0.0, True)]


def test_truncated_and_near_misses_do_not_complete() -> None:
    for kind, name in (("truncated", "truncated_completes"), ("near_miss", "near_miss_completes")):
        found = evidence(episode(), episode(kind, (3, 5), 5), episode(kind, (3, None), 5))
        assert outcome(name, found, at_most=0.0) == [(None, 0.5, False)]
        assert outcome(name, found, at_most=0.5) == [(None, 0.5, True)]
    success = episode("near_miss", (3, 6), success=True)
    assert rows("near_miss_completes", evidence(episode(), success)) == []


def test_the_end_that_cannot_be_told_is_left_out() -> None:
    found = evidence(episode(), episode("truncated", (3, 5), 5), early_frames=2)
    assert rows("truncated_completes", found, at_most=0.0) == []


def test_foreign_completes() -> None:
    found = evidence(episode(), episode("foreign", (3, 6), success=False), episode("foreign", (3, None)))
    assert outcome("foreign_completes", found, at_most=0.4) == [(None, 0.5, False)]
    assert [row.threshold for row in rows("foreign_completes", found, at_most=1.0)] == ["reported"]


def test_near_miss_does() -> None:
    """Where the key was not taken it must not be done; what happens at other events is their own."""
    without_key = episode("near_miss", (3, None), success=False, missing=0)
    without_door = episode("near_miss", (3, None), success=False, missing=1)
    found = evidence(episode(), without_key, without_door)
    assert outcome("near_miss_does", found, at_most=0.0) == [("key", 1.0, False), ("door", 0.0, True)]
    taken_later = episode("near_miss", (6, None), success=False, missing=0)
    assert outcome("near_miss_does", evidence(episode(), taken_later), at_most=0.0)[0] == ("key", 0.0, True)
    elsewhere = evidence(episode(done=(2, 6)), without_key)  # its key is something before the event
    assert [subtask for subtask, *_ in outcome("near_miss_does", elsewhere)] == []


def test_exploits_pay_less() -> None:
    found = evidence(
        episode(returned=2.0), episode("hold", returned=1.9, success=False), episode("hold", returned=1.0),
        episode("spin", (None, None)), episode("idle", returned=9.0, success=True),
    )  # fmt: skip
    assert outcome("exploits_pay_less", found, at_most=0.9) == [(None, 0.95, False), (None, 0.0, True)]
    assert outcome("exploits_pay_less", found, at_most=0.96)[0] == (None, 0.95, True)
    worthless = evidence(episode(returned=0.0), episode("spin", returned=0.1))
    assert outcome("exploits_pay_less", worthless, at_most=0.9) == [(None, 1.0, False)]


def test_successes_outscore() -> None:
    good = [episode(returned=1.0)] * 10 + [episode("random", returned=0.5)] * 10
    assert outcome("successes_outscore", evidence(*good), at_least=0.9) == [(None, 1.0, True)]
    equal = [episode(returned=1.0)] * 10 + [episode("random", returned=1.0)] * 10
    assert outcome("successes_outscore", evidence(*equal), at_least=0.5) == [(None, 0.5, True)]
    reversed_ = [episode(returned=0.0)] * 10 + [episode("random", returned=1.0)] * 10
    assert outcome("successes_outscore", evidence(*reversed_), at_least=0.9) == [(None, 0.0, False)]
    mixed = [episode(returned=1.0)] * 10 + [episode("random", returned=2.0 * (n < 2)) for n in range(10)]
    (row,) = rows("successes_outscore", evidence(*mixed), at_least=0.7)
    assert row.measured < 0.8  # the area is 0.8; asked is the lower end of its interval
    assert rows("successes_outscore", evidence(episode())) == []


def test_same_answers_and_fast_enough() -> None:
    found = evidence(episode(), replayed=np.array([True, False]), milliseconds=21.0)
    assert outcome("same_answers", found) == [(None, 0.5, False)]
    assert outcome("fast_enough", found, milliseconds=20.0) == [(None, 21.0, False)]
    assert outcome("fast_enough", found, milliseconds=22.0) == [(None, 21.0, True)]


def test_sets_agree() -> None:
    shown = evidence(*[episode()] * 10)
    decides = evidence(*[episode()] * 8, *[episode(done=(3, None))] * 2, which="held_out", earlier=shown)
    assert outcome("sets_agree", decides, at_most=0.1) == [("key", 0.0, True), ("door", 0.2, False)]
    assert rows("sets_agree", shown) == []


def test_robust() -> None:
    found = evidence(episode(), distorted={"noise": np.ones(4, np.bool_), "jpeg": np.array([True, False])})
    assert outcome("robust", found, at_least=0.9) == [(None, 1.0, True), (None, 0.5, False)]
    assert [row.threshold for row in rows("robust", found, at_least=0.0)] == ["reported", "reported"]


@pytest.mark.parametrize("name", [check.name for check in fields(Checks)])
def test_every_check_can_be_turned_off(name: str) -> None:
    """And gives its rows where it is on: names of rows begin with the check's, `does` aside."""
    found = evidence(
        episode(), episode("random", (3, 6)), episode("truncated", (3, None), 5),
        episode("near_miss", (3, None), missing=0), episode("hold"), episode("foreign"),
        distorted={"noise": np.ones(2, np.bool_)},
        which="held_out", earlier=evidence(episode()),
    )  # fmt: skip
    on, off = (settings(f"checks.{name}.enabled={value}").checks.rows(found) for value in ("true", "false"))
    gone = [row for row in on if row not in off]
    assert gone
    assert {row.name for row in gone} <= {name, "expert_does", "random_does"}


def test_done_in_order_is_the_rule_that_pays() -> None:
    progress = np.array([[1, 1], [0, 1], [1, 0], [0, 0], [0, 1]], np.float32)
    assert done_in_order(progress).tolist() == [[False, False]] * 2 + [
        [True, False],
        [False, False],
        [False, True],
    ]
