"""Asking ahead, in order and only once changes no reward: against asking everything at once."""

from __future__ import annotations

import os
import signal
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from vlmcar.env.minigrid import MiniGrid
from vlmcar.env.vector import FrameVecEnv
from vlmcar.program.audit import AuditedJudge
from vlmcar.program.errors import ProgramCrashed, ProgramImpure, ProgramTimedOut
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.bonus import Bonus
from vlmcar.reward.every_frame import EveryFrame
from vlmcar.reward.potential import Potential
from vlmcar.reward.vector import RewardVecEnv
from vlmcar.types import Frames, Program, SubTask

REWARDS = [
    Bonus(weights=None),
    EveryFrame(weights=None),
    Potential(gamma=0.9, zero_terminal=False),
    Potential(gamma=0.9, zero_terminal=True),
]
STEPS = 60


class AllAtOnce:
    """The same program, asked about every frame and every sub-task at every step."""

    def __init__(self, judge: ProgramJudge) -> None:
        self.judge = judge
        self.num_subtasks = judge.num_subtasks

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        return self.judge.progress(initial, frames)

    def close(self) -> None:
        self.judge.close()


class Walk(gymnasium.Env):
    """Shows two numbers as grey: the steps so far, and where a walk is that actions move. Ends at ``last`` steps."""

    observation_space = gymnasium.spaces.Box(0, 255, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    render_mode = "rgb_array"

    def __init__(self, last: int) -> None:
        self.last = last

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps, self.at = 0, int(self.np_random.integers(8))
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        self.at = (self.at + int(action)) % 8
        done = self.steps == self.last
        info = {"is_success": True} if done else {}
        return (
            np.zeros(1, dtype=np.float32),
            float(done),
            done and self.last % 2 == 0,
            done and self.last % 2 == 1,
            info,
        )

    def render(self) -> NDArray[np.uint8]:
        frame = np.zeros((8, 8, 3), dtype=np.uint8)
        frame[:4], frame[4:] = self.steps, self.at
        return frame


def program(*bodies: str) -> Program:
    names = [f"task_{number}" for number in range(len(bodies))]
    source = '"""Sees two numbers."""\nimport numpy as np\n' + "".join(
        f"\ndef {name}(initial, frame):\n    steps, at = int(frame[0, 0, 0]), int(frame[7, 0, 0])\n    {body}\n"
        for name, body in zip(names, bodies, strict=True)
    )
    return Program(tuple(SubTask(name, f"{name} is done.") for name in names), source)


FLICKERING = program(
    "return at % 2 == 1", "return at in (2, 5)", "return at / 8", "return bool(at == 7 and steps > 9)"
)
UNDER_WAY = program("return at / 7", "return bool(at > 3)")


def walks(judge: Any, reward: Any, env_reward: float = 0.0, num_envs: int = 5) -> RewardVecEnv:
    venv = FrameVecEnv([lambda n=n: Walk(11 + n) for n in range(num_envs)], range(num_envs), with_frames=True)
    return RewardVecEnv(venv, judge, reward, env_reward)


def played(venv: RewardVecEnv, deferred: bool, every: int = 17) -> tuple[NDArray[np.float32], list[Any]]:
    """Rewards (steps, num_envs), and what the ends of episodes said, after so many random steps."""
    rng = np.random.default_rng(0)
    venv.deferred = every if deferred else 0
    venv.reset()
    rewards: list[NDArray[np.float32]] = []
    ends: list[dict[str, Any]] = []
    for step in range(1, STEPS + 1):
        actions = rng.integers(0, venv.action_space.n, venv.num_envs)  # type: ignore[attr-defined]
        _, paid, _, infos = venv.step(actions)
        ends += [info for info in infos if "episode" in info]
        if not deferred:
            rewards.append(paid)
        elif step % every == 0 or step == STEPS:
            assert not paid.any()
            rewards += venv.take()
    assert all("reward_return" in info for info in ends)
    return np.stack(rewards), [
        (info["reward_return"], info["subtasks_done"], info["episode"]) for info in ends
    ]


@pytest.fixture
def box() -> Sandbox:
    return Sandbox(startup_seconds=30.0, frame_seconds=0.02, memory_mb=256, batch=16, allow_weak=False)


@pytest.mark.parametrize("reward", REWARDS, ids=lambda reward: type(reward).__name__)
@pytest.mark.parametrize("written", [FLICKERING, UNDER_WAY], ids=["flickering", "under_way"])
@pytest.mark.parametrize(("deferred", "workers"), [(False, 1), (True, 1), (True, 3)])
def test_rewards_are_those_of_asking_everything(
    written: Program, reward: Any, deferred: bool, workers: int, box: Sandbox
) -> None:
    with ProgramJudge(written, box) as judge:
        wanted, ends = played(walks(AllAtOnce(judge), reward, 0.5), deferred=False)
        assert (wanted != 0).sum() > 10
    with ProgramJudge(written, box, workers=workers) as judge:
        rewards, told = played(walks(judge, reward, 0.5), deferred)
        assert len(judge._workers) == (workers if deferred else 1)
    np.testing.assert_array_equal(rewards, wanted)
    assert rewards.dtype == wanted.dtype == np.float32
    assert told == ends


@pytest.mark.parametrize("deferred", [False, True])
def test_so_they_are_on_minigrid(
    doorkey: MiniGrid, doorkey_program: Program, sandbox: Sandbox, deferred: bool
) -> None:
    expert = doorkey.expert(3).actions.tolist()

    def paid(judge: Any, late: bool) -> tuple[list[Any], list[Any]]:
        venv = RewardVecEnv(doorkey.make_vec(3, [3, 4, 5], True, True), judge, Bonus(weights=None), 1.0)
        venv.deferred = 250 * late
        venv.reset()
        rng = np.random.default_rng(0)
        rewards, ends = [], []
        for step in range(250):
            actions = rng.integers(0, 7, 3)
            if step < len(expert):
                actions[0] = expert[step]
            _, now, _, infos = venv.step(actions)
            rewards.append(now)
            ends += [info for info in infos if "episode" in info]
        if late:
            rewards = venv.take()
        return [row.tolist() for row in rewards], [
            (info["reward_return"], info["subtasks_done"]) for info in ends
        ]

    with ProgramJudge(doorkey_program, sandbox) as judge:
        wanted = paid(AllAtOnce(judge), late=False)
    with ProgramJudge(doorkey_program, sandbox) as judge:
        assert paid(judge, late=deferred) == wanted
        assert 0 < judge.frames_judged < 3 * 250
    assert wanted[1]


def test_what_is_done_in_the_episode_is_not_asked_again(box: Sandbox) -> None:
    """The first sub-task raises once it has been done, so nobody may ask; shaping has to."""
    strict = program("assert steps < 4\n    return steps == 3", "return steps == 6")
    with ProgramJudge(strict, box) as judge:
        rewards, _ = played(walks(judge, Bonus(weights=None)), deferred=False)
    assert rewards[:7, 0].tolist() == [0, 0, 0.5, 0, 0, 0.5, 0]
    with ProgramJudge(strict, box) as judge, pytest.raises(ProgramCrashed, match="AssertionError"):
        played(walks(judge, REWARDS[2]), deferred=False)


@pytest.mark.parametrize("deferred", [False, True])
def test_a_program_that_fails_ends_it(box: Sandbox, deferred: bool) -> None:
    failing = program("assert steps != 9\n    return False")
    with ProgramJudge(failing, box) as judge, pytest.raises(ProgramCrashed, match="AssertionError"):
        played(walks(judge, Bonus(weights=None)), deferred)
    hanging = program("while steps == 9: pass\n    return False")
    with ProgramJudge(hanging, box) as judge, pytest.raises(ProgramTimedOut, match="CPU time"):
        played(walks(judge, Bonus(weights=None)), deferred)


@pytest.mark.parametrize("deferred", [False, True])
def test_a_lost_worker_is_replaced_and_what_it_was_asked_is_asked_again(box: Sandbox, deferred: bool) -> None:
    with ProgramJudge(FLICKERING, box) as judge:
        wanted, _ = played(walks(AllAtOnce(judge), Bonus(weights=None)), deferred=False)
    with ProgramJudge(FLICKERING, box, workers=2) as judge:
        venv = walks(judge, Bonus(weights=None))
        step, killed = venv.venv.step_wait, []

        def step_wait() -> Any:
            for worker in judge._workers.values():
                if len(killed) < 3 and worker.pid not in killed:
                    os.kill(worker.pid, signal.SIGKILL)
                    killed.append(worker.pid)
            return step()

        venv.venv.step_wait = step_wait
        rewards, _ = played(venv, deferred)
    assert len(killed) == 3
    np.testing.assert_array_equal(rewards, wanted)


def test_memory_is_bounded_and_forgetting_changes_nothing(box: Sandbox) -> None:
    with ProgramJudge(FLICKERING, box) as judge:
        wanted, _ = played(walks(AllAtOnce(judge), Bonus(weights=None)), deferred=False)
    asked = []
    for remember in (0, 50_000):
        with ProgramJudge(FLICKERING, box, remember=remember) as judge:
            venv = walks(judge, Bonus(weights=None))
            for deferred in (False, True):
                rewards, _ = played(venv, deferred)
                np.testing.assert_array_equal(rewards, wanted)
            asked.append(judge.frames_judged)
            assert len(venv._looking.ahead._slots) <= max(remember, 20)  # type: ignore[union-attr]
    assert asked[0] > asked[1]


def test_a_reset_in_the_middle_begins_anew(box: Sandbox) -> None:
    with ProgramJudge(FLICKERING, box) as judge:
        venv = walks(judge, Bonus(weights=None))
        wanted, ends = played(venv, deferred=True)
        venv.step(np.ones(5, dtype=int))
        again, told = played(venv, deferred=True)
    assert told == ends
    np.testing.assert_array_equal(again, wanted)


def test_answers_that_change_are_found_while_the_policy_plays_on(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a program that counts its calls: screening, which would refuse it, is out of the way."""
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())
    counting = program("np.__dict__.setdefault('seen', []).append(1)\n    return len(np.seen) % 7 == 0")

    def audited(written: Program, reward: Any) -> int:
        with AuditedJudge(written, box, share=1.0, frames=40) as judge:
            played(walks(judge, reward), deferred=True)
            judge.audit()
            return judge.frames_audited

    with pytest.raises(ProgramImpure):
        audited(counting, EveryFrame(weights=None))
    assert audited(FLICKERING, Bonus(weights=None)) >= 5 * STEPS


def test_after_closing_an_audited_judge_serves_again(box: Sandbox) -> None:
    with AuditedJudge(FLICKERING, box, share=1.0, frames=40) as judge:
        wanted, _ = played(walks(judge, Bonus(weights=None)), deferred=True)
        judge.close()
        again, _ = played(walks(judge, Bonus(weights=None)), deferred=True)
    np.testing.assert_array_equal(again, wanted)
