"""One environment, Gymnasium's vectors in every mode, Stable-Baselines3's, and the trainer's own pay the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor

from tests.library.corridor import PROGRAM, SOURCE, Corridor, action
from vlmcar import (
    Bonus,
    CodeReward,
    CodeRewardVecEnv,
    CodeRewardVectorEnv,
    FrameInfo,
    Potential,
    Program,
    Sandbox,
)
from vlmcar.env.vector import FrameVecEnv
from vlmcar.program.judge import ProgramJudge
from vlmcar.reward.vector import RewardVecEnv

NUM_ENVS, STEPS, SEED = 3, 50, 4
FROM_THE_START = Program(
    PROGRAM.subtasks, SOURCE.replace("frame[0, 0, 0] >= 150", "int(frame[0, 0, 0]) >= 100 + initial[0, 0, 0]")
)
"""Half way is two places from where the episode began, which is not the same for all."""
REWARDS = [
    (Bonus(weights=None), 0.0),
    (Bonus(weights=[0.2, 3.0]), 0.5),
    (Potential(gamma=0.9, zero_terminal=False), 0.0),
    (Potential(gamma=0.9, zero_terminal=True), 2.0),
]
Played = Mapping[tuple[int, int], list[float]]
"""(environment, episode) -> its rewards; of whole episodes."""


@pytest.fixture(scope="module")
def judge() -> Iterator[ProgramJudge]:
    sandbox = Sandbox(startup_seconds=30.0, frame_seconds=0.2, memory_mb=256, batch=16, allow_weak=False)
    with ProgramJudge(FROM_THE_START, sandbox) as made:
        yield made


class Diary:
    """Which action is due in which environment, and what was paid for it."""

    def __init__(self, num_envs: int) -> None:
        self.paid: dict[tuple[int, int], list[float]] = defaultdict(list)
        self.done: dict[tuple[int, int], int] = {}
        self.episode = [0] * num_envs

    def action(self, env: int) -> int:
        return action(env, self.episode[env], len(self.paid[env, self.episode[env]]))

    def take(self, env: int, reward: float, ended: bool, subtasks_done: int) -> None:
        key = env, self.episode[env]
        self.paid[key].append(float(reward))
        if ended:
            self.done[key] = subtasks_done
            self.episode[env] += 1

    def whole(self) -> Played:
        return {key: self.paid[key] for key in self.done}


def single(judge: Any, reward: Any, env_reward: float) -> Diary:
    diary = Diary(NUM_ENVS)
    for i in range(NUM_ENVS):
        env = CodeReward(Corridor(), judge, reward, env_reward)
        env.reset(seed=SEED + i)
        for _ in range(STEPS):
            _, paid, terminated, truncated, info = env.step(diary.action(i))
            diary.take(i, paid, terminated or truncated, info["subtasks_done"])
            assert info["progress"].shape == (2,)
            if terminated or truncated:
                env.reset()
        env.close()
    return diary


def gymnasium_vector(kind: Callable[..., Any], mode: AutoresetMode) -> Callable[..., Diary]:
    def play(judge: Any, reward: Any, env_reward: float) -> Diary:
        inner = kind([lambda: FrameInfo(Corridor())] * NUM_ENVS, autoreset_mode=mode)
        env = CodeRewardVectorEnv(inner, judge, reward, env_reward)
        diary = Diary(NUM_ENVS)
        env.reset(seed=SEED)
        over = np.zeros(NUM_ENVS, dtype=bool)
        for _ in range(STEPS):
            _, paid, terminated, truncated, infos = env.step(
                np.array([diary.action(i) for i in range(NUM_ENVS)])
            )
            ended = terminated | truncated
            began = over if mode == AutoresetMode.NEXT_STEP else np.zeros(NUM_ENVS, dtype=bool)
            for i in np.flatnonzero(~began):
                diary.take(i, paid[i], ended[i], infos["subtasks_done"][i])
            assert not paid[began].any()
            np.testing.assert_array_equal(infos["_subtasks_done"], ~began)
            assert not any("frame" in key for key in (*infos, *infos.get("final_info", {})))
            if mode == AutoresetMode.DISABLED and ended.any():
                env.reset(options={"reset_mask": ended})
            over = ended
        env.close()
        return diary

    return play


def sb3(make: Callable[[list[Any]], Any]) -> Callable[..., Diary]:
    def play(judge: Any, reward: Any, env_reward: float) -> Diary:
        venv = CodeRewardVecEnv(make([lambda: FrameInfo(Corridor())] * NUM_ENVS), judge, reward, env_reward)
        venv.seed(SEED)
        return _stepped(venv)

    return play


def trainer(judge: Any, reward: Any, env_reward: float) -> Diary:
    venv = FrameVecEnv([Corridor] * NUM_ENVS, range(SEED, SEED + NUM_ENVS), with_frames=True)
    return _stepped(RewardVecEnv(venv, judge, reward, env_reward))


def _stepped(venv: Any) -> Diary:
    diary = Diary(NUM_ENVS)
    venv.reset()
    for _ in range(STEPS):
        _, paid, dones, infos = venv.step(np.array([diary.action(i) for i in range(NUM_ENVS)]))
        for i, info in enumerate(infos):
            diary.take(i, paid[i], dones[i], info.get("subtasks_done", -1))
            assert "vlmcar_frame" not in info
    venv.close()
    return diary


FORMS = {
    **{
        f"{kind.__name__}-{mode.value}": gymnasium_vector(kind, mode)
        for kind in (SyncVectorEnv, AsyncVectorEnv)
        for mode in AutoresetMode
    },
    "DummyVecEnv": sb3(DummyVecEnv),
    "SubprocVecEnv": sb3(lambda makers: SubprocVecEnv(makers, start_method="fork")),
    "VecMonitor": sb3(lambda makers: VecMonitor(DummyVecEnv(makers))),
    "trainer": trainer,
}


@pytest.fixture(scope="module")
def alone(judge: ProgramJudge) -> Mapping[int, Diary]:
    return {number: single(judge, *pay) for number, pay in enumerate(REWARDS)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", range(len(REWARDS)))
def test_every_form_pays_what_one_environment_is_paid(
    form: str, number: int, judge: ProgramJudge, alone: Mapping[int, Diary]
) -> None:
    diary, wanted = FORMS[form](judge, *REWARDS[number]), alone[number]
    whole, all_wanted = diary.whole(), wanted.whole()
    assert len(whole) >= 9  # of those that take a step to reset, too
    for key, rewards in whole.items():
        np.testing.assert_allclose(rewards, all_wanted[key], rtol=1e-6, err_msg=f"{form} {key}")
        assert diary.done[key] == wanted.done[key]


def test_the_last_frame_is_what_some_of_it_hangs_on(alone: Mapping[int, Diary]) -> None:
    bonus = alone[0].whole()
    got_there = [rewards for key, rewards in bonus.items() if alone[0].done[key] == 2]
    assert len(got_there) >= 3
    assert all(
        rewards[-1] == 0.5 for rewards in got_there
    )  # paid by the terminal frame, which no reset shows
    assert any(alone[0].done[key] < 2 for key in bonus)  # and some are cut off


def test_gymnasium_vectors_keep_their_own_rewards_beside(judge: ProgramJudge) -> None:
    env = CodeRewardVectorEnv(
        SyncVectorEnv([lambda: FrameInfo(Corridor())], autoreset_mode=AutoresetMode.SAME_STEP), judge
    )
    env.reset(seed=0)
    while True:
        _, paid, terminated, _, infos = env.step(np.array([1]))
        if terminated[0]:
            break
    assert (infos["env_reward"][0], paid[0]) == (1.0, 0.5)
    assert infos["progress"][0].tolist() == [1, 1]  # of the episode that ended, not of the one that begins
    assert infos["subtasks_done"].tolist() == [2]
    env.close()


def test_whoever_resets_a_vector_by_hand_loses_no_step(judge: ProgramJudge) -> None:
    env = CodeRewardVectorEnv(SyncVectorEnv([lambda: FrameInfo(Corridor())]), judge)
    for _ in range(2):
        env.reset(seed=0)
        paid = []
        while True:
            _, rewards, terminated, _, infos = env.step(np.array([1]))
            paid.append(rewards[0])
            assert infos["_progress"].all()
            if terminated[0]:
                break
        assert [reward for reward in paid if reward] == [0.5, 0.5]
        assert paid.index(0.5) == 1  # the second step
    env.close()


def test_a_cleanrl_style_loop(judge: ProgramJudge) -> None:
    """As a script has it: ``make_vec``, statistics around, and a terminal observation that is bootstrapped."""
    gymnasium.register("vlmcar/Corridor-v0", entry_point=Corridor)
    envs = gymnasium.make_vec(
        "vlmcar/Corridor-v0",
        num_envs=4,
        vectorization_mode="sync",
        wrappers=[FrameInfo],
        render_mode="rgb_array",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(CodeRewardVectorEnv(envs, judge))
    envs.reset(seed=1)
    returns = []
    for _ in range(40):
        _, _, _, _, infos = envs.step(np.ones(4, dtype=np.int64))
        if "episode" in infos:
            returns += infos["episode"]["r"][infos["_episode"]].tolist()
    assert len(returns) >= 4 * 40 // 5 - 4
    assert set(returns) == {1.0}  # who goes straight on is paid in full each time
    envs.close()
