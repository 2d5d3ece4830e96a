"""The reward on a vector environment: the same wrapper for every method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from vlmcar.reward.tracker import InOrder
from vlmcar.types import Judge, TruthJudge


class RewardVecEnv(VecEnvWrapper):
    """Replaces the reward by ``env_reward * environment's + what the judge's answers pay``.

    Args:
        venv: shows ``frames``, ``initial`` and ``reset_frames``, as ``vlmcar.env.vector.FrameVecEnv``.
        judge: ``None`` leaves only the environment's reward.
        reward: a component of ``conf/reward``; unused without a judge.
        env_reward: weight of the environment's own reward.
        ask_every: steps of an episode between two looks of the judge. In between its last answer holds; the
            last frame of an episode is always judged.

    A judge that is told ground truth (``TruthJudge``) needs a ``venv`` made with ``truth=True``.

    At the end of an episode ``infos[i]`` gains ``reward_return``, the undiscounted sum of the rewards the
    agent was paid, and with a judge ``subtasks_done``, the number of sub-tasks done in order.
    """

    def __init__(
        self, venv: Any, judge: Judge | TruthJudge | None, reward: Any, env_reward: float, ask_every: int = 1
    ) -> None:
        super().__init__(venv)
        self.source = venv  # shows the frames
        self.judge = judge
        self.env_reward = env_reward
        self.ask_every = ask_every
        self.returns = np.zeros(self.num_envs)
        if judge is not None:
            self.order = InOrder(self.num_envs, judge.num_subtasks)
            self.payment = reward.start(self.num_envs, judge.num_subtasks)
            self._needs_initial_progress = bool(reward.needs_initial_progress)
            self._steps = np.zeros(self.num_envs, dtype=np.int64)  # in the running episode
            self._progress = np.zeros((self.num_envs, judge.num_subtasks), dtype=np.float32)

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
        self._steps += 1
        due = dones | (self._steps % self.ask_every == 0)
        if due.any():
            self._progress[due] = self._ask("initial", "frames", "truth", due)
        progress = self._progress.copy()  # (num_envs, num_subtasks)
        truncated = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        return self.payment.step(progress, self.order.update(progress), dones & ~truncated)

    def _start_episodes(self, which: NDArray[np.bool_]) -> None:
        if self.judge is None:
            return
        self.order.reset(which)
        self._steps[which] = 0
        self._progress[which] = 0.0
        if self._needs_initial_progress:
            self._progress[which] = self._ask("reset_frames", "reset_frames", "reset_truth", which)
        self.payment.reset(which, self._progress if self._needs_initial_progress else None)

    def _ask(self, initial: str, frames: str, truth: str, which: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The judge's answers where ``which``, about arrays of the environment by name."""
        shown = getattr(self.source, initial), getattr(self.source, frames)
        first, now = shown if which.all() else (array[which] for array in shown)
        if isinstance(self.judge, TruthJudge):
            so = {name: values[which] for name, values in getattr(self.source, truth).items()}
            return self.judge.progress_given(first, now, so)
        assert self.judge is not None
        return self.judge.progress(first, now)
