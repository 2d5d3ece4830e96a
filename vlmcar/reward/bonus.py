"""``reward=bonus``: every sub-task pays once per episode, in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import ConfigError


@dataclass
class Bonus:
    """Sub-task k pays its weight the first time it is done with all earlier ones done.

    Standing still, holding on or undoing pays nothing, so nothing can be farmed.
    """

    weights: list[float] | None
    """One per sub-task; ``None``: 1 / num_subtasks each, so that an episode pays at most 1."""

    needs_all_progress = False
    needs_initial_progress = False

    def __post_init__(self) -> None:
        if self.weights is not None and (not self.weights or min(self.weights) < 0 or not any(self.weights)):
            raise ConfigError(
                f"reward.weights={self.weights} must be one number >= 0 per sub-task, not all 0, or null"
            )

    def start(self, num_envs: int, num_subtasks: int) -> PaidOnce:  # noqa: ARG002
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
        return PaidOnce(np.asarray(weights, dtype=np.float32))


class PaidOnce:
    """Pays the weights of the sub-tasks counted for the first time."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self.weights = weights

    def reset(self, which: NDArray[np.bool_], progress: NDArray[np.float32] | None) -> None:
        """Nothing is remembered here: what has been paid is in the sub-task counts."""

    def step(
        self,
        progress: NDArray[np.float32],  # noqa: ARG002  (a reward may need it; this one does not)
        newly_done: NDArray[np.bool_],
        terminated: NDArray[np.bool_],  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Rewards of one step: float32 (num_envs,)."""
        return (newly_done * self.weights).sum(axis=1, dtype=np.float32)
