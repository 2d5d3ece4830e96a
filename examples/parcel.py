"""A task of which there are only pictures: bring the parcel to the mat. The environment pays nothing, ever.

``python -m examples.parcel FOLDER`` records demonstrations, as a person with a joystick would: one folder of PNG files
per episode. They are all that `examples/env/parcel.yaml` says about the task.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np

CELLS, PIXELS = 8, 12
"""Places in a row, and pixels per place."""
FLOOR, ROBOT, PARCEL, MAT = (235, 228, 216), (40, 90, 200), (235, 140, 30), (70, 170, 90)
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # up, down, left, right
MAT_AT = np.array((6, 6))


class Parcel(gymnasium.Env):
    """A robot on a floor. It takes the parcel when it gets there, and carries it from then on.

    The observation is what its sensors say: where it and the parcel are, and whether it carries. There is no reward,
    and nothing says that the task is done.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012  (as Gymnasium wants it)
    action_space = gymnasium.spaces.Discrete(4)
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (5,), np.float32)

    def __init__(self, render_mode: str = "rgb_array") -> None:
        self.render_mode = render_mode

    def reset(self, **given: Any) -> tuple[Any, dict]:
        super().reset(**given)
        free = [place for place in np.ndindex(CELLS, CELLS) if place != tuple(MAT_AT)]
        robot, parcel = self.np_random.choice(len(free), 2, replace=False)
        self.robot, self.parcel = np.array(free[robot]), np.array(free[parcel])
        self.carries = False
        return self._sensed(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.robot = np.clip(self.robot + MOVES[int(action)], 0, CELLS - 1)
        self.carries = self.carries or bool((self.robot == self.parcel).all())
        if self.carries:
            self.parcel = self.robot
        return self._sensed(), 0.0, False, False, {}

    def _sensed(self) -> Any:
        places = np.concatenate([self.robot, self.parcel]) / (CELLS - 1)
        return np.append(places, self.carries).astype(np.float32)

    def render(self) -> Any:
        picture = np.full((CELLS * PIXELS, CELLS * PIXELS, 3), FLOOR, np.uint8)
        _square(picture, MAT_AT, MAT, margin=0)
        if not self.carries:
            _square(picture, self.parcel, PARCEL, margin=3)
        row, column = np.rint(self.robot * PIXELS).astype(int) + PIXELS // 2
        cv2.circle(picture, (int(column), int(row)), 5, ROBOT, cv2.FILLED)
        if self.carries:
            _square(picture, self.robot, PARCEL, margin=4)
        return picture


class Joystick(Parcel):
    """The same robot with a joystick: it goes anywhere, up to 6 pixels per step, and takes what it touches.

    Here the info says whether the parcel is ``delivered``.
    """

    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, **given: Any) -> tuple[Any, dict]:
        super().reset(**given)
        self.robot, self.parcel = self.robot.astype(np.float64), self.parcel.astype(np.float64)
        return self._sensed(), {"delivered": False}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.robot = np.clip(self.robot + 0.5 * np.asarray(action, np.float64), 0, CELLS - 1)
        self.carries = self.carries or bool(np.abs(self.robot - self.parcel).max() < 0.5)
        if self.carries:
            self.parcel = self.robot
        delivered = self.carries and bool(np.abs(self.robot - MAT_AT).max() < 0.5)
        return self._sensed(), 0.0, False, False, {"delivered": delivered}


def make(render_mode: str = "rgb_array") -> Parcel:
    """For ``env.env_id=examples.parcel:make``."""
    return Parcel(render_mode)


def joystick(render_mode: str = "rgb_array") -> Joystick:
    """For ``env.env_id=examples.parcel:joystick``."""
    return Joystick(render_mode)


def record(folder: Path, episodes: int = 12) -> None:
    """Demonstrations: to the parcel, then to the mat, one step after another."""
    env = Parcel()
    for number in range(episodes):
        env.reset(seed=1000 + number)
        pictures = [env.render()]
        while not (env.carries and (env.robot == MAT_AT).all()):
            way = (MAT_AT if env.carries else env.parcel) - env.robot
            axis = int(np.abs(way).argmax())
            env.step(2 * axis + int(way[axis] > 0))
            pictures.append(env.render())
        place = folder / f"episode_{number}"
        place.mkdir(parents=True, exist_ok=True)
        for step, picture in enumerate(pictures):
            cv2.imwrite(str(place / f"frame_{step}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _square(picture: Any, place: Any, colour: tuple[int, int, int], margin: int) -> None:
    top, left = np.rint(np.asarray(place) * PIXELS).astype(int) + margin
    size = PIXELS - 2 * margin
    picture[top : top + size, left : left + size] = colour


if __name__ == "__main__":
    record(Path(sys.argv[1]))
