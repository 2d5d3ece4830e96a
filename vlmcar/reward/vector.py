"""The reward on a vector environment: the same wrapper for every method."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from vlmcar.program.judge import ProgramJudge
from vlmcar.reward.looking import AtOnce, Early, Look
from vlmcar.reward.tracker import InOrder
from vlmcar.types import Judge, TruthJudge

Rewards = NDArray[np.float32]
"""(num_envs,)"""


class _Step(NamedTuple):
    """A step that has been taken and not been paid."""

    env_rewards: Rewards
    dones: NDArray[np.bool_]
    infos: list[dict[str, Any]]
    look: Look | None
    start: NDArray[np.float32] | None
    """Progress at the first frames of the episodes that began after it."""


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

    Where a learner needs rewards only every n steps, ``deferred = n`` lets a program judge while the policy plays on: a
    step then pays 0, and ``infos`` gain nothing, until `settle`; `take` has the rewards. They are the same.
    """

    def __init__(
        self, venv: Any, judge: Judge | TruthJudge | None, reward: Any, env_reward: float, ask_every: int = 1
    ) -> None:
        super().__init__(venv)
        self.judge = judge
        self.env_reward = env_reward
        self.deferred = 0
        self.returns = np.zeros(self.num_envs)
        self._open: deque[_Step] = deque()
        self._paid: list[Rewards] = []
        self._most_open = 1
        self._looking: AtOnce | Early | None = None
        if judge is None:
            return
        self.order = InOrder(self.num_envs, judge.num_subtasks)
        self.payment = reward.start(self.num_envs, judge.num_subtasks)
        self._needs_initial_progress = bool(reward.needs_initial_progress)
        if isinstance(judge, ProgramJudge) and ask_every == 1:
            self._looking = Early(venv, judge, reward)
            self._most_open = max(1, self._looking.ahead.capacity // (2 * self.num_envs))
        else:
            self._looking = AtOnce(venv, judge, reward, ask_every)

    def reset(self) -> VecEnvObs:
        self.settle()
        self._paid.clear()
        observations = self.venv.reset()
        self.returns[:] = 0
        if self._looking:
            everyone = np.ones(self.num_envs, dtype=bool)
            self._start(everyone, self._looking.start(everyone))
        return observations

    def step_wait(self) -> VecEnvStepReturn:
        observations, env_rewards, dones, infos = self.venv.step_wait()
        look = start = None
        if self._looking:
            look = self._looking.step(dones)
            start = self._looking.start(dones) if dones.any() else None
        self._open.append(_Step(env_rewards, dones, infos, look, start))
        if not self.deferred or len(self._open) > self._most_open:
            self.settle()
        elif self._looking:
            self._looking.pump(steps_left=self.deferred - len(self._open) - len(self._paid))
            while self._open and self._settle_one(wait=False):
                pass
        rewards = np.zeros(self.num_envs, dtype=np.float32) if self.deferred else self.take()[-1]
        return observations, rewards, dones, infos

    def settle(self) -> None:
        """Wait for the judge, and pay what is not paid."""
        if self._looking:
            self._looking.wait()
        while self._open:
            self._settle_one(wait=True)

    def take(self) -> list[Rewards]:
        """Settle; the rewards of the steps since this was last called, the oldest first."""
        self.settle()
        paid, self._paid = self._paid, []
        return paid

    def state(self) -> dict[str, Any] | None:
        """Between two updates, everything that `set_state` needs to go on; ``None`` where the environment has no
        state."""
        if not hasattr(self.venv, "state"):
            return None
        self.settle()
        assert not self._paid, "rewards that nobody has taken"
        environments = self.venv.state()
        if environments is None:
            return None
        state = {"venv": environments, "returns": self.returns}
        if self._looking:
            state |= {"order": self.order, "payment": self.payment, "looking": self._looking.state()}
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, in place of a reset."""
        self.venv.set_state(state["venv"])  # type: ignore[attr-defined]
        self.returns = state["returns"]
        if self._looking:
            self.order, self.payment = state["order"], state["payment"]
            self._looking.set_state(state["looking"], self.order.count)

    def _settle_one(self, wait: bool) -> bool:
        """Pay the oldest step, if its answers are there."""
        step = self._open[0]
        rewards = self.env_reward * step.env_rewards
        if step.look and self._looking:
            progress = step.look.progress(self.order.count, wait)
            if progress is None:
                return False
            truncated = np.array([info.get("TimeLimit.truncated", False) for info in step.infos])
            newly_done = self.order.update(progress)
            rewards = rewards + self.payment.step(progress, newly_done, step.dones & ~truncated)
        self._open.popleft()
        self._paid.append(rewards.astype(np.float32))
        self.returns += rewards
        for i in np.flatnonzero(step.dones):
            step.infos[i]["reward_return"] = float(self.returns[i])
            if step.look:
                step.infos[i]["subtasks_done"] = int(self.order.count[i])
        self.returns[step.dones] = 0
        if step.start is not None:
            self._start(step.dones, step.start)
        if self._looking:
            self._looking.settled(self.order.count, step.dones)
        return True

    def _start(self, which: NDArray[np.bool_], initial: NDArray[np.float32]) -> None:
        """New episodes begin."""
        self.order.reset(which)
        self.payment.reset(which, initial if self._needs_initial_progress else None)
