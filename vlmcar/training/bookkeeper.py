"""Rows, evaluations and checkpoints, each when it is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from vlmcar import stopping
from vlmcar.training.diverged import refuse_diverged
from vlmcar.training.evaluate import Evaluations, Evaluator
from vlmcar.training.state import Checkpoint
from vlmcar.training.train import Recorder, Training


@dataclass
class _Episodes:
    """Episodes that ended since the last row."""

    infos: list[dict[str, Any]] = field(default_factory=list)
    """Of their last steps; what the reward adds to them may come late."""

    def row(self, steps: int) -> dict[str, float]:
        """Means over these episodes; empty cells (nan) where none ended."""

        def mean(values: Iterable[float]) -> float:
            listed = list(values)
            return float(np.mean(listed)) if listed else float("nan")

        return {
            "steps": steps,
            "episodes": len(self.infos),
            "success_rate": mean(float(info["is_success"]) for info in self.infos),
            "env_return": mean(info["episode"]["r"] for info in self.infos),
            "reward_return": mean(info["reward_return"] for info in self.infos),
            "subtasks_done": mean(info.get("subtasks_done", float("nan")) for info in self.infos),
            "length": mean(info["episode"]["l"] for info in self.infos),
        }


class Bookkeeper(BaseCallback):
    """Watches Stable-Baselines3 learn, and writes down what happens."""

    def __init__(self, settings: Training, evaluator: Evaluator, recorder: Recorder, rewarded: Any) -> None:
        super().__init__()
        self.rewarded = rewarded  # the vector environment
        self.settings = settings
        self.evaluator = evaluator
        self.recorder = recorder
        self.episodes = _Episodes()
        self.evaluation_seconds = 0.0
        self._last_success: float | None = None
        self._last: dict[str, int] = {}
        self._rows: list[tuple[int, _Episodes]] = []
        self.at_first_rollout: Callable[[], None] | None = None
        """Done once, after Stable-Baselines3 has prepared the rollout."""

    def _on_training_start(self) -> None:
        if not self._last:
            self._last = dict.fromkeys(("record", "eval", "checkpoint"), self.num_timesteps)
        if self.num_timesteps == 0:
            self.evaluate(self.settings.eval_episodes)

    def _on_rollout_end(self) -> None:
        """Write the rows that were due: now every reward is known."""
        self.rewarded.settle()
        for steps, episodes in self._rows:
            self.recorder.train_row(episodes.row(steps))
        self._rows.clear()

    def _on_rollout_start(self) -> None:
        if self.at_first_rollout:
            self.at_first_rollout()
            self.at_first_rollout = None
        # The last update is whole and the next rollout has not begun: nothing half-done is saved.
        due = self._due("checkpoint", self.settings.checkpoint_every)
        if self.num_timesteps and (due or stopping.asked()):
            self.keep()
        stopping.check()  # of whom nothing can be kept yet

    def keep(self) -> None:
        """A checkpoint, between two updates or after the last one; then leave, if somebody asked for it."""
        self.recorder.checkpoint(Checkpoint(self.model, self.rewarded, self))
        stopping.check()

    def state(self) -> dict[str, Any]:
        """What `set_state` needs, between two updates."""
        kept = ("is_success", "episode", "reward_return", "subtasks_done")
        infos = [{name: info[name] for name in kept if name in info} for info in self.episodes.infos]
        return {"last": dict(self._last), "last_success": self._last_success, "infos": infos}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Count on from there."""
        self._last, self._last_success = dict(state["last"]), state["last_success"]
        self.episodes = _Episodes(list(state["infos"]))

    def _on_step(self) -> bool:
        self.episodes.infos += [info for info in self.locals["infos"] if "episode" in info]
        if self._due("record", self.settings.record_every):
            self._rows.append((self.num_timesteps, self.episodes))
            self.episodes = _Episodes()
        last = self.num_timesteps >= self.settings.steps  # the final evaluation follows by itself
        if self._due("eval", self.settings.eval_every) and not last:
            self.evaluate(self.settings.eval_episodes)
        self.recorder.progress(self.num_timesteps, self._last_success)
        return True

    def evaluate(self, episodes: int) -> Evaluations:
        """Evaluate now, and write the row."""
        refuse_diverged(self.model)
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
