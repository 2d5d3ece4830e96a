"""Policies that look at pixels: the networks, their learning rate, and something to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.env.test_procgen import make
from tests.training.test_train import ALGORITHMS, PER_ALGORITHM, SETTINGS, run
from vlmcar.config import component
from vlmcar.training.cnn import NETWORKS, SmallCNN
from vlmcar.training.evaluate import Evaluator
from vlmcar.training.rollout import policy_trajectories

Compose = Callable[..., DictConfig]
SMALL = ["algorithm.num_envs=4", "algorithm.hidden=[16]", "algorithm.cnn_features=32"]


@pytest.fixture
def algorithm(config: Compose, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(ROOT)
    return lambda name, *overrides: component(
        "algorithm", config(f"algorithm={name}", *SMALL, *PER_ALGORITHM[name], *overrides).algorithm
    )


@pytest.mark.parametrize("name", ["small", "impala"])
def test_a_network_leaves_so_many_features(name: str) -> None:
    """The number of parameters is counted by hand, from kernel sizes and channels."""
    network = NETWORKS[name](
        spaces.Box(0, 255, (3, 64, 64), np.uint8), features=256 if name == "impala" else 128
    )
    assert network(torch.zeros(5, 3, 64, 64)).shape == (5, network.features_dim)
    small = (3 * 64 + 1) * 16 + (16 * 16 + 1) * 32 + (32 * 3 * 3 + 1) * 128
    conv = lambda a, b: (9 * a + 1) * b  # noqa: E731
    impala = conv(3, 16) + 4 * conv(16, 16) + conv(16, 32) + 4 * conv(32, 32) + 5 * conv(32, 32)
    impala += (32 * 8 * 8 + 1) * 256
    assert sum(p.numel() for p in network.parameters()) == {"small": small, "impala": impala}[name]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_trains_on_pixels(algorithm: Callable[..., Any], tmp_path: Path, name: str) -> None:
    task = make("maze", tmp_path, num_levels=2, max_steps=40)
    small = algorithm(name, "algorithm.cnn_learning_rate=0.002")
    settings = replace(SETTINGS, steps=512, eval_every=256)
    rows, trained = run(task, small, tmp_path, settings=settings)
    assert (
        type(
            trained.model.policy.features_extractor
            if name != "dqn"
            else trained.model.q_net.features_extractor
        )
        is SmallCNN
    )
    assert trained.model.learning_rate == 0.002
    assert all(0 <= row["train_success_rate"] <= 1 for row in rows.eval)
    assert trained.final.training is not None
    assert trained.final.training.episodes == 5
    again, _ = run(task, small, tmp_path, settings=settings)
    np.testing.assert_equal(again.train, rows.train)
    np.testing.assert_equal(again.eval, rows.eval)
    (episode,) = policy_trajectories(task, trained.model, [30_000], samples_actions=True)
    assert episode.seed == task.level(30_000)
    assert len(episode.frames) == len(episode.actions) + 1


def test_training_levels_are_played_in_turn(tmp_path: Path) -> None:
    task = make("maze", tmp_path, num_levels=2)
    firsts = [task.expert(seed).frames[0] for seed in (0, 1)]

    class Watching:
        """Walks into a wall, and notes which levels it is shown first."""

        seen: np.ndarray | None = None

        def predict(self, observations: np.ndarray, deterministic: bool) -> tuple[np.ndarray, None]:
            self.seen = observations.copy() if self.seen is None else self.seen
            return np.full(len(observations), 2), None

    model = Watching()
    trained = Evaluator(task, 30_000, samples_actions=False).on_training_levels(model, 5)
    assert trained is not None
    assert (trained.episodes, trained.success_rate, trained.length) == (5, 0.0, 100.0)
    for shown, level in zip(model.seen, (0, 1, 0, 1, 0), strict=True):
        np.testing.assert_array_equal(shown, firsts[level])


def test_ppo_learns_two_small_mazes_from_pixels(algorithm: Callable[..., Any], tmp_path: Path) -> None:
    task = make("maze", tmp_path, num_levels=2, max_steps=30, expert_steps=[4, 7])
    whole = ["algorithm.num_envs=16", "algorithm.hidden=[64,64]", "algorithm.cnn_features=256"]
    ppo = algorithm("ppo", *whole, "algorithm.n_steps=64", "algorithm.batch_size=128")
    settings = replace(SETTINGS, steps=16_384, record_every=2048, eval_every=8192, final_eval_episodes=20)
    _, trained = run(task, ppo, tmp_path, settings=settings)
    assert trained.final.training is not None
    assert trained.final.training.success_rate >= 0.9
