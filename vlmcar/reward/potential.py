"""``reward=potential``: potential-based shaping on the mean progress."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import ConfigError


@dataclass
class Potential:
    """gamma * Phi(s') - Phi(s), where Phi is the mean progress of the sub-tasks.

    Ng, Harada and Russell 1999, "Policy invariance under reward transformations". In episodic tasks the
    optimal policy is unchanged only if Phi is 0 at termination (``zero_terminal``); the sum over an episode
    is then -Phi(s0), so the environment's own reward has to be there to be learned from.
    """

    gamma: float
    """The algorithm's discount factor."""
    zero_terminal: bool

    needs_all_progress = True
    needs_initial_progress = True

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"reward.gamma={self.gamma} must be above 0 and at most 1")

    def check_with(self, env_reward: float) -> None:
        """Refuse the combination that pays nothing for success."""
        if self.zero_terminal and env_reward <= 0:
            raise ConfigError(
                f"reward.zero_terminal=true with method.env_reward={env_reward:g} pays every episode the same; "
                "set method.env_reward above 0, or zero_terminal=false"
            )

    def start(self, num_envs: int, num_subtasks: int) -> Shaping:  # noqa: ARG002
        """The reward of ``num_envs`` parallel episodes."""
        return Shaping(self.gamma, self.zero_terminal, num_envs)


class Shaping:
    """Remembers Phi of the last state of each episode."""

    def __init__(self, gamma: float, zero_terminal: bool, num_envs: int) -> None:
        self.gamma = gamma
        self.zero_terminal = zero_terminal
        self.potential = np.zeros(num_envs, dtype=np.float32)

    def reset(self, which: NDArray[np.bool_], progress: NDArray[np.float32] | None) -> None:
        """New episodes where ``which`` is true, with ``progress`` (num_envs, num_subtasks) at their start."""
        assert progress is not None
        self.potential[which] = progress.mean(axis=1)[which]

    def step(
        self,
        progress: NDArray[np.float32],
        newly_done: NDArray[np.bool_],  # noqa: ARG002
        terminated: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Rewards of one step: float32 (num_envs,)."""
        potential = progress.mean(axis=1, dtype=np.float32)
        if self.zero_terminal:
            potential = np.where(terminated, np.float32(0.0), potential)
        rewards = self.gamma * potential - self.potential
        self.potential = potential
        return rewards.astype(np.float32)
