"""The reward on a vector environment: the same wrapper for every method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from vlmcar.reward.tracker import InOrder
from vlmcar.types import Judge


class RewardVecEnv(VecEnvWrapper):
    """Replaces the reward by ``env_reward * environment's + what the judge's answers pay``.

    Args:
        venv: shows ``frames``, ``initial`` and ``reset_frames``, as ``vlmcar.env.vector.FrameVecEnv``.
        judge: ``None`` leaves only the environment's reward.
        reward: a component of ``conf/reward``; unused without a judge.
        env_reward: weight of the environment's own reward.

    At the end of an episode ``infos[i]`` gains ``reward_return``, the undiscounted sum of the rewards the
    agent was paid, and with a judge ``subtasks_done``, the number of sub-tasks done in order.
    """

    def __init__(self, venv: Any, judge: Judge | None, reward: Any, env_reward: float) -> None:
        super().__init__(venv)
        self.source = venv  # shows the frames
        self.judge = judge
        self.env_reward = env_reward
        self.returns = np.zeros(self.num_envs)
        if judge is not None:
            self.order = InOrder(self.num_envs, judge.num_subtasks)
            self.payment = reward.start(self.num_envs, judge.num_subtasks)
            self._needs_initial_progress = bool(reward.needs_initial_progress)

    def reset(self) -> VecEnvObs:
        observations = self.venv.reset()
        self.returns[:] = 0
        self._start_episodes(np.ones(self.num_envs, dtype=bool))
        return observations

    def step_wait(self) -> VecEnvStepReturn:
        observations, env_rewards, dones, infos = self.venv.step_wait()
        rewards = self.env_reward * env_rewards
        if self.judge is not None:
            rewards = rewards + self._judged(dones, infos)
        self.returns += rewards
        for i in np.flatnonzero(dones):
            infos[i]["reward_return"] = float(self.returns[i])
            if self.judge is not None:
                infos[i]["subtasks_done"] = int(self.order.count[i])
        self.returns[dones] = 0
        if dones.any():
            self._start_episodes(dones)
        return observations, rewards.astype(np.float32), dones, infos

    def _judged(self, dones: NDArray[np.bool_], infos: list[dict[str, Any]]) -> NDArray[np.float32]:
        assert self.judge is not None
        progress = self.judge.progress(self.source.initial, self.source.frames)  # (num_envs, num_subtasks)
        truncated = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        return self.payment.step(progress, self.order.update(progress), dones & ~truncated)

    def _start_episodes(self, which: NDArray[np.bool_]) -> None:
        if self.judge is None:
            return
        self.order.reset(which)
        progress = None
        if self._needs_initial_progress:
            progress = self.judge.progress(self.source.reset_frames, self.source.reset_frames)
        self.payment.reset(which, progress)
