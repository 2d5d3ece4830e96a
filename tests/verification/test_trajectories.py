"""The episodes that programs are verified on are what they are called; checked against ground truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from omegaconf import DictConfig

from vlmcar.config import build
from vlmcar.env.minigrid import MiniGrid
from vlmcar.types import Trajectory
from vlmcar.verification.distortions import distortions
from vlmcar.verification.trajectories import EXPLOITS, Counts, Kept, Seeds, events_of, keep, make_set

SEEDS = Seeds.from_levels(range(500, 506), experts=4)
COUNTS = Counts(random_steps=20, negatives=3, exploit_steps=12)
IDLE, PICK_UP, DROP, TOGGLE = 6, 3, 4, 5


@pytest.fixture(scope="module")
def made(doorkey: MiniGrid) -> list[Kept]:
    return make_set(doorkey, SEEDS, COUNTS).episodes


def of(made: list[Kept], kind: str) -> list[Kept]:
    return [kept for kept in made if kept.kind == kind]


def truth(task: MiniGrid, kept: Kept) -> dict[str, np.ndarray]:
    return dict(task.truth(kept.trajectory))


def test_a_set_has_every_kind(made: list[Kept]) -> None:
    counts = {kind: len(of(made, kind)) for kind in dict.fromkeys(kept.kind for kept in made)}
    # Three events each: the key is taken, the door is opened, the goal is reached.
    assert counts == {
        "expert": 4, "random": 2, "truncated": 9, "near_miss": 9, "idle": 3, "spin": 3, "oscillate": 3, "hold": 6,
        "foreign": 3,
    }  # fmt: skip
    assert [kept.seed for kept in made[:6]] == [500, 501, 502, 503, 504, 505]
    assert set(EXPLOITS) < set(counts)


def test_frames_come_back_as_they_were(doorkey: MiniGrid, made: list[Kept]) -> None:
    expert = doorkey.expert(500)
    np.testing.assert_array_equal(made[0].frames(), expert.frames)
    np.testing.assert_array_equal(made[0].frame(2), expert.frames[2])
    np.testing.assert_array_equal(made[0].whole().frames, expert.frames)
    assert len(made[0]) == len(expert.frames)
    assert made[0].trajectory.frames.size == 0


def test_events_are_interactions_and_the_end(doorkey: MiniGrid, made: list[Kept]) -> None:
    for kept in of(made, "expert"):
        key, door, end = kept.events
        so = truth(doorkey, kept)
        assert so["holding_key"][key]
        assert not so["holding_key"][key - 1]
        assert so["locked_door_open"][door]
        assert not so["locked_door_open"][door - 1]
        assert so["on_goal"][end]
        assert end == len(kept) - 1


def test_truncated_episodes_end_before_an_event(doorkey: MiniGrid, made: list[Kept]) -> None:
    expert = of(made, "expert")[0]
    first, second, third = of(made, "truncated")[:3]
    assert [len(kept) for kept in (first, second, third)] == list(expert.events)
    assert not any(kept.success for kept in (first, second, third))
    np.testing.assert_array_equal(second.frames(), expert.frames()[: len(second)])
    assert not truth(doorkey, first)["holding_key"].any()
    assert truth(doorkey, second)["holding_key"][-1]
    assert not truth(doorkey, second)["locked_door_open"].any()


def test_foreign_episodes_begin_on_another_level(made: list[Kept]) -> None:
    first, second, third = of(made, "expert")[:3]
    for kept, (initial, frames) in zip(
        of(made, "foreign"), ((first, second), (second, third), (third, first)), strict=True
    ):
        np.testing.assert_array_equal(kept.frame(0), initial.frame(0))
        np.testing.assert_array_equal(kept.frames()[1:], frames.frames()[1:])
        assert not kept.success


def test_near_misses_go_without_one_event(doorkey: MiniGrid, made: list[Kept]) -> None:
    instead = set()
    for kept in of(made, "near_miss"):
        expert = next(e for e in of(made, "expert") if e.seed == kept.seed)
        event = expert.events[kept.missing or 0]
        right, wrong = (list(k.trajectory.actions) for k in (expert, kept))
        assert wrong[event - 1] != right[event - 1]
        assert wrong[: event - 1] == right[: event - 1]
        assert not kept.success
        so = truth(doorkey, kept)
        name = ("holding_key", "locked_door_open", "on_goal")[kept.missing or 0]
        assert not so[name][event]
        instead.add((kept.missing, int(wrong[event - 1])))
    assert instead == {(0, IDLE), (0, DROP), (0, TOGGLE), (1, IDLE), (1, PICK_UP), (1, DROP), (2, IDLE)}


def test_exploits_are_what_they_are_called(doorkey: MiniGrid, made: list[Kept]) -> None:
    idle, spin, oscillate = (of(made, kind)[0] for kind in ("idle", "spin", "oscillate"))
    assert (idle.frames() == idle.frame(0)).all()
    assert len(idle) == 13
    np.testing.assert_array_equal(spin.frame(0), spin.frame(4))  # four turns to the left
    assert (spin.frame(0) != spin.frame(1)).any()
    np.testing.assert_array_equal(oscillate.frame(0), oscillate.frame(2))
    with_key, with_door = of(made, "hold")[:2]
    assert truth(doorkey, with_key)["holding_key"][-12:].all()
    assert not truth(doorkey, with_key)["locked_door_open"].any()
    assert truth(doorkey, with_door)["locked_door_open"][-12:].all()
    assert not any(kept.success for kept in made if kept.kind in EXPLOITS)


def test_procgen_has_no_interactions(config: Callable[..., DictConfig], tmp_path) -> None:
    task = build(config("env=procgen/maze", f"results={tmp_path}")).env
    expert = task.expert(3)
    assert events_of(task, expert) == [len(expert.frames) - 1]
    moves = task.moves
    idle = task.replay(expert.seed, [moves.idle] * 3, "idle")
    assert (idle.frames == idle.frames[0]).all()
    back, forth = moves.back_and_forth
    assert {back, forth, moves.idle} <= set(range(5))
    assert len({back, forth, moves.idle}) == 3


def test_distortions_show_the_same_moment(doorkey: MiniGrid, made: list[Kept]) -> None:
    expert, clean = made[0], made[0].frame(3)
    kinds = distortions(doorkey)
    assert set(kinds) == {"noise", "jpeg", "tile_size_24", "tile_size_16"}
    noisy = kinds["noise"](expert, 3)
    assert 0 < np.abs(noisy.astype(int) - clean).max() <= 2
    np.testing.assert_array_equal(noisy, kinds["noise"](expert, 3))
    lossy = kinds["jpeg"](expert, 3)
    assert lossy.shape == clean.shape
    assert 0 < np.abs(lossy.astype(int) - clean).mean() < 8
    smaller = kinds["tile_size_16"](expert, 3)
    assert smaller.shape == (80, 80, 3)
    again = MiniGrid("x", doorkey.env_id, 16, 0, 1000, {}).replay(500, expert.trajectory.actions, "expert")
    np.testing.assert_array_equal(smaller, again.frames[3])


def test_keeping_needs_little_memory(doorkey: MiniGrid) -> None:
    random: Trajectory = doorkey.random(3, 100)
    kept = keep(random)
    assert sum(map(len, kept.blobs)) < random.frames.nbytes / 20
