"""Environments of gymnasium, saved in the middle of an episode: exactly, or not at all."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils import EzPickle

from tests.training.line import Line, Told
from vlmcar.env import saving
from vlmcar.env.vector import FrameVecEnv

KINDS = [
    "Acrobot-v1",
    "CartPole-v1",
    "CliffWalking-v1",
    "FrozenLake-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
]


def drawn(env_id: str) -> Callable[[], gymnasium.Env]:
    return lambda: Told(gymnasium.make(env_id, render_mode="rgb_array", max_episode_steps=23))


@pytest.mark.parametrize("env_id", KINDS)
@pytest.mark.parametrize("draws", [False, True])
def test_it_is_found_to_go_on(env_id: str, draws: bool) -> None:
    assert saving.goes_on(drawn(env_id), draws)


@pytest.mark.parametrize("env_id", KINDS)
def test_side_by_side_they_go_on_as_the_ones_saved(env_id: str) -> None:
    one, other = (FrameVecEnv([drawn(env_id)] * 3, range(n, n + 3), True) for n in (0, 50))
    one.reset()
    space = one.action_space
    space.seed(0)
    for _ in range(31):
        one.step(np.array([space.sample() for _ in range(3)]))
    state = one.state()
    assert state is not None
    other.set_state(pickle.loads(pickle.dumps(state)))
    for _ in range(60):  # over the end of two episodes
        actions = np.array([space.sample() for _ in range(3)])
        expected, found = one.step(actions), other.step(actions)
        np.testing.assert_equal(found, expected)
        for shown in ("frames", "initial", "reset_frames"):
            np.testing.assert_array_equal(getattr(other, shown), getattr(one, shown))
    one.close()
    other.close()


class World:
    """A physics engine's: it cannot be pickled."""

    def __init__(self) -> None:
        self.place = 0.0

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a world")


class InWorld(Line):
    """Its place is the world's, so that attributes are not all of its state."""

    def __init__(self) -> None:
        self.world = World()
        super().__init__()

    @property
    def place(self) -> float:
        return self.world.place

    @place.setter
    def place(self, place: float) -> None:
        self.world.place = place


class AsMade(Line, EzPickle):
    """Pickled as a whole it is one that was just made, without a word."""

    def __init__(self) -> None:
        Line.__init__(self)
        EzPickle.__init__(self)


class Window(Line):
    """Draws on what cannot be pickled and does not matter."""

    window: World | None = None

    def render(self) -> np.ndarray:
        self.window = self.window or World()
        return super().render()


class ByClock(Line):
    """Nobody knows where its noise is from."""

    def step(self, action: np.ndarray) -> Any:
        self.place += random.SystemRandom().uniform(0, 0.01)
        return super().step(action)


class Camera:
    """Draws what it holds, and cannot be pickled."""

    def __init__(self, places: np.ndarray) -> None:
        self.lens = {"sees": places}

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a camera")


class Filmed(Line):
    """Its renderer holds the state of the world, too, as MuJoCo's does."""

    def __init__(self) -> None:
        super().__init__()
        self.places = np.zeros(1)
        self.camera = Camera(self.places)

    def step(self, action: np.ndarray) -> Any:
        given = super().step(action)
        self.places[:] = self.place
        return given

    def render(self) -> np.ndarray:
        return np.full((4, 4, 3), 255 * (self.camera.lens["sees"][0] + 1) / 2, np.uint8)


class Shared(gymnasium.Wrapper):
    """Counts in a list that the environment it wraps holds, too, and has a rule that cannot be pickled."""

    def __init__(self, env: Line) -> None:
        super().__init__(env)
        self.counts = env.counts = [0]
        self.rule = lambda counts: float(counts[0])

    def step(self, action: np.ndarray) -> Any:
        self.unwrapped.counts[0] += 1
        observation, _, terminated, truncated, info = self.env.step(action)
        return observation, self.rule(self.counts), terminated, truncated, info


@pytest.mark.parametrize("draws", [False, True])
@pytest.mark.parametrize(
    ("make_env", "expected"),
    [
        (Line, True),
        (AsMade, True),
        (Window, True),
        (Filmed, True),
        (lambda: Shared(Line()), True),
        (lambda: Line("dict"), True),
        (InWorld, False),
        (ByClock, False),
    ],
)
def test_what_cannot_go_on_is_found_out(
    make_env: Callable[[], gymnasium.Env], expected: bool, draws: bool
) -> None:
    assert saving.goes_on(make_env, draws) is expected
    venv = FrameVecEnv([make_env] * 2, range(2), draws)
    venv.reset()
    assert (venv.state() is not None) is expected


def test_one_that_cannot_be_made_twice_has_no_state() -> None:
    made = [Line(), Line()]
    venv = FrameVecEnv([made.pop, made.pop], range(2), False)
    venv.reset()
    assert venv.state() is None


class Unseeded(Line):
    """Draws from the generators of Python and NumPy."""

    def step(self, action: np.ndarray) -> Any:
        self.place += 0.01 * (random.random() + np.random.random())  # noqa: NPY002
        return super().step(action)


def test_trying_draws_nothing_from_anybody() -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    saving.goes_on(Unseeded, True)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
