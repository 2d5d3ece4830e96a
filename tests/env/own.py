"""Environments and experts of somebody's own, as ``module:function`` names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np


class Walk(gymnasium.Env):
    """A white bar on black goes to the right edge, ten pixels away or fewer; the info says when it is there.

    Actions are ``Discrete(3)`` (left, nothing, right), or with ``box`` a step from -1 to 1.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(
        self, render_mode: str = "rgb_array", box: bool = False, noisy: bool = False, ends: bool = False
    ) -> None:
        self.render_mode = render_mode
        self.box, self.noisy, self.ends = box, noisy, ends
        self.canvas, self.drawn = np.zeros((8, 12, 3), np.uint8), 0
        self.action_space = (
            gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32) if box else gymnasium.spaces.Discrete(3)
        )
        self.observation_space = gymnasium.spaces.Box(0.0, 12.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.at = float(self.np_random.integers(2, 6))
        return np.array([self.at], np.float32), {"there": False}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.at = float(np.clip(self.at + (float(action[0]) if self.box else int(action) - 1), 0, 12))
        there = self.at >= 11
        return np.array([self.at], np.float32), float(there), there and self.ends, False, {"there": there}

    def render(self) -> Any:
        picture, self.drawn = self.canvas, self.drawn + 1  # the same array again and again
        picture[:] = 0
        picture[:, min(int(self.at), 11)] = 255
        if self.noisy:
            picture[0, 0] = np.random.default_rng().integers(256)
        return picture


def walk(**kwargs: Any) -> Walk:
    return Walk(**kwargs)


def not_an_environment(**kwargs: Any) -> str:
    return "no"


def speechless(**kwargs: Any) -> None:
    raise TypeError


def to_the_right(env: Any) -> Callable[[Any], Any]:
    return lambda observation: np.ones(1, np.float32) if env.unwrapped.box else 2


def stays(env: Any) -> Callable[[Any], Any]:
    return lambda observation: np.zeros(1, np.float32) if env.unwrapped.box else 1


def sometimes(env: Any) -> Callable[[Any], Any]:
    """Goes to the right if it begins on an even place."""
    return (to_the_right if int(env.unwrapped.at) % 2 == 0 else stays)(env)


PROGRAM = '''"""A white bar; it is to reach the right edge."""


def reach_the_edge(initial, frame):
    columns = frame[1, :, 0].nonzero()[0]
    start = initial[1, :, 0].nonzero()[0][0]
    return float(columns[0] - start) / (11 - start) if columns[0] > start else 0.0
'''
