"""Rows, evaluations and checkpoints, each when it is due."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from vlmcar.training.evaluate import Evaluations, Evaluator
from vlmcar.training.train import Recorder, Training


@dataclass
class _Episodes:
    """Episodes that ended since the last row."""

    success: list[float] = field(default_factory=list)
    env_return: list[float] = field(default_factory=list)
    reward_return: list[float] = field(default_factory=list)
    subtasks_done: list[float] = field(default_factory=list)
    length: list[float] = field(default_factory=list)

    def add(self, info: dict[str, Any]) -> None:
        self.success.append(float(info["is_success"]))
        self.env_return.append(info["episode"]["r"])
        self.reward_return.append(info["reward_return"])
        self.subtasks_done.append(info.get("subtasks_done", float("nan")))
        self.length.append(info["episode"]["l"])

    def row(self, steps: int) -> dict[str, float]:
        """Means over these episodes; empty cells (nan) where none ended."""

        def mean(values: list[float]) -> float:
            return float(np.mean(values)) if values else float("nan")

        return {
            "steps": steps,
            "episodes": len(self.length),
            "success_rate": mean(self.success),
            "env_return": mean(self.env_return),
            "reward_return": mean(self.reward_return),
            "subtasks_done": mean(self.subtasks_done),
            "length": mean(self.length),
        }


class Bookkeeper(BaseCallback):
    """Watches Stable-Baselines3 learn, and writes down what happens."""

    def __init__(self, settings: Training, evaluator: Evaluator, recorder: Recorder) -> None:
        super().__init__()
        self.settings = settings
        self.evaluator = evaluator
        self.recorder = recorder
        self.episodes = _Episodes()
        self.evaluation_seconds = 0.0
        self._last_success: float | None = None
        self._last: dict[str, int] = {}

    def _on_training_start(self) -> None:
        self._last = dict.fromkeys(("record", "eval", "checkpoint"), self.num_timesteps)
        if self.num_timesteps == 0:
            self.evaluate(self.settings.eval_episodes)

    def _on_rollout_start(self) -> None:
        # The last update is whole and the next rollout has not begun: nothing half-done is saved.
        if self._due("checkpoint", self.settings.checkpoint_every):
            self.recorder.checkpoint(self.model)

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "reward_return" in info:
                self.episodes.add(info)
        if self._due("record", self.settings.record_every):
            self.recorder.train_row(self.episodes.row(self.num_timesteps))
            self.episodes = _Episodes()
        last = self.num_timesteps >= self.settings.steps  # the final evaluation follows by itself
        if self._due("eval", self.settings.eval_every) and not last:
            self.evaluate(self.settings.eval_episodes)
        self.recorder.progress(self.num_timesteps, self._last_success)
        return True

    def evaluate(self, episodes: int) -> Evaluations:
        """Evaluate now, and write the row."""
        started = time.perf_counter()
        result = self.evaluator(self.model, episodes)
        trained = self.evaluator.on_training_levels(self.model, episodes)
        self.evaluation_seconds += time.perf_counter() - started
        self._last_success = (trained or result).success_rate
        row = {
            "steps": self.model.num_timesteps,
            "episodes": result.episodes,
            "success_rate": result.success_rate,
            "env_return": result.env_return,
            "length": result.length,
        }
        if trained:
            row["train_success_rate"] = trained.success_rate
        self.recorder.eval_row(row)
        return Evaluations(result, trained)

    def _due(self, what: str, every: int) -> bool:
        """Whether a multiple of ``every`` has been passed since this was last due."""
        due = self.num_timesteps // every > self._last[what] // every
        if due:
            self._last[what] = self.num_timesteps
        return due
