"""What the wrappers take, what they refuse, and what they leave behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np
import psutil
import pytest
from gymnasium.vector import SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from tests.library.corridor import PROGRAM, SOURCE, Corridor
from vlmcar import CodeReward, CodeRewardVecEnv, CodeRewardVectorEnv, FrameInfo, Potential, Sandbox
from vlmcar.program.judge import ProgramJudge
from vlmcar.types import ConfigError

SIZED = dataclasses.replace(PROGRAM, frame_size=(8, 8))


def straight(env: gymnasium.Env) -> list[float]:
    env.reset(seed=0)
    paid: list[float] = []
    while True:
        _, reward, terminated, truncated, _ = env.step(1)
        paid.append(float(reward))
        if terminated or truncated:
            return paid


def workers() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "walk.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path / "walk.py"


@pytest.mark.parametrize("given", ["program", "path", "text"])
def test_a_program_or_its_path_is_judged_in_a_sandbox_that_closes(given: str, path: Path) -> None:
    before = workers()
    env = CodeReward(Corridor(), {"program": PROGRAM, "path": path, "text": str(path)}[given])
    assert sum(straight(env)) == 1.0
    assert isinstance(env.judge, ProgramJudge)
    assert workers() > before
    env.close()
    env.close()
    assert workers() == before


def test_it_closes_with_the_last_one_who_knows_it() -> None:
    before = workers()
    env = CodeReward(Corridor(), PROGRAM)
    straight(env)
    del env
    assert workers() == before


def test_a_judge_is_its_makers_to_close(sandbox: Sandbox) -> None:
    with ProgramJudge(PROGRAM, sandbox) as judge:
        env = CodeReward(Corridor(), judge)
        straight(env)
        asked = judge.frames_judged
        env.close()
        straight(CodeReward(Corridor(), judge))
        assert judge.frames_judged == asked > 0  # it remembers: nobody closed it


def test_a_sandbox_of_ones_own(sandbox: Sandbox) -> None:
    env = CodeReward(Corridor(), PROGRAM, sandbox=sandbox)
    assert env.judge.sandbox is sandbox


def test_rewards_by_their_words(sandbox: Sandbox) -> None:
    with ProgramJudge(PROGRAM, sandbox) as judge:
        by_word = straight(CodeReward(Corridor(), judge, "potential"))
        by_hand = straight(CodeReward(Corridor(), judge, Potential(gamma=0.99, zero_terminal=False)))
        assert by_word == by_hand != straight(CodeReward(Corridor(), judge, "bonus"))
        assert straight(CodeReward(Corridor(), judge, "every_frame")) != by_hand
        with_env = straight(CodeReward(Corridor(), judge, env_reward=2.0))
        assert with_env[-1] == 2.5
    with pytest.raises(
        ConfigError, match="reward=bonsu is no choice; there are: bonus, every_frame, potential"
    ):
        CodeReward(Corridor(), PROGRAM, "bonsu")
    with pytest.raises(ConfigError, match="must be"):
        CodeReward(Corridor(), PROGRAM, 3)
    with pytest.raises(ConfigError, match=r"env_reward=0 .*zero_terminal=false"):
        CodeReward(Corridor(), PROGRAM, Potential(gamma=0.9, zero_terminal=True))


def test_an_environment_that_draws_nothing_is_refused() -> None:
    for wrap in (lambda env: CodeReward(env, PROGRAM), FrameInfo):
        with pytest.raises(ConfigError, match=r"render_mode=None.*render_mode=\"rgb_array\""):
            wrap(Corridor(render_mode=None))


def test_what_is_no_program_is_refused() -> None:
    with pytest.raises(ConfigError, match="Corridor is no program"):
        CodeReward(Corridor(), Corridor())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shown", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), None, np.zeros((0, 8, 3), np.uint8)]
)
def test_frames_that_are_none_are_refused(shown: Any) -> None:
    env = CodeReward(Corridor(), PROGRAM, frame=lambda env: shown)
    with pytest.raises(ConfigError, match=r"frame\(env\) gave .*uint8 \(height, width, 3\)"):
        env.reset()
    env.close()


def test_frames_of_another_size_are_refused_where_the_programs_is_known() -> None:
    env = CodeReward(Corridor(size=12), SIZED)
    with pytest.raises(
        ConfigError, match=r"12 x 12 pixels.*verified on 8 x 8.*cv2\.resize\(env\.render\(\), \(8, 8\)"
    ):
        env.reset()
    vector = CodeRewardVectorEnv(SyncVectorEnv([lambda: FrameInfo(Corridor(size=12))]), SIZED)
    with pytest.raises(ConfigError, match="12 x 12 pixels"):
        vector.reset()
    venv = CodeRewardVecEnv(DummyVecEnv([lambda: FrameInfo(Corridor(size=12))]), SIZED)
    with pytest.raises(ConfigError, match="12 x 12 pixels"):
        venv.reset()


def smaller(env: gymnasium.Env) -> Any:
    return cv2.resize(env.render(), (8, 8), interpolation=cv2.INTER_AREA)  # type: ignore[call-overload]


def test_and_taken_as_the_message_says() -> None:
    env = CodeReward(Corridor(render_mode=None, size=12), SIZED, frame=smaller)
    assert sum(straight(env)) == 1.0
    env.close()
    vector = CodeRewardVectorEnv(SyncVectorEnv([lambda: FrameInfo(Corridor(size=12), smaller)]), SIZED)
    vector.reset(seed=0)
    assert sum(float(vector.step(np.ones(1, int))[1][0]) for _ in range(5)) == 1.0
    vector.close()


def test_environments_that_tell_no_frames_are_refused() -> None:
    vector = CodeRewardVectorEnv(SyncVectorEnv([Corridor]), PROGRAM)
    with pytest.raises(ConfigError, match="wrap each in FrameInfo.*SyncVectorEnv"):
        vector.reset()
    venv = CodeRewardVecEnv(DummyVecEnv([Corridor]), PROGRAM)
    with pytest.raises(ConfigError, match="wrap each in FrameInfo.*make_vec_env"):
        venv.reset()


def test_a_vector_that_does_not_say_when_it_resets_is_refused() -> None:
    inner = SyncVectorEnv([lambda: FrameInfo(Corridor())])
    inner.metadata = {}
    with pytest.raises(ConfigError, match='metadata\\["autoreset_mode"\\] is None'):
        CodeRewardVectorEnv(inner, PROGRAM)


def test_stable_baselines3_learns_on_one_environment_and_on_a_vector(sandbox: Sandbox) -> None:
    with ProgramJudge(PROGRAM, sandbox) as judge:
        model = PPO(
            "MlpPolicy", CodeReward(Corridor(), judge), n_steps=64, batch_size=64, device="cpu", seed=0
        )
        model.learn(256)
        alone = [episode["r"] for episode in model.ep_info_buffer or []]
        inner = make_vec_env(
            Corridor, 4, wrapper_class=FrameInfo, seed=0
        )  # with its Monitor, of the own reward
        venv = VecMonitor(CodeRewardVecEnv(inner, judge), info_keywords=("subtasks_done",))
        model = PPO("MlpPolicy", venv, n_steps=32, batch_size=64, device="cpu", seed=0)
        model.learn(512)
        beside = [(episode["r"], episode["subtasks_done"]) for episode in model.ep_info_buffer or []]
    assert len(alone) > 10
    assert set(alone) <= {0.0, 0.5, 1.0} != {0.0}
    assert len(beside) > 20
    assert all(reward == 0.5 * done for reward, done in beside)
    assert {done for _, done in beside} >= {1, 2}
