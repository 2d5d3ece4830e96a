"""The frames of a vector environment: above all, the last one of an episode."""

from __future__ import annotations

import numpy as np
import pytest

from vlmcar.env.minigrid import MiniGrid


def play(task: MiniGrid, seed: int, auto_reset: bool = True):
    """Walk the expert's plan in environment 0, and let environment 1 turn on the spot."""
    expert = task.expert(seed)
    venv = task.make_vec(2, [seed, seed + 1], frames=True, auto_reset=auto_reset)
    venv.reset()
    for step, action in enumerate(expert.actions, start=1):
        _, rewards, dones, infos = venv.step(np.array([action, 0]))
        np.testing.assert_array_equal(venv.frames[0], expert.frames[step])
        np.testing.assert_array_equal(venv.initial[0], expert.frames[0])
    return venv, expert, rewards, dones, infos


def test_the_judge_sees_the_true_last_frame_although_the_environment_was_reset(doorkey: MiniGrid) -> None:
    venv, expert, _rewards, dones, infos = play(doorkey, seed=7)
    assert dones.tolist() == [True, False]
    np.testing.assert_array_equal(venv.frames[0], expert.frames[-1])
    assert (venv.reset_frames[0] != expert.frames[-1]).any()
    assert infos[0]["is_success"]
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[0]["episode"] == {"r": pytest.approx(expert.rewards[-1]), "l": len(expert.actions)}
    new_first_frame = venv.reset_frames[0].copy()
    venv.step(np.array([0, 0]))
    np.testing.assert_array_equal(venv.initial[0], new_first_frame)


def test_without_auto_reset_a_finished_environment_stays_idle(doorkey: MiniGrid) -> None:
    venv, expert, *_ = play(doorkey, seed=7, auto_reset=False)
    assert venv.finished.tolist() == [True, False]
    _, rewards, dones, infos = venv.step(np.array([2, 0]))
    assert rewards[0] == 0
    assert not dones[0]
    assert infos[0] == {}
    np.testing.assert_array_equal(venv.frames[0], expert.frames[-1])
    venv.reset()
    assert not venv.finished.any()
    np.testing.assert_array_equal(venv.frames[0], expert.frames[0])


def test_the_time_limit_is_a_truncation_without_success(doorkey: MiniGrid) -> None:
    venv = doorkey.make_vec(1, [0], frames=False, auto_reset=True)
    venv.reset()
    for _ in range(250):
        _, _, dones, infos = venv.step(np.array([0]))
    assert dones[0]
    assert infos[0]["TimeLimit.truncated"] is True
    assert infos[0]["is_success"] is False
    assert infos[0]["episode"] == {"r": 0.0, "l": 250}


def test_same_seeds_give_the_same_episodes_again_after_reset(doorkey: MiniGrid) -> None:
    venv = doorkey.make_vec(3, [5, 6, 7], frames=True, auto_reset=True)
    first = venv.reset().copy()
    actions = np.random.default_rng(0).integers(0, 7, (300, 3))

    def rollout() -> list[np.ndarray]:
        return [venv.step(row)[0].copy() for row in actions]

    once = rollout()
    np.testing.assert_array_equal(venv.reset(), first)
    for one, two in zip(once, rollout(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_ground_truth_is_that_of_the_frames_shown_and_only_where_asked_for(doorkey: MiniGrid) -> None:
    expert = doorkey.expert(7)
    truth = doorkey.truth(expert)
    venv = doorkey.make_vec(2, [7, 8], frames=True, auto_reset=True, truth=True)
    venv.reset()
    assert {name: bool(so[0]) for name, so in venv.truth.items()} == {
        n: bool(so[0]) for n, so in truth.items()
    }
    for step, action in enumerate(expert.actions, start=1):
        venv.step(np.array([action, 0]))
        for name, so in truth.items():
            assert venv.truth[name][0] == so[step], (name, step)
    assert venv.truth["on_goal"].tolist() == [True, False]
    assert not venv.reset_truth["on_goal"].any()
    venv.step(np.array([0, 0]))
    assert not venv.truth["on_goal"].any()
    without = doorkey.make_vec(1, [7], frames=True, auto_reset=True)
    without.reset()
    assert not hasattr(without, "truth")
