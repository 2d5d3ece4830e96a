"""What the policy sees of MiniGrid, and what the judge sees."""

from __future__ import annotations

from typing import Any

import gymnasium
import minigrid  # noqa: F401  (registers the environments)
import numpy as np
from gymnasium import spaces
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from numpy.typing import NDArray

from vlmcar.env.minigrid_render import TileRenderer
from vlmcar.types import Frame

_SIZES = (len(OBJECT_TO_IDX), len(COLOR_TO_IDX), len(STATE_TO_IDX))


class OneHotView(gymnasium.ObservationWrapper):
    """The partial view as one-hot object, colour and state per cell, and the agent's direction.

    Observation: float32 (7 * 7 * 20 + 4,) of zeros and ones. The mission text is left out: in the tasks
    here it names no choice that the view does not show.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        image: Any = env.observation_space["image"]  # type: ignore[index]
        height, width, _ = image.shape
        cell_offsets = np.arange(height * width)[:, None] * sum(_SIZES)
        channel_offsets = np.cumsum((0, *_SIZES[:-1]))[None, :]
        self._offsets = cell_offsets + channel_offsets  # (cells, 3)
        self._view_length = height * width * sum(_SIZES)
        self.observation_space = spaces.Box(0.0, 1.0, (self._view_length + 4,), np.float32)

    def observation(self, observation: dict[str, Any]) -> NDArray[np.float32]:
        one_hot = np.zeros(self._view_length + 4, dtype=np.float32)
        one_hot[observation["image"].reshape(-1, 3) + self._offsets] = 1.0
        one_hot[self._view_length + observation["direction"]] = 1.0
        return one_hot


class FullFrame(gymnasium.Wrapper):
    """``render()`` gives the whole grid without highlight; a rewarded last step is a success."""

    def __init__(self, env: gymnasium.Env, tile_size: int) -> None:
        super().__init__(env)
        self._draw = TileRenderer(tile_size)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            info = {**info, "is_success": bool(terminated and float(reward) > 0)}
        return observation, reward, terminated, truncated, info

    def render(self) -> Frame:
        return self._draw(self.env.unwrapped)


def make(env_id: str, tile_size: int) -> gymnasium.Env:
    """The environment that the policy trains in."""
    return FullFrame(OneHotView(gymnasium.make(env_id)), tile_size)
