"""Which sub-tasks have been done, in order, so far in each episode."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class InOrder:
    """Counts sub-tasks done in order: one counts once all earlier ones have, and stays counted.

    Verification and reward share this, so a program is verified by the very rule that pays the agent.

    Attributes:
        count: int64 (num_envs,), sub-tasks done in order in the running episode.
    """

    def __init__(self, num_envs: int, num_subtasks: int) -> None:
        self.num_subtasks = num_subtasks
        self.count = np.zeros(num_envs, dtype=np.int64)

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Start a new episode where ``which``, bool (num_envs,), is true."""
        self.count[which] = 0

    def update(self, progress: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Take in one step's answers.

        Args:
            progress: float32 (num_envs, num_subtasks) in [0, 1]; a sub-task is done at 1.

        Returns:
            bool (num_envs, num_subtasks): counted for the first time in this step.
        """
        index = np.arange(self.num_subtasks)[None, :]
        already = index < self.count[:, None]
        reached = np.logical_and.accumulate(already | (progress >= 1.0), axis=1)
        self.count = reached.sum(axis=1)
        return reached & ~already
