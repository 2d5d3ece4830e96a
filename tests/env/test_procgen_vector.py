"""Procgen in Stable-Baselines3's vector interface: episodes, levels, and the frames that a judge must see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.env.test_procgen import make
from vlmcar.env.procgen import Procgen
from vlmcar.env.procgen_games import GAMES


@pytest.fixture(params=sorted(GAMES))
def task(request: pytest.FixtureRequest, folder: Path) -> Procgen:
    return make(request.param, folder, num_levels=4)


def play(task: Procgen, seed: int, auto_reset: bool):
    """Walk the expert's plan in copy 0, and let copy 1 stand still."""
    expert = task.expert(seed)
    stay = list(GAMES[task.name].actions).index(4)
    venv = task.make_vec(2, [seed, seed + 1], frames=True, auto_reset=auto_reset)
    observations = venv.reset()
    if auto_reset:  # put the first episode on the expert's level
        venv._starts[0] = task.simulator.level(expert.seed)
        venv._simulator.restore(0, venv._starts[0])
        venv._observations = observations = venv._simulator.observe()[0]
        venv.initial[0] = venv.reset_frames[0] = venv.frames[0] = observations[0]
    np.testing.assert_array_equal(observations[0], expert.frames[0])
    for step, action in enumerate(expert.actions, start=1):
        observations, rewards, dones, infos = venv.step(np.array([action, stay]))
        np.testing.assert_array_equal(venv.frames[0], expert.frames[step])
        np.testing.assert_array_equal(venv.initial[0], expert.frames[0])
        if not dones[0]:
            np.testing.assert_array_equal(observations[0], venv.frames[0])
    return venv, expert, rewards, dones, infos


def test_the_judge_sees_the_completed_level_although_the_library_shows_the_next(task: Procgen) -> None:
    venv, expert, rewards, dones, infos = play(task, 2, auto_reset=True)
    assert dones[0]
    assert rewards[0] == pytest.approx(expert.rewards[-1])
    np.testing.assert_array_equal(venv.frames[0], expert.frames[-1])
    assert (venv.reset_frames[0] != expert.frames[-1]).mean() > 0.01
    assert infos[0]["is_success"]
    assert infos[0]["TimeLimit.truncated"] is False
    assert infos[0]["episode"] == {"r": pytest.approx(expert.rewards.sum()), "l": len(expert.actions)}
    first = venv.reset_frames[0].copy()
    venv.step(np.array([2, 2]))
    np.testing.assert_array_equal(venv.initial[0], first)
    venv.close()


def test_without_auto_reset_a_finished_copy_stays_idle(task: Procgen) -> None:
    venv, expert, *_ = play(task, 2, auto_reset=False)
    assert venv.finished[0]
    _, rewards, dones, infos = venv.step(np.array([1, 2]))
    assert rewards[0] == 0
    assert not dones[0]
    assert infos[0] == {}
    np.testing.assert_array_equal(venv.frames[0], expert.frames[-1])
    venv.reset()
    assert not venv.finished.any()
    np.testing.assert_array_equal(venv.frames[0], expert.frames[0])
    venv.close()


def test_the_time_limit_truncates_on_the_true_last_frame(folder: Path) -> None:
    task = make("heist", folder)
    task.level(0)
    task.max_steps = 50  # only now, so that no plan has to be searched for again
    venv = task.make_vec(1, [0], frames=True, auto_reset=True)
    venv.reset()
    start, actions = venv._starts[0], np.random.default_rng(0).integers(0, 5, 50)
    for action in actions:
        _, _, dones, infos = venv.step(np.array([action]))
    assert dones[0]
    assert infos[0]["TimeLimit.truncated"] is True
    assert infos[0]["is_success"] is False
    assert infos[0]["episode"] == {"r": 0.0, "l": 50}
    task.simulator.restore(0, start)
    for action in actions:
        task.simulator.act(np.array([action]))
    np.testing.assert_array_equal(venv.frames[0], task.simulator.frame())
    np.testing.assert_array_equal(infos[0]["terminal_observation"], task.simulator.frame())
    venv.close()


def test_a_killed_agent_ends_on_the_last_frame_alive_without_truncation(folder: Path) -> None:
    task = make("leaper", folder, num_levels=4)
    venv = task.make_vec(8, range(8), frames=True, auto_reset=True)
    before = venv.reset().copy()
    rng, deaths = np.random.default_rng(1), 0
    for _ in range(150):
        observations, _, dones, infos = venv.step(rng.integers(0, 5, 8))
        for i in np.flatnonzero(dones):
            if not infos[i]["is_success"] and not infos[i]["TimeLimit.truncated"]:
                np.testing.assert_array_equal(venv.frames[i], before[i])
                deaths += 1
        before = observations.copy()
    assert deaths > 3
    venv.close()


def test_death_on_the_last_step_is_no_time_limit(folder: Path) -> None:
    task = make("leaper", folder)
    killed = next(t for t in (task.random(seed, 80) for seed in range(8)) if len(t.actions) < 80)
    assert not killed.success
    venv = task.make_vec(1, [0], frames=True, auto_reset=False)
    venv.reset()
    venv._starts[0] = task.simulator.level(killed.seed)
    venv._simulator.restore(0, venv._starts[0])
    task.max_steps = len(killed.actions)
    for action in killed.actions:
        _, _, dones, infos = venv.step(np.array([action]))
    assert dones[0]
    assert infos[0]["TimeLimit.truncated"] is False
    venv.close()


def test_training_draws_the_training_levels_and_no_others(task: Procgen) -> None:
    venv = task.make_vec(4, [10, 11, 12, 13], frames=False, auto_reset=True)
    firsts = {task.replay(task.level(seed), [], "start").frames[0].tobytes() for seed in range(4)}
    seen: set[bytes] = set()
    for observation in venv.reset():
        seen.add(observation.tobytes())
    rng = np.random.default_rng(0)
    for _ in range(2 * task.max_steps + 1):
        observations, _, dones, _ = venv.step(rng.integers(0, 5, 4))
        seen |= {observations[i].tobytes() for i in np.flatnonzero(dones)}
    assert seen == firsts
    assert task.training_seeds == range(4)
    venv.close()


def test_evaluation_plays_the_levels_of_its_seeds(task: Procgen) -> None:
    venv = task.make_vec(3, [30_000, 30_001, 30_000], frames=False, auto_reset=False)
    observations = venv.reset()
    for i, seed in enumerate((30_000, 30_001, 30_000)):
        np.testing.assert_array_equal(observations[i], task.replay(task.level(seed), [], "start").frames[0])
    venv.close()


def test_same_seeds_give_the_same_episodes_again_after_reset(task: Procgen) -> None:
    venv = task.make_vec(3, [5, 6, 7], frames=True, auto_reset=True)
    actions = np.random.default_rng(0).integers(0, 5, (250, 3))

    def rollout() -> list[np.ndarray]:
        return [venv.reset().copy(), *(venv.step(row)[0].copy() for row in actions)]

    for one, two in zip(rollout(), rollout(), strict=True):
        np.testing.assert_array_equal(one, two)
    venv.close()


def test_frames_cost_no_other_episodes(task: Procgen) -> None:
    """With and without pictures of completed levels, observations and rewards are the same."""
    actions = np.random.default_rng(3).integers(0, 5, (300, 4))
    runs = []
    for frames in (True, False):
        venv = task.make_vec(4, range(4), frames=frames, auto_reset=True)
        venv.reset()
        runs.append([venv.step(row)[:3] for row in actions])
        venv.close()
    for with_frames, without in zip(*runs, strict=True):
        for one, two in zip(with_frames, without, strict=True):
            np.testing.assert_array_equal(one, two)


def test_ground_truth_is_that_of_the_frames_shown_also_across_episodes(task: Procgen) -> None:
    """Against the replay that `stage=agreement` trusts: an expert's episode, then two of random play."""
    task = replace(task, max_steps=80) if task.name in ("heist", "miner") else task
    generator, levels = np.random.default_rng(5), task.training_seeds
    seeds = [int(generator.integers(levels.start, levels.stop)) for _ in range(3)]
    expert = task.expert(seeds[0])
    actions = np.random.default_rng(0).integers(len(GAMES[task.name].actions), size=2 * task.max_steps)
    venv = task.make_vec(1, [5], frames=True, auto_reset=True, truth=True)
    venv.reset()
    assert task.level_to_play(seeds[0]) == expert.seed
    remaining = iter([*expert.actions, *actions])
    for seed in seeds:
        taken, told, done = [], [{name: bool(so[0]) for name, so in venv.reset_truth.items()}], False
        while not done:
            taken.append(int(next(remaining)))
            done = bool(venv.step(np.array(taken[-1:]))[2][0])
            told.append({name: bool(so[0]) for name, so in venv.truth.items()})
        trajectory = task.replay(task.level_to_play(seed), taken, "policy")
        assert len(trajectory.actions) == len(taken)
        truth = task.truth(trajectory)
        assert told == [{name: bool(so[step]) for name, so in truth.items()} for step in range(len(told))]
    venv.close()
    without = task.make_vec(1, [5], frames=True, auto_reset=True)
    without.reset()
    assert not hasattr(without, "truth")
    without.close()
