"""The reward on a single ``gymnasium.Env``, for training loops that are not ours."""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from vlmcar.reward.tracker import InOrder
from vlmcar.types import Frame, Judge


class CodeReward(gymnasium.Wrapper):
    """Replaces the reward of an environment whose ``render()`` returns the frame that the judge expects.

    Args:
        env: ``render()`` returns uint8 (height, width, 3) RGB, 0-255 (``render_mode="rgb_array"``).
        judge: looks at the first and the current frame of the episode.
        reward: a component of ``conf/reward``, such as ``Bonus(weights=None)``.
        env_reward: weight of the environment's own reward.

    Every step's ``info`` gains ``env_reward``, ``progress`` (float32 (num_subtasks,)) and
    ``subtasks_done`` (done in order so far in the episode).
    """

    def __init__(self, env: gymnasium.Env, judge: Judge, reward: Any, env_reward: float = 0.0) -> None:
        super().__init__(env)
        self.judge = judge
        self.env_reward = env_reward
        self.order = InOrder(1, judge.num_subtasks)
        self.payment = reward.start(1, judge.num_subtasks)
        self._needs_initial_progress = bool(reward.needs_initial_progress)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._initial = self._frame()
        which = np.ones(1, dtype=bool)
        self.order.reset(which)
        progress = None
        if self._needs_initial_progress:
            progress = self.judge.progress(self._initial[None], self._initial[None])
        self.payment.reset(which, progress)
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, env_reward, terminated, truncated, info = self.env.step(action)
        progress = self.judge.progress(self._initial[None], self._frame()[None])  # (1, num_subtasks)
        paid = self.payment.step(progress, self.order.update(progress), np.array([terminated]))
        reward = self.env_reward * float(env_reward) + float(paid[0])
        info = {
            **info,
            "env_reward": float(env_reward),
            "progress": progress[0],
            "subtasks_done": int(self.order.count[0]),
        }
        return observation, reward, terminated, truncated, info

    def _frame(self) -> Frame:
        frame: Any = self.env.render()
        return np.array(frame, dtype=np.uint8)  # a copy: environments may draw into the same array again
