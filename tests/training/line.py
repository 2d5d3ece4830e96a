"""A task with continuous actions that is learned in seconds: a dot on a line has to get to its right end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from vlmcar.env.vector import FrameVecEnv
from vlmcar.types import Program, SubTask, Trajectory

STEPS = 20
PROGRAM = Program(
    (SubTask("pass_the_middle", "The dot is right of the middle."), SubTask("arrive", "It is at the end.")),
    '''"""Sees a white dot on black."""
import numpy as np


def column(frame):
    return int(frame[..., 0].max(axis=0).argmax())


def pass_the_middle(initial, frame):
    return column(frame) >= 16


def arrive(initial, frame):
    return column(frame) >= 29
''',
)


class Line(gymnasium.Env):
    """Begins in the left half; an action moves it by at most 0.2 of [-1, 1], with a little noise."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012
    render_mode = "rgb_array"

    def __init__(self, observation: str = "box") -> None:
        self.kind = observation
        self.action_space = spaces.Box(-2.0, 2.0, (1,), np.float32)
        place = spaces.Box(-1.0, 1.0, (1,), np.float32)
        clock = spaces.Box(0.0, 1.0, (2,), np.float32)
        self.observation_space = (
            spaces.Dict({"place": place, "clock": clock}) if observation == "dict" else place
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(-1.0, 0.0), 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.place += 0.1 * float(action[0]) + self.np_random.normal(0, 0.01)
        self.place = float(np.clip(self.place, -1, 1))
        self.steps += 1
        arrived, late = self.place >= 0.87, self.steps >= STEPS
        return self._observe(), float(arrived), arrived, late, {"is_success": bool(arrived)}

    def render(self) -> np.ndarray:
        frame = np.zeros((4, 32, 3), np.uint8)
        frame[1:3, min(int((self.place + 1) * 16), 31)] = 255
        return frame

    def _observe(self) -> Any:
        place = np.array([self.place], np.float32)
        if self.kind == "dict":
            return {"place": place, "clock": np.array([self.steps / STEPS, 0.5], np.float32)}
        return place


class BoxTask:
    """What training asks of a task."""

    id = "stand-in"
    training_seeds = None

    def __init__(self, make_env: Callable[[], gymnasium.Env] = Line) -> None:
        self.make_env = make_env

    def make_vec(self, num_envs: int, seeds: Sequence[int], frames: bool, auto_reset: bool) -> FrameVecEnv:
        return FrameVecEnv([self.make_env] * num_envs, seeds, frames, auto_reset)

    def level_to_play(self, seed: int) -> int:
        return seed

    def replay(self, level: int, actions: np.ndarray, kind: str) -> Trajectory:
        env = self.make_env()
        env.reset(seed=level)
        frames, rewards, info = [env.render()], [], {}
        for action in actions:
            _, reward, _, _, info = env.step(action)
            frames.append(env.render())
            rewards.append(reward)
        return Trajectory(
            np.stack(frames), actions, np.array(rewards, np.float32), info["is_success"], level, kind
        )


class Told(gymnasium.Wrapper):
    """What a task does around somebody's environment: small pictures, and success where the reward says so."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward), terminated, truncated, {**info, "is_success": terminated}

    def render(self) -> np.ndarray:
        return np.asarray(self.env.render())[::10, ::10]


def registered(env_id: str, steps: int) -> BoxTask:
    """A task of gymnasium, with episodes of at most so many steps."""
    return BoxTask(lambda: Told(gymnasium.make(env_id, render_mode="rgb_array", max_episode_steps=steps)))
