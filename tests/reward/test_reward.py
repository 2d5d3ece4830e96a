"""Rewards with answers computed by hand, on one environment and on many."""

from __future__ import annotations

import itertools

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from vlmcar import CodeReward
from vlmcar.env.minigrid import MiniGrid
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.bonus import Bonus
from vlmcar.reward.potential import Potential
from vlmcar.reward.tracker import InOrder
from vlmcar.reward.vector import RewardVecEnv
from vlmcar.types import ConfigError, Frames, Program


def update(order: InOrder, *progress: float) -> list[bool]:
    return order.update(np.array([progress], dtype=np.float32))[0].tolist()


def test_subtasks_count_in_order_once_and_stay_counted() -> None:
    order = InOrder(1, 3)
    assert update(order, 0, 1, 1) == [False, False, False]  # the first is missing
    assert update(order, 1, 0, 0) == [True, False, False]
    assert update(order, 1, 0, 0) == [False, False, False]  # already counted
    assert update(order, 0, 1, 0) == [False, True, False]  # the first may be undone by now
    assert order.count.tolist() == [2]
    order.reset(np.array([True]))
    assert update(order, 1, 1, 1) == [True, True, True]  # several in one step


def test_progress_below_one_is_not_done() -> None:
    assert update(InOrder(1, 1), 0.999) == [False]


def test_environments_are_counted_apart() -> None:
    order = InOrder(2, 2)
    order.update(np.array([[1, 0], [1, 1]], dtype=np.float32))
    assert order.count.tolist() == [1, 2]
    order.reset(np.array([False, True]))
    assert order.count.tolist() == [1, 0]


class Table:
    """A judge that looks its answer up by the value of the frame's first pixel."""

    num_subtasks = 2

    def __init__(self, rows: dict[int, tuple[float, float]]) -> None:
        self.rows = rows

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        return np.array([self.rows[int(frame[0, 0, 0])] for frame in frames], dtype=np.float32)

    def close(self) -> None:
        pass


class Counter(gymnasium.Env):
    """Shows the number of steps as grey; pays 1 and ends at step ``last``."""

    observation_space = gymnasium.spaces.Box(0, 255, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    render_mode = "rgb_array"

    def __init__(self, last: int) -> None:
        self.last = last

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.step_count = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        self.step_count += 1
        done = self.step_count == self.last
        info = {"is_success": True} if done else {}
        return np.full(1, self.step_count, dtype=np.float32), float(done), done, False, info

    def render(self):
        return np.full((2, 2, 3), self.step_count, dtype=np.uint8)


ROWS = {0: (0.0, 0.0), 1: (0.5, 0.0), 2: (1.0, 0.0), 3: (0.0, 0.5), 4: (1.0, 1.0)}


def paid(reward, env_reward: float) -> list[float]:
    env = CodeReward(Counter(4), Table(ROWS), reward, env_reward)
    env.reset()
    return [float(env.step(0)[1]) for _ in range(4)]


def test_bonus_by_hand() -> None:
    assert paid(Bonus(weights=None), 0.0) == [0, 0.5, 0, 0.5]
    assert paid(Bonus(weights=[0.2, 3.0]), 0.0) == pytest.approx([0, 0.2, 0, 3.0])
    assert paid(Bonus(weights=None), 2.0) == [0, 0.5, 0, 2.5]


def test_potential_by_hand() -> None:
    potentials = [0, 0.25, 0.5, 0.25, 1.0]
    expected = [0.9 * b - a for a, b in itertools.pairwise(potentials)]
    assert paid(Potential(gamma=0.9, zero_terminal=False), 0.0) == pytest.approx(expected)
    expected[-1] = 1.0 - potentials[-2]  # Phi is 0 at termination; the environment pays 1
    assert paid(Potential(gamma=0.9, zero_terminal=True), 1.0) == pytest.approx(expected)


def test_discounted_shaping_telescopes_to_the_ends_of_the_episode() -> None:
    gamma = 0.9
    rewards = paid(Potential(gamma=gamma, zero_terminal=False), 0.0)
    discounted = sum(gamma**t * reward for t, reward in enumerate(rewards))
    assert discounted == pytest.approx(gamma**4 * 1.0 - 0.0)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 numbers for 2 sub-tasks"):
        Bonus(weights=[1, 2, 3]).start(1, 2)
    with pytest.raises(ConfigError, match="weights"):
        Bonus(weights=[-1.0])
    with pytest.raises(ConfigError, match="gamma"):
        Potential(gamma=0.0, zero_terminal=False)
    with pytest.raises(ConfigError, match="method.env_reward"):
        Potential(gamma=0.9, zero_terminal=True).check_with(0.0)


def counting_vec(
    last: int, num_envs: int, judge, reward, env_reward: float, ask_every: int = 1
) -> RewardVecEnv:
    from vlmcar.env.vector import FrameVecEnv

    venv = FrameVecEnv([lambda: Counter(last)] * num_envs, range(num_envs), with_frames=judge is not None)
    return RewardVecEnv(venv, judge, reward, env_reward, ask_every)


@pytest.mark.parametrize("reward", [Bonus(weights=None), Potential(gamma=0.9, zero_terminal=False)])
def test_vector_and_single_wrapper_pay_the_same_over_episodes(reward) -> None:
    venv = counting_vec(4, 2, Table(ROWS), reward, 0.5)
    venv.reset()
    rows = np.array([venv.step(np.zeros(2, dtype=int))[1] for _ in range(8)])
    np.testing.assert_allclose(rows[:4, 0], paid(reward, 0.5), rtol=1e-6)
    np.testing.assert_allclose(rows[4:], rows[:4])  # nothing is carried into the next episode
    np.testing.assert_array_equal(rows[:, 0], rows[:, 1])


class Asked(Table):
    """Remembers which frames it was asked about."""

    def __init__(self, rows: dict[int, tuple[float, float]]) -> None:
        super().__init__(rows)
        self.asked: list[int] = []

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        assert (initial == 0).all()
        self.asked += [int(frame[0, 0, 0]) for frame in frames]
        return super().progress(initial, frames)


def test_between_two_looks_the_last_answer_holds_and_the_last_frame_is_always_judged() -> None:
    judge = Asked(ROWS | {5: (1.0, 1.0), 6: (1.0, 0.0), 7: (1.0, 1.0)})
    venv = counting_vec(7, 1, judge, Bonus(weights=None), 0.0, ask_every=3)
    venv.reset()
    rewards = [float(venv.step(np.zeros(1, dtype=int))[1][0]) for _ in range(14)]
    assert judge.asked == [3, 6, 7, 3, 6, 7]  # the count begins anew with each episode
    # Frame 2 shows the first sub-task done and nobody looked; frame 6 shows it again, frame 7 the second.
    assert rewards == [0, 0, 0, 0, 0, 0.5, 0.5] * 2


def test_shaping_pays_nothing_where_nobody_looked() -> None:
    judge = Asked(ROWS)
    venv = counting_vec(4, 1, judge, Potential(gamma=1.0, zero_terminal=False), 0.0, ask_every=2)
    venv.reset()
    rewards = [float(venv.step(np.zeros(1, dtype=int))[1][0]) for _ in range(4)]
    assert judge.asked == [0, 2, 4, 0]  # the first frames, too, since their potential is needed
    assert rewards == [0, 0.5, 0, 0.5]


class Told:
    """A judge that says what it is told, and counts environments asked about."""

    num_subtasks = 1

    def __init__(self) -> None:
        self.batches: list[int] = []

    def progress_given(self, initial: Frames, frames: Frames, truth) -> NDArray[np.float32]:
        self.batches.append(len(frames))
        return truth["on_goal"].astype(np.float32)[:, None]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("ask_every", [1, 4])
def test_a_judge_that_is_told_ground_truth_pays_by_it(doorkey: MiniGrid, ask_every: int) -> None:
    expert, judge = doorkey.expert(3), Told()
    source = doorkey.make_vec(2, [3, 4], True, True, truth=True)
    venv = RewardVecEnv(source, judge, Bonus(weights=None), 0.0, ask_every)
    venv.reset()
    rewards = [venv.step(np.array([action, 0]))[1].tolist() for action in expert.actions]
    assert rewards == [[0, 0]] * (len(rewards) - 1) + [[1, 0]]
    if ask_every == 4 and len(rewards) % 4:
        assert judge.batches == [2] * (len(rewards) // 4) + [1]  # the last: only the one that ended


def test_without_being_made_for_it_an_environment_tells_no_ground_truth(doorkey: MiniGrid) -> None:
    source = doorkey.make_vec(1, [3], True, True)
    venv = RewardVecEnv(source, Told(), Bonus(weights=None), 0.0)
    venv.reset()
    with pytest.raises(AttributeError, match="truth"):
        venv.step(np.array([0]))


def test_the_end_of_an_episode_tells_return_and_subtasks() -> None:
    venv = counting_vec(4, 1, Table(ROWS), Bonus(weights=None), 2.0)
    venv.reset()
    for _ in range(4):
        _, _, dones, infos = venv.step(np.zeros(1, dtype=int))
    assert dones[0]
    assert infos[0]["reward_return"] == 3.0
    assert infos[0]["subtasks_done"] == 2
    assert infos[0]["episode"] == {"r": 1.0, "l": 4}


def test_without_a_judge_the_environment_pays() -> None:
    venv = counting_vec(3, 1, None, None, 1.0)
    venv.reset()
    assert [float(venv.step(np.zeros(1, dtype=int))[1][0]) for _ in range(3)] == [0, 0, 1]


def test_a_real_program_pays_the_expert_in_full_and_its_last_frame_too(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox
) -> None:
    expert = doorkey.expert(3)
    with ProgramJudge(doorkey_program, sandbox) as judge:
        venv = RewardVecEnv(doorkey.make_vec(1, [3], True, True), judge, Bonus(weights=None), 0.0)
        venv.reset()
        rewards = [float(venv.step(np.array([action]))[1][0]) for action in expert.actions]
    truth = doorkey.truth(expert)
    steps = [int(truth[name].argmax()) - 1 for name in ("holding_key", "locked_door_open", "on_goal")]
    assert np.flatnonzero(rewards).tolist() == steps
    assert sum(rewards) == pytest.approx(1.0)
    assert rewards[-1] > 0  # the goal is only to be seen on the terminal frame
