"""The reward on one ``gymnasium.Env``, and the frames of one that is stepped among others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from vlmcar.library.paying import FRAME, Pay
from vlmcar.library.programs import AnyProgram
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import ConfigError, Frame, Judge

Show = Callable[[gymnasium.Env], Any]
"""An environment -> the frame that the judge sees: uint8 (height, width, 3) RGB, 0-255."""
_ALL = np.ones(1, dtype=bool)


class CodeReward(gymnasium.Wrapper):
    """Replaces the reward of an environment by what a program pays for its frames.

    Args:
        env: made with ``render_mode="rgb_array"``; its ``render()`` gives frames as the program was verified on.
        program: a ``Program``, what `generate` gave, the path of either, or a ``Judge``.
        reward: ``"bonus"`` (each sub-task pays once per episode, in order), ``"potential"`` (with
            ``conf/algorithm/ppo.yaml``'s gamma), or a component such as ``Potential(gamma=0.9, zero_terminal=False)``.
        env_reward: weight of the environment's own reward.
        sandbox: how the program is run; ``None``: as ``conf/sandbox/default.yaml`` says.
        frame: environment -> uint8 (height, width, 3) RGB, 0-255, where ``render()`` is not the frame.

    Every step's ``info`` gains ``env_reward``, ``progress`` (float32 (num_subtasks,) in [0, 1]) and ``subtasks_done``
    (done in order so far in the episode). ``close`` ends the program's process; a ``Judge`` is its maker's to close.

    Raises:
        ConfigError: the environment does not render arrays, or (in ``reset``) not of the size that is known.
        ProgramError: in ``reset`` and ``step``: the program had no answer. An error is never an answer.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        program: AnyProgram | Judge,
        reward: Any = "bonus",
        env_reward: float = 0.0,
        sandbox: Sandbox | None = None,
        *,
        frame: Show | None = None,
    ) -> None:
        super().__init__(env)
        _check_renders(env, frame)
        self._show = frame
        self._pay = Pay(program, reward, env_reward, sandbox, 1)

    @property
    def judge(self) -> Judge:
        """Who looks at the frames."""
        return self._pay.judge

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        observation, info = self.env.reset(seed=seed, options=options)
        self._pay.start(_ALL, frame_of(self.env, self._show)[None])
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, env_reward, terminated, truncated, info = self.env.step(action)
        frames = frame_of(self.env, self._show)[None]  # (1, height, width, 3)
        paid = self._pay.step(_ALL, frames, np.array([float(env_reward)]), np.array([bool(terminated)]))
        info = {
            **info,
            "env_reward": float(env_reward),
            "progress": paid.progress[0],
            "subtasks_done": int(paid.subtasks_done[0]),
        }
        return observation, float(paid.rewards[0]), terminated, truncated, info

    def close(self) -> None:
        self._pay.close()
        super().close()


class FrameInfo(gymnasium.Wrapper):
    """Puts the frame that each step or reset led to into ``info``, for an environment among others.

    Vector environments reset by themselves, and then nobody outside can see how an episode ended; what ``info`` says
    survives. Wrap each environment in it, before it becomes one of a vector that `CodeRewardVectorEnv` or
    `CodeRewardVecEnv` pays.

    Args:
        env: made with ``render_mode="rgb_array"``.
        frame: environment -> uint8 (height, width, 3) RGB, 0-255, where ``render()`` is not the frame.

    Raises:
        ConfigError: the environment does not render arrays.
    """

    def __init__(self, env: gymnasium.Env, frame: Show | None = None) -> None:
        super().__init__(env)
        _check_renders(env, frame)
        self._show = frame

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, FRAME: frame_of(self.env, self._show)}

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, {**info, FRAME: frame_of(self.env, self._show)}


def frame_of(env: gymnasium.Env, show: Show | None) -> Frame:
    """What the judge sees now: uint8 (height, width, 3) RGB, 0-255, a copy, since some draw into the same array again.

    Raises:
        ConfigError: it is no such picture.
    """
    frame = show(env) if show else env.render()
    if not (
        isinstance(frame, np.ndarray)
        and frame.dtype == np.uint8
        and frame.ndim == 3
        and frame.shape[2] == 3
        and frame.size
    ):
        what = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise ConfigError(
            f"{'frame(env)' if show else 'render()'} gave {what}, and a judge takes uint8 (height, width, 3) RGB, 0-255"
            + ("" if show else "; frame=lambda env: ... may turn it into that")
        )
    return np.array(frame)


def _check_renders(env: gymnasium.Env, show: Show | None) -> None:
    if show is None and env.render_mode != "rgb_array":
        raise ConfigError(
            f"the environment was made with render_mode={env.render_mode!r}, and the program needs its frames: make "
            'it with gymnasium.make(..., render_mode="rgb_array"), or say how they are had, with frame=lambda env: ...'
        )
