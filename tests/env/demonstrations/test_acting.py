"""Experts that act: saved policies and a person's own functions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import DQN, PPO, SAC

from vlmcar.env.demonstrations import acting
from vlmcar.types import ConfigError, VlmcarError


@pytest.fixture(scope="module")
def ppo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, PPO]:
    """A policy of CartPole after a few steps, and the model it was saved from."""
    path = tmp_path_factory.mktemp("policies") / "ppo.zip"
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=32, n_epochs=1, seed=0, device="cpu")
    model.learn(64)
    model.save(path)
    return str(path), model


@pytest.fixture
def cartpole() -> Iterator[gymnasium.Env]:
    env = gymnasium.make("CartPole-v1")
    yield env
    env.close()


def played(expert: Any, env: gymnasium.Env, seed: int) -> list[Any]:
    """The actions of an episode."""
    observation, _ = env.reset(seed=seed)
    policy = expert.start(env, seed)
    actions, done = [], False
    while not done:
        actions.append(policy(observation))
        assert env.action_space.contains(actions[-1])
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        done = terminated or truncated
    return actions


def test_a_saved_policy_plays_its_best_actions(ppo: tuple[str, PPO], cartpole: gymnasium.Env) -> None:
    path, model = ppo
    policy = acting(path, "ppo").start(cartpole, 0)
    observations = np.random.default_rng(0).normal(0, 1, (200, 4)).astype(np.float32)
    best, _ = model.predict(observations, deterministic=True)
    actions = [policy(observation) for observation in observations]
    assert actions == best.tolist()
    assert set(actions) == {0, 1}
    assert {type(action) for action in actions} == {int}
    assert played(acting(path, "PPO"), cartpole, 5) == played(acting(path, "ppo"), cartpole, 5)


def test_a_saved_policy_of_continuous_actions(tmp_path: Path) -> None:
    env = gymnasium.make("Pendulum-v1", max_episode_steps=20)
    SAC("MlpPolicy", env, buffer_size=10, seed=0, device="cpu").save(tmp_path / "sac.zip")
    actions = played(acting(str(tmp_path / "sac.zip"), "sac"), env, 0)
    assert {(action.shape, action.dtype) for action in actions} == {((1,), np.dtype(np.float32))}
    env.close()


class Pictures(gymnasium.Env):
    """Observations as most environments of pixels have them; Stable-Baselines3 trains on the channels first."""

    observation_space = spaces.Box(0, 255, (40, 48, 3), np.uint8)
    action_space = spaces.Discrete(4)


def test_a_saved_policy_of_pixels_sees_them_as_the_environment_shows_them(tmp_path: Path) -> None:
    env = Pictures()
    model = PPO("CnnPolicy", env, n_steps=8, batch_size=8, seed=0, device="cpu")
    model.save(tmp_path / "ppo.zip")
    assert model.observation_space.shape == (3, 40, 48)
    policy = acting(str(tmp_path / "ppo.zip"), "ppo").start(env, 0)
    pictures = np.random.default_rng(0).integers(0, 256, (5, 3, 40, 48), np.uint8)
    expected, _ = model.predict(pictures, deterministic=True)
    assert [policy(picture.transpose(1, 2, 0)) for picture in pictures] == expected.tolist()


class Recalls(gymnasium.Env):
    """Shows a number once; a policy that remembers nothing cannot know it later."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(5)

    def action_masks(self) -> np.ndarray:
        return np.arange(5) == self.allowed

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.allowed = 3
        return np.zeros(1, np.float32), {}


def test_policies_of_sb3_contrib_with_masks_and_memory(tmp_path: Path) -> None:
    contrib = pytest.importorskip("sb3_contrib")
    env = Recalls()
    contrib.MaskablePPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu").save(tmp_path / "mask.zip")
    observation, _ = env.reset(seed=0)
    policy = acting(str(tmp_path / "mask.zip"), "ppo_mask").start(env, 0)
    for env.allowed in range(5):
        assert policy(observation) == env.allowed

    model = contrib.RecurrentPPO("MlpLstmPolicy", env, n_steps=8, batch_size=8, seed=0, device="cpu")
    model.save(tmp_path / "lstm.zip")
    policy = acting(str(tmp_path / "lstm.zip"), "ppo_lstm").start(env, 0)
    state, observations = None, np.random.default_rng(0).uniform(-1, 1, (20, 1)).astype(np.float32)
    for number, seen in enumerate(observations):
        expected, state = model.predict(
            seen, state=state, episode_start=np.array([number == 0]), deterministic=True
        )
        assert policy(seen) == expected.item()


def test_a_policy_needs_its_file_and_its_algorithm(ppo: tuple[str, PPO]) -> None:
    path, _ = ppo
    with pytest.raises(
        ConfigError, match=r"ppo\.zip does not say which algorithm wrote it: .* a2c, .*ppo, .*tqc"
    ):
        acting(path)
    with pytest.raises(ConfigError, match="cannot say by algorithm=reinforce which algorithm wrote it"):
        acting(path, "reinforce")
    with pytest.raises(ConfigError, match=r"nowhere\.zip does not exist"):
        acting("nowhere.zip", "ppo")


def test_a_package_that_is_missing_is_named(
    ppo: tuple[str, PPO], cartpole: gymnasium.Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    with pytest.raises(ConfigError, match="algorithm=tqc needs one more package: pip install sb3-contrib"):
        acting(ppo[0], "tqc").start(cartpole, 0)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_broken_policy_is_one_line(tmp_path: Path, cartpole: gymnasium.Env, content: bytes) -> None:
    (tmp_path / "ppo.zip").write_bytes(content)
    with pytest.raises(
        VlmcarError, match=r"ppo\.zip cannot be loaded as a policy of ppo \(.+\): give the file"
    ) as error:
        acting(str(tmp_path / "ppo.zip"), "ppo").start(cartpole, 0)
    assert "\n" not in str(error.value)


def test_a_policy_of_another_algorithm_is_one_line(tmp_path: Path, cartpole: gymnasium.Env) -> None:
    DQN("MlpPolicy", cartpole, buffer_size=10, device="cpu").save(tmp_path / "dqn.zip")
    with pytest.raises(VlmcarError, match=r"dqn\.zip cannot be loaded as a policy of ppo") as error:
        acting(str(tmp_path / "dqn.zip"), "ppo").start(cartpole, 0)
    assert "\n" not in str(error.value)


def test_a_policy_of_another_environment_is_one_line(ppo: tuple[str, PPO]) -> None:
    env = gymnasium.make("Acrobot-v1")
    with pytest.raises(VlmcarError, match=r"acts in Discrete\(2\), the environment takes Discrete\(3\)"):
        acting(ppo[0], "ppo").start(env, 0)
    env.close()
    env = Recalls()
    env.action_space = spaces.Discrete(2)
    policy = acting(ppo[0], "ppo").start(env, 0)
    with pytest.raises(VlmcarError, match="cannot act on this environment's observations .* module:function"):
        policy(np.zeros(1, np.float32))


# module:function

MODULE = """
starts = []

def expert(env):
    starts.append(env.unwrapped)
    return lambda observation: int(observation[2] + observation[3] > 0)

class Remembers:
    def __init__(self, env):
        self.action = 0
    def __call__(self, observation):
        self.action = 1 - self.action
        return self.action

def policy(observation):
    return None

number = 7
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with modules of a person's own; other folders are as before afterwards."""
    (tmp_path / "my_experts.py").write_text(MODULE)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "balance.py").write_text(MODULE)
    (tmp_path / "my_typo.py").write_text("def expert(env)\n    pass")
    (tmp_path / "my_needs.py").write_text("import a_package_that_is_not_there")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.mark.parametrize("module", ["my_experts", "my_package.balance"])
def test_a_function_is_called_as_each_episode_begins(
    here: Path, cartpole: gymnasium.Env, module: str
) -> None:
    expert = acting(f"{module}:expert")
    assert module not in sys.modules  # not before it is needed
    assert len(played(expert, cartpole, 0)) > 150  # it would fall within 12 steps of one action
    assert len(played(expert, cartpole, 1)) > 150
    assert sys.modules[module].starts == [cartpole.unwrapped] * 2
    assert sys.path[0] == str(here)


def test_a_class_remembers_within_one_episode(here: Path, cartpole: gymnasium.Env) -> None:
    expert = acting("my_experts:Remembers")
    for _ in range(2):
        assert played(expert, cartpole, 0)[:3] == [1, 0, 1]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "my_nothing:expert",
            r"my_nothing:expert cannot be imported \(No module named 'my_nothing'\): .* in this folder",
        ),
        (
            "my_needs:expert",
            r"my_needs:expert cannot be imported \(No module named 'a_package_that_is_not_there'\)",
        ),
        ("my_typo:expert", r"my_typo:expert cannot be imported \(.*my_typo\.py, line 1\)"),
        ("my_experts:missing", r"my_experts has no missing: write function\(env\)"),
        ("my_experts:number", "my_experts:number is a int: it must be a function of the environment"),
        (
            "my_experts:policy",
            "my_experts:policy returned NoneType: .* must return a function from observation",
        ),
    ],
)
def test_functions_that_are_not_experts(
    here: Path, cartpole: gymnasium.Env, source: str, message: str
) -> None:
    with pytest.raises(VlmcarError, match=message) as error:
        acting(source).start(cartpole, 0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "source", ["expert", "my experts:expert", "a:b:c", "my_experts:", "./my_experts.py:expert"]
)
def test_what_names_no_function(source: str) -> None:
    with pytest.raises(
        ConfigError, match="is no expert: give a policy's .zip of Stable-Baselines3, or module:function"
    ):
        acting(source)


def test_a_function_has_no_algorithm(here: Path) -> None:
    with pytest.raises(
        ConfigError, match="algorithm=ppo belongs to a policy's .zip; for the function .* null"
    ):
        acting("my_experts:expert", "ppo")
