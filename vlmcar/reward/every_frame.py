"""``reward=every_frame``: what is done pays again and again. Can be farmed; there for comparison, and to be caught."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import ConfigError


@dataclass
class EveryFrame:
    """Each sub-task pays its weight on every frame on which it is done, whatever came before.

    Whoever holds the key and waits collects more than whoever opens the door and ends the episode: published code
    pays this way. Verification's ``exploits_pay_less`` rejects a program that would be paid by it.
    """

    weights: list[float] | None
    """One per sub-task; ``None``: 1 / num_subtasks each."""

    needs_all_progress = True
    needs_initial_progress = False

    def __post_init__(self) -> None:
        if self.weights is not None and (not self.weights or min(self.weights) < 0 or not any(self.weights)):
            raise ConfigError(
                f"reward.weights={self.weights} must be one number >= 0 per sub-task, not all 0, or null"
            )

    def start(self, num_envs: int, num_subtasks: int) -> PaidAgain:  # noqa: ARG002
        """The reward of ``num_envs`` parallel episodes.

        Raises:
            ConfigError: the number of weights is not the number of sub-tasks.
        """
        weights = self.weights or [1.0 / num_subtasks] * num_subtasks
        if len(weights) != num_subtasks:
            raise ConfigError(
                f"reward.weights has {len(weights)} numbers for {num_subtasks} sub-tasks: give one for each, in their "
                "order, or null"
            )
        return PaidAgain(np.asarray(weights, dtype=np.float32))


class PaidAgain:
    """Pays the weights of the sub-tasks that are done on a frame."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self.weights = weights

    def reset(self, which: NDArray[np.bool_], progress: NDArray[np.float32] | None) -> None:
        """Nothing is remembered."""

    def step(
        self,
        progress: NDArray[np.float32],
        newly_done: NDArray[np.bool_],  # noqa: ARG002
        terminated: NDArray[np.bool_],  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Rewards of one step: float32 (num_envs,)."""
        return ((progress >= 1.0) * self.weights).sum(axis=1, dtype=np.float32)
