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


class OneHot:
    """The partial view as one-hot object, colour and state per cell, and the agent's direction.

    float32 (view * view * 20 + 4,) of zeros and ones. The mission text is left out: in the tasks here it names no
    choice that the view does not show.
    """

    def __init__(self, view: int) -> None:
        self._ones = (np.arange(view * view) * sum(_SIZES))[:, None] + np.cumsum(
            (0, *_SIZES[:-1])
        )  # (cells, 3)
        self._length = view * view * sum(_SIZES)
        self.space = spaces.Box(0.0, 1.0, (self._length + 4,), np.float32)

    def __call__(self, images: NDArray[np.uint8], directions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of several environments at once.

        Args:
            images: (envs, view * view, 3), MiniGrid's ``image`` cell by cell.
            directions: (envs,)

        Returns:
            float32 (envs, view * view * 20 + 4)
        """
        count = len(images)
        observations = np.zeros((count, self._length + 4), dtype=np.float32)
        starts = np.arange(count) * (self._length + 4)
        flat = observations.reshape(-1)
        flat[(images + self._ones).reshape(count, -1) + starts[:, None]] = 1.0
        flat[starts + self._length + directions] = 1.0
        return observations


class OneHotView(gymnasium.ObservationWrapper):
    """Observations as `OneHot` has them."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        image: Any = env.observation_space["image"]  # type: ignore[index]
        self._one_hot = OneHot(image.shape[0])
        self.observation_space = self._one_hot.space

    def observation(self, observation: dict[str, Any]) -> NDArray[np.float32]:
        image = observation["image"].reshape(1, -1, 3)
        return self._one_hot(image, np.array([observation["direction"]]))[0]


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
