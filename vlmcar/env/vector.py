"""A vector environment that also shows the frame a judge must see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from stable_baselines3.common.vec_env.dummy_vec_env import DummyVecEnv

from vlmcar.env import saving
from vlmcar.types import Frames

_STATE = (
    *("first_seeds", "finished", "frames", "initial", "reset_frames", "buf_obs"),
    *("_returns", "_lengths"),
)


class FrameVecEnv(DummyVecEnv):
    """Gymnasium environments stepped in turn, with the frames of the last step at hand.

    Stable-Baselines3's vector environments reset by themselves, so after the last step of an episode
    its final frame is gone. Here ``frames[i]`` is always the frame that the last action led to, the
    true terminal frame included, and ``initial[i]`` the first frame of the *same* episode.
    ``reset_frames[i]`` is the first frame of the episode that starts next (equal to ``initial[i]``
    in the middle of an episode).

    Args:
        make_envs: one function per environment; its ``render()`` returns the judge's frame.
        seeds: environment ``i``'s first episode is drawn from ``seeds[i]``; later ones from its own
            generator.
        with_frames: ``False`` renders nothing, for methods without a judge.
        auto_reset: ``False`` leaves a finished environment idle until ``reset()``, so that each plays
            exactly one episode; used for evaluation.

    At the end of an episode ``infos[i]`` holds ``is_success``, ``terminal_observation``,
    ``TimeLimit.truncated`` and ``episode`` with ``r`` (the environment's own return) and ``l`` (steps).
    """

    frames: Frames
    initial: Frames
    reset_frames: Frames

    def __init__(
        self,
        make_envs: Sequence[Callable[[], gymnasium.Env]],
        seeds: Sequence[int],
        with_frames: bool,
        auto_reset: bool = True,
    ) -> None:
        super().__init__(list(make_envs))
        self._make_env = make_envs[0]
        self._goes_on: bool | None = None
        self.first_seeds = [int(s) for s in seeds]
        self.with_frames = with_frames
        self.auto_reset = auto_reset
        self.finished = np.zeros(self.num_envs, dtype=bool)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)

    def reset(self) -> VecEnvObs:
        """Start the seeded first episode of every environment; a repeated reset repeats it."""
        self._seeds = list(self.first_seeds)
        self.finished[:] = False
        self._returns[:] = 0
        self._lengths[:] = 0
        observations = super().reset()
        if self.with_frames:
            self.frames = np.stack(
                [np.asarray(env.render()) for env in self.envs]
            )  # (num_envs, height, width, 3)
            self.initial = self.frames.copy()
            self.reset_frames = self.frames.copy()
        return observations

    def state(self) -> dict[str, Any] | None:
        """Everything that `set_state` needs to go on from here, to be pickled; ``None`` where that was tried and fails.

        Whether it does is tried once, on two more environments (``vlmcar.env.saving.goes_on``): physics engines may
        keep their world where nobody can save it.
        """
        if self._goes_on is None:
            self._goes_on = saving.goes_on(self._make_env, self.with_frames)
        if not self._goes_on:
            return None
        kept = {name: vars(self)[name] for name in _STATE if name in vars(self)}
        return {"envs": [saving.saved(env) for env in self.envs], **kept}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there; as many environments, made the same way."""
        rest = dict(state)
        for env, seed, one in zip(self.envs, rest["first_seeds"], rest.pop("envs"), strict=True):
            saving.begin(env, seed, self.with_frames)
            saving.put(one, env)
        vars(self).update(rest)

    def step_wait(self) -> VecEnvStepReturn:
        if self.with_frames:
            self.initial[:] = self.reset_frames
        self.buf_infos = [{} for _ in range(self.num_envs)]
        for i in range(self.num_envs):
            if self.finished[i]:
                self.buf_rews[i], self.buf_dones[i] = 0.0, False
            else:
                self._step_one(i)
        return (
            self._obs_from_buf(),
            self.buf_rews.copy(),
            self.buf_dones.copy(),
            list(self.buf_infos),
        )

    def _step_one(self, i: int) -> None:
        env = self.envs[i]
        observation, reward, terminated, truncated, info = env.step(self.actions[i])
        done = terminated or truncated
        if self.with_frames:
            self.frames[i] = env.render()  # before any reset: the frame that the judge must see
        self._returns[i] += float(reward)
        self._lengths[i] += 1
        if done:
            info = dict(info)
            info["terminal_observation"] = observation
            info["TimeLimit.truncated"] = truncated and not terminated
            info["episode"] = {"r": float(self._returns[i]), "l": int(self._lengths[i])}
            self._returns[i], self._lengths[i] = 0.0, 0
            if self.auto_reset:
                observation, _ = env.reset()
                if self.with_frames:
                    self.reset_frames[i] = env.render()
            else:
                self.finished[i] = True
        self.buf_rews[i], self.buf_dones[i], self.buf_infos[i] = float(reward), done, info
        self._save_obs(i, observation)
