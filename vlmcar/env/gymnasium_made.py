"""A person's own environment, made and watched: frames of one size, and whether an episode was a success."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# pygame, which most of Gymnasium's environments draw with, shall look for no screen, and say nothing about itself.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import gymnasium
import numpy as np

from vlmcar.env.demonstrations.pictures import read_picture
from vlmcar.env.demonstrations.recording import resized
from vlmcar.env.imported import imported_module, source_digest
from vlmcar.env.words import first_line
from vlmcar.types import ConfigError, Frame, Frames, VlmcarError

TOLD_BY = ("termination", "return", "info", "demonstrations")


@dataclass
class Success:
    """How the end of an episode says whether it was one."""

    told_by: str
    """``termination``: it ended, and not by a time limit; ``return``: its undiscounted return; ``info``: a key of
    the last step's info; ``demonstrations``: its last frame is one that a demonstration ended with."""
    key: str
    """Of ``told_by=info``."""
    at_least: float | None
    """Of ``told_by=return``."""
    at_most: float
    """Of ``told_by=demonstrations``: mean absolute difference of two frames that show the same, 0-255."""
    ends_episode: bool
    """End the episode at the first step that is a success, which ``info`` and ``demonstrations`` can tell."""

    def __post_init__(self) -> None:
        if self.told_by not in TOLD_BY:
            raise ConfigError(f"env.success.told_by={self.told_by} is none of {', '.join(TOLD_BY)}")
        if self.told_by == "return" and self.at_least is None:
            raise ConfigError(
                "env.success.told_by=return needs the least return of a success: env.success.at_least=..."
            )
        if self.ends_episode and self.told_by not in ("info", "demonstrations"):
            raise ConfigError(
                f"env.success.ends_episode=true: only info and demonstrations tell of every step, and not "
                f"{self.told_by}"
            )


class Goals:
    """Frames that a success ends with: the same ones for all environments, and no part of their state."""

    def __init__(self, frames: Frames, at_most: float) -> None:
        """``frames``: uint8 (goals, height, width, 3); ``at_most``: as `Success` has it."""
        self._frames = frames.astype(np.int16)
        self._at_most = at_most

    def has(self, frame: Frame) -> bool:
        """Whether this is one of them."""
        return bool(np.abs(self._frames - frame).mean(axis=(1, 2, 3)).min() <= self._at_most)

    def __reduce__(self) -> str:
        raise TypeError("checkpoints do without")


class Watched(gymnasium.Wrapper):
    """Adds ``is_success`` to the last info of an episode; ``render()`` gives the judge's frame.

    Args:
        env: with ``render_mode="rgb_array"``.
        success: how success is told.
        frame_size: height and width that frames are resized to; ``None``: as they are.
        goals: where demonstrations tell success.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        success: Success,
        frame_size: tuple[int, int] | None,
        goals: Goals | None,
    ) -> None:
        super().__init__(env)
        self._success = success
        self._frame_size = frame_size
        self._goals = goals
        self._return = 0.0
        self._picture: Frame | None = None
        """Of now, where somebody has looked: a judge, and success that demonstrations tell, may look at one step."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        self._return = 0.0
        self._picture = None
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._return += float(reward)
        self._picture = None
        if terminated or truncated or self._success.ends_episode:
            success = self._is_success(bool(terminated), info)
            terminated = terminated or (success and self._success.ends_episode)
            info = {**info, "is_success": success}
        return observation, reward, bool(terminated), bool(truncated), info

    def render(self) -> Any:
        if self._picture is None:
            frame = _checked(self.env.render())
            kept = frame if self._frame_size is None else resized(frame, self._frame_size)
            self._picture = np.array(kept)  # a copy: environments may draw into the same array again
        return self._picture

    def _is_success(self, terminated: bool, info: Mapping[str, Any]) -> bool:
        told_by = self._success.told_by
        if told_by == "termination":
            return terminated
        if told_by == "return":
            return self._return >= float(self._success.at_least or 0.0)
        if told_by == "info":
            if self._success.key not in info:
                raise VlmcarError(
                    f"env.success.key={self._success.key} is not in the environment's info, which has "
                    f"{', '.join(info) or 'nothing'}"
                )
            return bool(info[self._success.key])
        assert self._goals is not None
        return self._goals.has(self.render())


def picture_of_size(path: str, size: tuple[int, int]) -> Frame:
    """A picture file at the size of the frames.

    Raises:
        ConfigError: it has another shape.
        VlmcarError: it cannot be read.
    """
    frame = read_picture(Path(path))
    if abs(frame.shape[0] * size[1] - frame.shape[1] * size[0]) > 0.02 * frame.shape[0] * size[1]:
        raise ConfigError(
            f"env.images_from: {path} is {frame.shape[0]} x {frame.shape[1]} pixels, frames are {size[0]} x {size[1]}: "
            "give pictures of the same shape"
        )
    return resized(frame, size)


def make(env_id: str, kwargs: Mapping[str, Any], max_episode_steps: int | None) -> gymnasium.Env:
    """The environment, with pictures to look at and a time limit.

    Args:
        env_id: of ``gymnasium.make``, also ``module:Id``; or ``module:function``, which returns an environment when
            called with ``render_mode="rgb_array"`` and ``kwargs``.
        kwargs: of the environment.
        max_episode_steps: ``None``: the environment's own limit.

    Raises:
        ConfigError: it cannot be made, gives no pictures, or has no time limit.
    """
    try:
        env = _made(env_id, kwargs, max_episode_steps)
    except (gymnasium.error.Error, TypeError) as error:
        raise ConfigError(f"env.env_id={env_id}: {first_line(error)}") from error
    if env.render_mode != "rgb_array":
        raise ConfigError(
            f'env.env_id={env_id} has render_mode={env.render_mode} and gives no pictures; it needs "rgb_array"'
        )
    return env


def _made(env_id: str, kwargs: Mapping[str, Any], max_episode_steps: int | None) -> gymnasium.Env:
    module, _, name = env_id.rpartition(":")
    function = _function(module, name)
    if function is None:
        env = _registered(env_id, render_mode="rgb_array", max_episode_steps=max_episode_steps, **kwargs)
        if env.spec is not None and env.spec.max_episode_steps is None:
            raise ConfigError(_NO_LIMIT.format(env_id=env_id))
        return env
    env = function(render_mode="rgb_array", **kwargs)
    if not isinstance(env, gymnasium.Env):
        raise ConfigError(f"env.env_id={env_id} returned {type(env).__name__}, and no gymnasium.Env")
    if max_episode_steps is None:
        raise ConfigError(_NO_LIMIT.format(env_id=env_id))
    return gymnasium.wrappers.TimeLimit(env, max_episode_steps)


_NO_LIMIT = (
    "env.env_id={env_id} has no time limit that is known; give one in steps, as env.max_episode_steps=1000"
)


def _registered(env_id: str, **how: Any) -> gymnasium.Env:
    try:
        return gymnasium.make(env_id, **how)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound) as error:
        module, _, name = env_id.rpartition(":")
        if not module:
            raise
        raise ConfigError(  # Gymnasium's own looks for a similar name, in all that anybody registered
            f"env.env_id={env_id}: {module} has no {name}: neither a function nor an id that it registers"
        ) from error


def _function(module: str, name: str) -> Any:
    """What ``module:name`` names, if it is a function and no id that importing the module registers."""
    if not module or "/" in name:
        return None
    found = getattr(imported_module(module, f"env.env_id={module}:{name}"), name, None)
    return found if callable(found) else None


def _checked(picture: Any) -> Frame:
    if (
        not isinstance(picture, np.ndarray)
        or picture.dtype != np.uint8
        or picture.ndim != 3
        or picture.shape[2] != 3
    ):
        what = (
            f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        )
        raise VlmcarError(
            f"the environment's render() must give uint8 (height, width, 3) RGB; it gives {what}"
        )
    return picture


def code_of(env_id: str) -> str | None:
    """12 hex digits of the source file of the module whose function ``env_id`` names; ``None`` if it names none."""
    module, _, name = env_id.rpartition(":")
    if _function(module, name) is None:
        return None
    return source_digest(imported_module(module, f"env.env_id={env_id}"))
