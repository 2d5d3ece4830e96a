"""Programs that experts and random play do not tell from right ones, and what does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlmcar.env.minigrid import MiniGrid
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.every_frame import EveryFrame
from vlmcar.reward.potential import Potential
from vlmcar.types import Program, SubTask

from .helpers import changed, failed, verify


@pytest.fixture(scope="module")
def unlock_pickup() -> MiniGrid:
    return MiniGrid("unlock_pickup", "MiniGrid-UnlockPickup-v0", 32, 0, 1000, {})


def test_spin_and_hold_is_caught_where_it_pays(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    """The published DoorKey reward pays on every frame on which the key is gone: a right program, a farmable reward."""
    few = ["exploit_steps=90", "negatives=2"]
    verdict = verify(doorkey, doorkey_program, sandbox, *few, reward=EveryFrame(None))
    assert not verdict.accepted
    assert failed(verdict) == {("exploits_pay_less", None), ("successes_outscore", None)}
    holds = [c for c in verdict.checks if c.name == "exploits_pay_less" and c.trajectories.endswith("/hold")]
    assert holds[0].measured > 3  # times what an expert is paid
    assert "Only doing the first part and then waiting was paid" in verdict.feedback
    assert "Expected far less" in verdict.feedback


@pytest.mark.parametrize("reward", [None, Potential(0.99, False)], ids=["bonus", "potential"])
def test_the_rewards_of_this_suite_cannot_be_farmed(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox, reward: object
) -> None:
    assert verify(doorkey, doorkey_program, sandbox, reward=reward).accepted


def test_key_gone_is_not_key_taken(doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox) -> None:
    """Says that the key is picked up as soon as the agent stands beside it: random play and experts agree."""
    beside = changed(
        doorkey_program,
        "    return not cells.any()",
        "    first = _yellow(initial) > 0.03\n    first[_door(initial)] = False\n"
        "    at, key = _agent(frame), np.unravel_index(first.argmax(), first.shape)\n"
        "    return bool(not cells.any() or max(abs(at[0] - key[0]), abs(at[1] - key[1])) <= 1)",
    )
    verdict = verify(doorkey, beside, sandbox)
    assert ("expert_on_time", "pick_up_key") in failed(verdict) or (
        "not_done_at_start",
        "pick_up_key",
    ) in failed(verdict)


def test_fires_late(doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox) -> None:
    """Right, but only once the agent has left the place where the key was by two cells."""
    late = changed(
        doorkey_program,
        "    return not cells.any()",
        "    first = _yellow(initial) > 0.03\n    first[_door(initial)] = False\n"
        "    at, key = _agent(frame), np.unravel_index(first.argmax(), first.shape)\n"
        "    return bool(not cells.any() and abs(at[0] - key[0]) + abs(at[1] - key[1]) > 2)",
    )
    verdict = verify(doorkey, late, sandbox)
    assert {name for name, _ in failed(verdict)} & {"expert_on_time", "expert_completes"}


def test_a_sub_task_that_is_undone(doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox) -> None:
    """Says that the door is open only while the agent stands in it."""
    flickers = changed(doorkey_program, "open_and_empty or _agent(frame)", "_agent(frame)")
    verdict = verify(
        doorkey, flickers, sandbox, "checks.stays_done.at_least=1", "checks.expert_on_time.at_least=0"
    )
    assert failed(verdict) >= {("stays_done", "open_door")}
    assert "Expected it to stay done" in verdict.feedback


def test_a_program_that_misses_a_step(doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox) -> None:
    """Nobody asks for the key: accepted all the same, and its verdict says so; rejected where a task gates it."""
    keyless = replace(doorkey_program, subtasks=doorkey_program.subtasks[1:])
    verdict = verify(doorkey, keyless, sandbox)
    assert verdict.accepted, verdict
    told = [(c.trajectories, c.count, c.measured) for c in verdict.checks if c.name == "events_told"]
    assert told == [
        ("feedback/expert", 12, pytest.approx(2 / 3)),
        ("held_out/expert", 15, pytest.approx(2 / 3)),
    ]
    gated = verify(doorkey, keyless, sandbox, "checks.events_told.at_least=0.9")
    assert failed(gated) == {("events_told", None)}
    assert "that no sub-task is about. Expected a sub-task to be done within 1 frames" in gated.feedback
    assert len(gated.feedback_frames) == 3 * 3  # per example: frame 0, before the event, after it


SEEN_GONE = '''"""The door is open when its cell changed, the box is taken when fewer things are left."""
import numpy as np


def _cells(image):
    return image.reshape(image.shape[0] // 32, 32, image.shape[1] // 32, 32, 3).swapaxes(1, 2)


def take_the_box(initial, frame):
    """Something that lay to the right of the wall in the first picture is gone."""
    half = initial.shape[1] // 2 // 32 + 1
    before, now = _cells(initial)[:, half:], _cells(frame)[:, half:]
    things = (before.max(axis=(2, 3, 4)) > 100) & (before.min(axis=(2, 3, 4)) < 20)
    gone = now[:, :, 4:28, 4:28].max(axis=(2, 3, 4)) < 60
    return bool((things & gone)[1:-1, :-1].any())
'''


def test_a_box_that_was_destroyed_is_not_picked_up(unlock_pickup: MiniGrid, sandbox: Sandbox) -> None:
    """The grid shows no difference; near misses do, in which the agent does something else to the box."""
    program = Program((SubTask("take_the_box", "The box is picked up."),), SEEN_GONE)
    few = ["negatives=6", "feedback_experts=8", "checks.expert_on_time.at_least=0"]
    verdict = verify(unlock_pickup, program, sandbox, *few)
    assert failed(verdict) >= {("near_miss_completes", None)}
    rows = {c.name: c for c in verdict.checks if c.trajectories.startswith("feedback")}
    assert rows["expert_completes"].measured == 1.0
    assert rows["random_completes"].passed
    assert "one decisive action was left out, or replaced by another" in verdict.feedback
