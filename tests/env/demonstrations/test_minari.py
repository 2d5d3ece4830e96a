"""Episodes of real Minari datasets, made here."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import minari
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from minari.data_collector import EpisodeBuffer

from vlmcar.env.demonstrations import read
from vlmcar.types import ConfigError, VlmcarError

PICTURES = spaces.Box(0, 255, (48, 64, 3), np.uint8)
SEEDS = (7, 2**40)
STEPS = 12


class Moody(CartPoleEnv):
    """CartPole that draws its starts from a generator of its own, whatever the seed says."""

    mood = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        observation, info = super().reset(seed=seed, options=options)
        self.state = self.mood.uniform(-0.05, 0.05, 4)
        return self.state.astype(observation.dtype), info


class Nested(gymnasium.Env):
    """Observations of every kind that lie in one another; its pictures show where it stands."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    observation_space = spaces.Dict(
        {
            "place": spaces.Tuple((spaces.Discrete(100), spaces.Box(0, 1, (2,), np.float32))),
            "said": spaces.Text(8, charset="ab"),
            "view": spaces.Box(0, 255, (40, 40, 3), np.uint8),
        }
    )
    action_space = spaces.Dict({"by": spaces.Discrete(3)})

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.canvas = np.zeros((8, 8, 3), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(50))
        return self._seen(), {}

    def step(self, action: Any) -> tuple[dict, float, bool, bool, dict]:
        self.place += int(action["by"])
        return self._seen(), float(action["by"]), False, False, {}

    def render(self) -> np.ndarray:
        self.canvas[:] = self.place  # one array for all frames, as some environments have it
        return self.canvas

    def _seen(self) -> dict:
        view = np.full((40, 40, 3), self.place, np.uint8)
        view[::2] = 255 - self.place  # which a JPEG does not keep exactly
        share = np.array([self.place / 100, 0.5], np.float32)
        return {"place": (self.place, share), "said": "a" if self.place % 2 else "b", "view": view}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    gymnasium.register("Moody-v0", entry_point=f"{__name__}:Moody", max_episode_steps=500)
    gymnasium.register("Nested-v0", entry_point=f"{__name__}:Nested")
    yield tmp_path
    del gymnasium.registry["Moody-v0"], gymnasium.registry["Nested-v0"]


def kept(dataset_id: str, buffers: list[EpisodeBuffer], **settings: Any) -> str:
    """Make a dataset, without Minari's advice about authors and licences."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minari.create_dataset_from_buffers(dataset_id, buffers, **settings)
    return f"minari:{dataset_id}"


def act(env: gymnasium.Env, number: int, seed: int) -> EpisodeBuffer:
    """An episode of random actions."""
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    observations, rows = [observation], []
    for _ in range(STEPS):
        action = env.action_space.sample()
        observation, reward, terminated, truncated, _ = env.step(action)
        observations.append(observation)
        rows.append((action, reward, terminated, truncated))
        if terminated or truncated:
            break
    actions, rewards, terminations, truncations = map(list, zip(*rows, strict=True))
    return EpisodeBuffer(
        number, seed, None, _columns(observations), _columns(actions), rewards, terminations, truncations
    )


def _columns(values: list[Any]) -> Any:
    """Nested values of steps, as nested lists over steps: how Minari wants them."""
    if isinstance(values[0], dict):
        return {key: _columns([value[key] for value in values]) for key in values[0]}
    if isinstance(values[0], tuple):
        return tuple(_columns(list(column)) for column in zip(*values, strict=True))
    return values


def acted(
    env_id: str, change: Callable[[EpisodeBuffer], EpisodeBuffer] = lambda buffer: buffer, **settings: Any
) -> str:
    """A dataset of two episodes."""
    env = gymnasium.make(env_id, **settings)
    buffers = [change(act(env, number, seed)) for number, seed in enumerate(SEEDS)]
    return kept(f"test/{env_id.lower()}", buffers, env=env)


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_episodes_are_acted_out_and_drawn(env_id: str) -> None:
    trajectories = read(acted(env_id))
    env = gymnasium.make(env_id, render_mode="rgb_array")
    for trajectory, seed in zip(trajectories, SEEDS, strict=True):
        env.reset(seed=seed)
        np.testing.assert_array_equal(trajectory.frames[0], env.render())
        for step, action in enumerate(trajectory.actions):
            _, reward, *_ = env.step(action)
            assert trajectory.rewards[step] == pytest.approx(float(reward), rel=1e-5)
            np.testing.assert_array_equal(trajectory.frames[step + 1], env.render())
        assert (trajectory.seed, trajectory.kind, trajectory.success) == (seed, "expert", True)
        assert trajectory.actions.dtype == (np.int64 if env_id == "CartPole-v1" else np.float32)
        assert (trajectory.frames[0] != trajectory.frames[-1]).any()
    env.close()


def test_observations_and_actions_within_others() -> None:
    first, second = read(acted("Nested-v0"))
    assert first.actions.shape == (STEPS, 0)  # a dict is neither of the two kinds that a trajectory knows
    for trajectory in (first, second):
        moved = np.cumsum([0, *trajectory.rewards])
        np.testing.assert_array_equal(trajectory.frames[:, 0, 0, 0], trajectory.frames[0, 0, 0, 0] + moved)


def test_pictures_are_taken_as_they_are() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (STEPS + 1, 6, 8, 3), np.uint8)
    frames = frames.repeat(8, axis=1).repeat(8, axis=2)  # blocks, as JPEG keeps them well
    buffer = EpisodeBuffer(
        0, None, None, list(frames), [0] * STEPS, [0.5] * STEPS, [False] * STEPS, [False] * STEPS
    )
    source = kept("test/pictures-v0", [buffer], observation_space=PICTURES, action_space=spaces.Discrete(2))
    (trajectory,) = read(source)
    assert trajectory.frames.shape == frames.shape
    assert np.abs(trajectory.frames.astype(int) - frames).mean() < 15  # red and blue exchanged: 60
    assert trajectory.rewards.tolist() == [0.5] * STEPS
    assert (trajectory.seed, trajectory.success) == (0, True)


def test_an_episode_that_says_that_it_failed() -> None:
    def told(buffer: EpisodeBuffer) -> EpisodeBuffer:
        solved = np.zeros(STEPS + 1, bool)
        solved[-1] = buffer.id == 0
        return replace(buffer, infos={"is_success": solved})

    assert [trajectory.success for trajectory in read(acted("Pendulum-v1", told))] == [True, False]


AGAIN = "cannot be acted out again .*: record its frames, as RGB observations or as npz files"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: replace(b, seed=b.seed + 1), "observation before step 1 is another one"),
        (lambda b: replace(b, seed=None), "its seed was not recorded"),
        (
            lambda b: replace(b, actions=[1 - b.actions[0], *b.actions[1:]]),
            "observation before step 2 is another",
        ),
        (
            lambda b: replace(b, actions=[*b.actions[:-1], 1 - b.actions[-1]]),
            "the last observation is another",
        ),
        (lambda b: replace(b, rewards=[*b.rewards[:-1], 0.9]), "leads to another reward or end"),
        (
            lambda b: replace(b, terminations=[*b.terminations[:-1], not b.terminations[-1]]),
            "leads to another reward or end",
        ),
    ],
)
def test_what_was_not_recorded_so_is_not_shown(
    change: Callable[[EpisodeBuffer], EpisodeBuffer], message: str
) -> None:
    with pytest.raises(
        VlmcarError, match=rf"episode 0 of the Minari dataset test/cartpole-v1 {AGAIN}"
    ) as error:
        read(acted("CartPole-v1", change))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["place", "said"])
def test_what_lies_in_others_is_compared_too(part: str) -> None:
    def change(buffer: EpisodeBuffer) -> EpisodeBuffer:
        observations = dict(buffer.observations)
        if part == "said":
            observations["said"] = ["ab", *observations["said"][1:]]
        else:
            number, share = observations["place"]
            observations["place"] = (number, [share[0] + 0.1, *share[1:]])
        return replace(buffer, observations=observations)

    with pytest.raises(VlmcarError, match=AGAIN):
        read(acted("Nested-v0", change))


def test_an_environment_that_its_seed_does_not_decide() -> None:
    with pytest.raises(VlmcarError, match=AGAIN):
        read(acted("Moody-v0"))


def test_observations_of_another_space_cannot_be_compared() -> None:
    env = gymnasium.make("CartPole-v1")
    source = kept(
        "test/half-v0", [act(env, 0, 0)], env=env, observation_space=spaces.Box(-9, 9, (4,), np.float32)
    )
    with pytest.raises(VlmcarError, match="its observations are of another space than the environment's"):
        read(source)


def test_an_environment_that_is_not_installed() -> None:
    env = gymnasium.make("CartPole-v1")
    gone = kept("test/gone-v0", [act(env, 0, 0)], env=env)
    stored = next(Path(minari.load_dataset("test/gone-v0").storage.data_path).glob("*.json"))
    stored.write_text(
        stored.read_text().replace("gymnasium.envs.classic_control", "a_package_that_is_not_there")
    )
    with pytest.raises(VlmcarError, match=r"CartPole-v1, cannot be made here \(No module named .a_package"):
        read(gone)


def test_a_dataset_without_an_environment() -> None:
    env = gymnasium.make("CartPole-v1")
    spaces_ = {"observation_space": env.observation_space, "action_space": env.action_space}
    with pytest.raises(
        VlmcarError, match="keeps neither pictures nor its environment: record the frames, too"
    ):
        read(kept("test/alone-v0", [act(env, 0, 0)], **spaces_))


def test_a_dataset_that_is_not_here() -> None:
    with pytest.raises(ConfigError, match="minari download no/where-v0, or set MINARI_DATASETS_PATH"):
        read("minari:no/where-v0")


@pytest.mark.parametrize("name", ["metadata.json", "main_data.hdf5"])
def test_a_dataset_that_is_broken(folder: Path, name: str) -> None:
    source = acted("CartPole-v1")
    (path,) = folder.glob(f"test/cartpole-v1/data/{name}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        VlmcarError, match=r"the Minari dataset test/cartpole-v1 cannot be read \(.+\): download"
    ):
        read(source)


def test_without_minari(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(ConfigError, match=r"pip install 'vlmcar\[minari\]'"):
        read("minari:any/thing-v0")
