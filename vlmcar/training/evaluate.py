"""Evaluation on the environment's own success, over the same levels for every method and seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np

from vlmcar.training.rollout import choose
from vlmcar.types import Task


@dataclass(frozen=True)
class Evaluation:
    episodes: int
    success_rate: float
    """In [0, 1], by the environment's own success."""
    env_return: float
    """Mean undiscounted return of the environment's own reward."""
    length: float
    """Mean episode length in steps."""


class Evaluations(NamedTuple):
    """What was measured at one moment of training."""

    unseen: Evaluation
    """On levels that training does not draw from by choice."""
    training: Evaluation | None
    """On the levels that training draws from, where these are a limited set."""


class Evaluator:
    """Plays one episode on each of a fixed set of levels.

    Drawn actions come from a generator that is seeded anew for each evaluation and put back afterwards, so
    that evaluating changes nothing about training.

    Args:
        task: gives the environments.
        first_seed: of the first level; the next episodes play the next levels.
        samples_actions: draw actions from the policy, or take the best one.
    """

    def __init__(self, task: Task, first_seed: int, samples_actions: bool) -> None:
        self.task = task
        self.first_seed = first_seed
        self.samples_actions = samples_actions
        self._envs: dict[tuple[int, ...], Any] = {}

    def __call__(self, model: Any, episodes: int) -> Evaluation:
        """On levels that nothing else starts from."""
        return self._evaluate(model, range(self.first_seed, self.first_seed + episodes))

    def on_training_levels(self, model: Any, episodes: int) -> Evaluation | None:
        """On the levels that training draws from, in turn; ``None`` where these are all there are."""
        levels = self.task.training_seeds
        return self._evaluate(model, islice(cycle(levels), episodes)) if levels else None

    def _evaluate(self, model: Any, levels: Iterable[int]) -> Evaluation:
        import torch

        seeds = tuple(levels)
        episodes = len(seeds)
        if seeds not in self._envs:
            self._envs[seeds] = self.task.make_vec(episodes, seeds, frames=False, auto_reset=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.first_seed)
            ended = self._play(model, self._envs[seeds])
        return Evaluation(
            episodes=episodes,
            success_rate=float(np.mean([info["is_success"] for info in ended])),
            env_return=float(np.mean([info["episode"]["r"] for info in ended])),
            length=float(np.mean([info["episode"]["l"] for info in ended])),
        )

    def _play(self, model: Any, venv: Any) -> list[dict[str, Any]]:
        """One episode in each environment; the infos of their last steps, in the order of the levels."""
        ended: dict[int, dict[str, Any]] = {}
        observations = venv.reset()
        while len(ended) < venv.num_envs:
            actions = choose(model, venv, observations, self.samples_actions)
            observations, _, dones, infos = venv.step(actions)
            ended.update({int(i): infos[i] for i in np.flatnonzero(dones)})
        return [ended[i] for i in range(venv.num_envs)]

    def close(self) -> None:
        for venv in self._envs.values():
            venv.close()
        self._envs.clear()
