"""From frames to reward: what the wrappers for one environment, Gymnasium's vectors and Stable-Baselines3's share."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlmcar.library.defaults import default
from vlmcar.library.programs import AnyProgram, program_of, refuse_pulled
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.tracker import InOrder
from vlmcar.types import ConfigError, Frames, Judge, Material, Program

FRAME = "vlmcar_frame"
"""Key of ``info``: the frame that the last action led to, or a reset."""

Mask = NDArray[np.bool_]
"""(num_envs,)"""


class Paid(NamedTuple):
    """One step of all environments."""

    rewards: NDArray[Any]
    """(num_envs,), float32 or the environment's own type."""
    progress: NDArray[np.float32]
    """(num_envs, num_subtasks) in [0, 1]."""
    subtasks_done: NDArray[np.int64]
    """(num_envs,): done in order so far in the episode."""


class Pay:
    """One judge for several episodes side by side, and what its answers pay.

    Args:
        judge: a judge, which stays its maker's to close, or a program: then one is made here, as the trainer's.
        reward: ``"bonus"``, ``"potential"``, ``"every_frame"``, or a component such as ``Bonus(weights=None)``.
        env_reward: weight of the environment's own reward.
        sandbox: how a program is run; ``None``: as ``conf/sandbox/default.yaml`` says.
        num_envs: episodes side by side.
    """

    def __init__(
        self,
        judge: Judge | AnyProgram,
        reward: Any,
        env_reward: float,
        sandbox: Sandbox | None,
        num_envs: int,
    ) -> None:
        component = reward_of(reward, env_reward)
        made = _made(program_of(judge), sandbox) if isinstance(judge, AnyProgram) else None
        self.judge: Judge = made or _given(judge)
        self.env_reward = env_reward
        self.order = InOrder(num_envs, self.judge.num_subtasks)
        self.payment = component.start(num_envs, self.judge.num_subtasks)
        self._needs_initial_progress = bool(component.needs_initial_progress)
        self._initial: Frames | None = None
        # Also where nobody closes: workers shall not outlive who asks them.
        self._finalizer = weakref.finalize(self, self.judge.close) if made else None

    def start(self, which: Mask, frames: Frames) -> None:
        """New episodes begin where ``which``.

        Args:
            which: bool (num_envs,).
            frames: uint8 (num_envs, height, width, 3) RGB, 0-255: their first ones, where ``which``.

        Raises:
            ConfigError: the program was verified on frames of another size.
        """
        _check_size(frames, self.judge)
        if self._initial is None or (which.all() and self._initial.shape != frames.shape):
            self._initial = np.zeros_like(frames)
        self._initial[which] = frames[which]
        self.order.reset(which)
        progress = None
        if self._needs_initial_progress:
            progress = np.zeros((len(which), self.judge.num_subtasks), dtype=np.float32)
            progress[which] = self.judge.progress(frames[which], frames[which])
        self.payment.reset(which, progress)

    def step(self, which: Mask, frames: Frames, env_rewards: NDArray[Any], terminated: Mask) -> Paid:
        """Pay for one step.

        Args:
            which: bool (num_envs,): environments that took one; the others are paid 0.
            frames: uint8 (num_envs, height, width, 3) RGB, 0-255: where the actions led to, last frames included.
            env_rewards: (num_envs,), the environments' own.
            terminated: bool (num_envs,): ended, and not for want of time.

        Raises:
            ProgramError: the program had no answer.
        """
        assert self._initial is not None
        progress = np.zeros((len(which), self.judge.num_subtasks), dtype=np.float32)
        if which.any():
            progress[which] = self.judge.progress(self._initial[which], frames[which])
        newly_done = self.order.update(progress)
        paid = np.where(which, self.payment.step(progress, newly_done, terminated), np.float32(0))
        return Paid(self.env_reward * env_rewards + paid, progress, self.order.count.copy())

    def close(self) -> None:
        """Close the judge that was made here; safe to call twice."""
        if self._finalizer:
            self._finalizer()


def reward_of(reward: Any, env_reward: float) -> Any:
    """A component of ``conf/reward``, by its word or as it is.

    Raises:
        ConfigError: there is none of this name, or it pays nothing with this ``env_reward``.
    """
    component = default("reward", reward) if isinstance(reward, str) else reward
    if not hasattr(component, "start"):
        raise ConfigError(
            f'reward={reward!r} must be "bonus", "potential", or a component such as vlmcar.Bonus(None)'
        )
    if check := getattr(component, "check_with", None):
        check(env_reward)
    return component


def _made(program: Program, sandbox: Sandbox | None) -> Judge:
    """As ``method=vlmcar`` makes it: a sample of what it answers is judged again later."""
    method = default("method", "vlmcar")
    box = sandbox or default("sandbox", "default")
    judge: Judge = method.judge(Material(vlm=None, sandbox=box, prompts="", program=program))
    return judge


def _given(judge: Any) -> Judge:
    refuse_pulled(judge)
    if not isinstance(judge, Judge):
        raise ConfigError(
            f"{type(judge).__name__} is no program: give what vlmcar.load or vlmcar.generate gave, a path, or a judge"
        )
    return judge


def _check_size(frames: Frames, judge: Judge) -> None:
    program = getattr(judge, "program", None)
    wanted = program.frame_size if isinstance(program, Program) else None
    height, width = frames.shape[1:3]
    if wanted and wanted != (height, width):
        asked = f"{wanted[1]} x {wanted[0]}"
        raise ConfigError(
            f"the environment shows frames of {width} x {height} pixels (width x height), and the program was "
            f"verified on {asked}: make the environment so that render() gives {asked} (in MiniGrid tile_size=, in "
            "many others width= and height=), or show them resized, with frame=lambda env: cv2.resize(env.render(), "
            f"({wanted[1]}, {wanted[0]}), interpolation=cv2.INTER_AREA)"
        )
