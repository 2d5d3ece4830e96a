"""``env=gymnasium``: somebody's own environment, with nothing known but what the yaml says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.env.own import PROGRAM
from vlmcar.config import build, config_hash, relevant_settings
from vlmcar.env.demonstrations import write_npz
from vlmcar.env.gymnasium import Gymnasium
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import ConfigError, NotAvailable, Program, SubTask, Verdict, VlmcarError

Compose = Callable[..., DictConfig]
OWN = (
    "env=gymnasium", "env.name=walk", "env.env_id=tests.env.own:walk", "env.max_episode_steps=20",
    "env.experts.source=tests.env.own:to_the_right", "env.success.told_by=info", "env.success.key=there",
    "env.success.ends_episode=true",
)  # fmt: skip
KNOWN = ("env.actions.idle=1", "env.actions.back_and_forth=[0,2]")


@pytest.fixture
def make(config: Compose) -> Callable[..., Any]:
    """The checked task, and everything else, with overrides."""
    return lambda *overrides: build(config(*OWN, "vlm=manual", "vlm.answered_by=nobody", *overrides))


def program(source: str = PROGRAM, name: str = "reach_the_edge") -> Program:
    return Program((SubTask(name, "The bar is at the right edge."),), source)


def verified(built: Any, sandbox: Sandbox, judged: Program) -> Verdict:
    verdict: Verdict = built.verification.verify(judged, built.env, sandbox, built.reward, 0.0)
    return verdict


def test_experts_random_play_and_replays(make: Callable[..., Any]) -> None:
    task: Gymnasium = make().env
    expert = task.expert(3)
    assert expert.success
    assert expert.frames.shape == (len(expert.actions) + 1, 8, 12, 3)
    assert expert.frames[-1, 1, 11].all()
    assert not expert.frames[:-1, 1, 11].any(), "the episode ends at its first success"
    again = task.replay(3, expert.actions, "policy")
    np.testing.assert_array_equal(again.frames, expert.frames)
    assert again.success
    random = task.random(5, 7)
    assert (len(random.actions), random.kind, random.success) == (7, "random", False)
    np.testing.assert_array_equal(random.actions, task.random(5, 7).actions)
    assert (task.random(6, 7).actions != random.actions).any()


@pytest.mark.parametrize(
    ("overrides", "env_id"),
    [
        ((), "CartPole-v1"),
        (("env.kwargs.is_slippery=false",), "FrozenLake-v1"),
        ((), "gymnasium.envs.classic_control:MountainCar-v0"),
    ],
)
def test_what_gymnasium_makes(make: Callable[..., Any], overrides: tuple[str, ...], env_id: str) -> None:
    added = [f"+{override}" if "kwargs" in override else override for override in overrides]
    task = make(
        f"env.env_id={env_id}", "env.max_episode_steps=null", "env.success.told_by=termination",
        "env.success.ends_episode=false", "env.frame_size=[50,60]", *added,
    ).env  # fmt: skip
    random = task.random(0, 5)
    assert random.frames.shape[1:] == (50, 60, 3)
    np.testing.assert_array_equal(task.replay(0, random.actions, "again").frames, random.frames)
    if env_id == "FrozenLake-v1":
        assert task.make_env().unwrapped.spec.kwargs["is_slippery"] is False


@pytest.mark.parametrize("env_id", ["tests.env.own:walk", "Pendulum-v1"])
def test_actions_of_a_box(make: Callable[..., Any], env_id: str) -> None:
    task = make(f"env.env_id={env_id}", "+env.kwargs.box=true", "env.actions.idle=[0.0]").env
    if env_id == "Pendulum-v1":
        task = make(
            f"env.env_id={env_id}", "env.success.told_by=return", "env.success.at_least=-100",
            "env.success.ends_episode=false", "env.frame_size=[50,50]", "env.actions.idle=[0.0]",
        ).env  # fmt: skip
    random = task.random(1, 6)
    assert random.actions.shape == (6, 1)
    assert random.actions.dtype == np.float32
    np.testing.assert_array_equal(task.replay(1, random.actions, "again").frames, random.frames)
    idle = task.replay(1, [task.moves.idle] * 3, "idle")
    np.testing.assert_array_equal(idle.actions, np.zeros((3, 1)))


def test_success_is_told_by_what_the_yaml_says(make: Callable[..., Any], tmp_path: Path) -> None:
    ends = ("env.success.ends_episode=false", "+env.kwargs.ends=true")
    stays = "env.experts.source=tests.env.own:stays"
    by = {
        "termination": (),
        "return": ("env.success.at_least=1",),
        "info": ("env.success.key=there",),
    }
    for told_by, more in by.items():
        task = make(f"env.success.told_by={told_by}", *ends, *more).env
        assert task.expert(0).success, told_by
        assert not task.random(0, 2).success, told_by
        with pytest.raises(VlmcarError, match=f"in none of 10 episodes.*told_by={told_by}"):
            make(f"env.success.told_by={told_by}", *ends, *more, stays).env.expert(0)
    with pytest.raises(VlmcarError, match="is not in the environment's info, which has there"):
        make("env.success.key=done").env.expert(0)


def test_demonstrations_tell_success_and_divide_into_two_sets(
    make: Callable[..., Any], tmp_path: Path, sandbox: Sandbox
) -> None:
    acting = make().env
    for number in range(5):
        write_npz(tmp_path / f"{number}.npz", acting.expert(number))
    built = make(
        f"env.experts.source={tmp_path}", "env.success.told_by=demonstrations", *KNOWN,
        "verification.feedback_randoms=30", "verification.held_out_randoms=30", "env.random_steps=3",
    )  # fmt: skip
    task = built.env
    assert task.demonstrations == 5
    assert [task.expert(number).seed for number in (0, 4, 5)] == [0, 4, 0]
    assert built.verification.episodes_of("feedback", task).experts == range(3)
    assert built.verification.episodes_of("held_out", task).experts == range(3, 5)
    np.testing.assert_array_equal(task.images()[1], acting.expert(0).frames[-1])
    venv = task.make_vec(1, [0], frames=True, auto_reset=False)
    venv.reset()
    for _ in range(12):
        _, _, dones, infos = venv.step([2])
        if dones[0]:
            break
    assert infos[0]["is_success"], "the last frame is that of a demonstration"
    venv.close()

    verdict = verified(built, sandbox, program())
    assert verdict.accepted, verdict.feedback
    rows = {(row.name, row.trajectories): row for row in verdict.checks}
    for name in ("near_miss_completes", "near_miss_does"):
        row = rows[name, "held_out/near_miss"]
        assert row.passed
        assert row.measured is None
        assert row.threshold == "not available: recorded demonstrations cannot be acted out again"
    assert rows["exploits_pay_less", "held_out/spin"].count == 2, "idling and spinning are played on levels"


def test_one_demonstration_is_too_few(make: Callable[..., Any], tmp_path: Path, sandbox: Sandbox) -> None:
    write_npz(tmp_path / "one.npz", make().env.expert(0))
    built = make(f"env.experts.source={tmp_path}")
    with pytest.raises(VlmcarError, match="has 1 demonstration.*needs 2 or more"):
        verified(built, sandbox, program())


def test_what_is_not_known_is_not_asked(make: Callable[..., Any], sandbox: Sandbox) -> None:
    few = (
        "verification.feedback_experts=4", "verification.held_out_experts=3", "env.random_steps=3",
        "verification.negatives=2",
    )  # fmt: skip
    verdict = verified(make(*few), sandbox, program())
    assert verdict.accepted, verdict.feedback
    missing = {(row.name, row.trajectories): row.threshold for row in verdict.checks if row.measured is None}
    idle = "not available: which action does nothing is not known (env.actions.idle)"
    back = "not available: which two actions undo one another is not known (env.actions.back_and_forth)"
    assert missing == {
        ("near_miss_completes", "feedback/near_miss"): idle,
        ("near_miss_completes", "held_out/near_miss"): idle,
        ("near_miss_does", "feedback/near_miss"): idle,
        ("near_miss_does", "held_out/near_miss"): idle,
        ("exploits_pay_less", "feedback/idle"): idle,
        ("exploits_pay_less", "held_out/idle"): idle,
        ("exploits_pay_less", "feedback/spin, oscillate"): back,
        ("exploits_pay_less", "held_out/spin, oscillate"): back,
    }
    known = verified(make(*few, *KNOWN), sandbox, program())
    assert known.accepted, known.feedback
    assert all(row.measured is not None for row in known.checks)
    near = next(row for row in known.checks if row.name == "near_miss_completes")
    assert near.count == 2


def test_a_program_that_pays_too_early_is_rejected(make: Callable[..., Any], sandbox: Sandbox) -> None:
    early = program(
        PROGRAM.replace("float(columns[0] - start)", "min(1.0, float(columns[0] - start)").replace(
            "(11 - start) if", "(10 - start)) if"
        )
    )
    verdict = verified(make(*KNOWN, "env.random_steps=3"), sandbox, early)
    assert "expert_completes_early" in {row.name for row in verdict.checks if not row.passed}


def test_without_an_environment_programs_are_verified_and_nothing_is_trained(
    make: Callable[..., Any], tmp_path: Path, sandbox: Sandbox
) -> None:
    acting = make().env
    for number in range(6):
        write_npz(tmp_path / "experts" / f"{number}.npz", acting.expert(number))
    for number in range(60):
        write_npz(tmp_path / "randoms" / f"{number}.npz", acting.random(number, 3))
    only = (
        "env.env_id=null", "env.success.told_by=demonstrations", f"env.experts.source={tmp_path}/experts",
    )  # fmt: skip
    built = make(*only, f"env.randoms={tmp_path}/randoms")
    assert built.env.random_episodes == 60
    verdict = verified(built, sandbox, program())
    assert verdict.accepted, verdict.feedback
    counts = {row.trajectories: row.count for row in verdict.checks if row.name == "random_completes"}
    assert counts == {"feedback/random": 30, "held_out/random": 30}

    alone = make(*only)
    verdict = verified(alone, sandbox, program())
    rows = {row.trajectories: row for row in verdict.checks if row.name == "random_completes"}
    assert rows["held_out/random"].threshold == "not available: there are no episodes of random play"
    with pytest.raises(NotAvailable, match="no environment to act in"):
        alone.env.make_vec(1, [0], frames=False, auto_reset=True)


def test_an_environment_that_does_not_repeat_itself(make: Callable[..., Any], sandbox: Sandbox) -> None:
    built = make("+env.kwargs.noisy=true", *KNOWN, "env.random_steps=3")
    with pytest.raises(NotAvailable, match="do not lead to the same frames"):
        built.env.replay(0, [2], "policy")
    verdict = verified(built, sandbox, program())
    assert verdict.accepted, verdict.feedback
    reasons = {row.threshold for row in verdict.checks if row.measured is None}
    assert reasons == {"not available: the same actions do not lead to the same frames in this environment"}


def test_images_from_files(make: Callable[..., Any], tmp_path: Path) -> None:
    for name, value in (("initial", 10), ("goal", 200)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((16, 24, 3), value, np.uint8))
    files = f"env.images_from.initial={tmp_path}/initial.png", f"env.images_from.goal={tmp_path}/goal.png"
    initial, goal = make(*files).env.images()
    assert initial.shape == goal.shape == (8, 12, 3)
    assert (initial == 10).all()
    assert (goal == 200).all()
    cv2.imwrite(str(tmp_path / "goal.png"), np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ConfigError, match="give pictures of the same shape"):
        make(*files).env.images()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("env.env_id=tests.env.own:not_an_environment", "returned str, and no gymnasium.Env"),
        ("env.env_id=no_such_module:make", "must be a module in this folder, or be installed"),
        ("env.env_id=NoSuchEnv-v0", "NoSuchEnv"),
        (
            "env.env_id=tests.env.own:nope",
            "^env.env_id=tests.env.own:nope: tests.env.own has no nope: neither a function nor an id that it registers",
        ),
        (
            "env.env_id=tests.env.own:no/nope-v0",
            "^env.env_id=tests.env.own:no/nope-v0: tests.env.own has no no/nope-v0",
        ),
        ("env.max_episode_steps=null", "has no time limit that is known"),
        ("+env.kwargs.boxes=1", "boxes"),
        ("+env.kwargs.render_mode=human", "render_mode"),
        ("env.actions.idle=7", "env.actions.idle=7 is no action of Discrete"),
    ],
)
def test_an_environment_that_cannot_be_used(make: Callable[..., Any], override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(override).env.random(0, 1)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["env.success.told_by=magic"], "is none of termination, return, info, demonstrations"),
        (["env.success.told_by=return"], "needs the least return"),
        (["env.success.told_by=termination"], "only info and demonstrations tell of every step"),
        (["env.frame_size=[8]"], "must be .height, width."),
        (["env.actions.back_and_forth=[1]"], "two actions that undo one another"),
        (["env.images_from.goal=x.png"], "needs both initial and goal"),
        (["env.env_id=null"], "without an environment only its demonstrations tell success"),
        (["method=oracle"], "is not available for gymnasium-walk: nobody has written down its ground truth"),
        (["stage=agreement"], "stage=agreement is not available"),
    ],
)
def test_settings_that_do_not_fit(make: Callable[..., Any], overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(*overrides)


def test_what_experts_do_is_a_part_of_the_setting(make: Callable[..., Any], tmp_path: Path) -> None:
    base = make().env.setting()
    assert make().env.setting() == base
    assert make("env.experts.source=tests.env.own:stays").env.setting() != base
    for number in range(2):
        write_npz(tmp_path / f"{number}.npz", make().env.expert(number))
    recorded = make(f"env.experts.source={tmp_path}").env.setting()
    write_npz(tmp_path / "1.npz", make().env.expert(2))
    assert make(f"env.experts.source={tmp_path}").env.setting() != recorded


def test_demonstrations_that_failed_are_left_out(make: Callable[..., Any], tmp_path: Path) -> None:
    acting = make().env
    write_npz(tmp_path / "0.npz", acting.random(0, 4))
    with pytest.raises(VlmcarError, match="says of every episode in it that it was no success"):
        make(f"env.experts.source={tmp_path}").env.expert(0)
    write_npz(tmp_path / "1.npz", acting.expert(1))
    task = make(f"env.experts.source={tmp_path}").env
    assert task.demonstrations == 1
    np.testing.assert_array_equal(task.expert(0).frames, acting.expert(1).frames)


def test_it_goes_on_from_a_checkpoint_and_leaves_the_demonstrations_out(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(2):
        write_npz(tmp_path / f"{number}.npz", make().env.expert(number))
    task = make(f"env.experts.source={tmp_path}", "env.success.told_by=demonstrations").env
    one, other = (task.make_vec(2, [0, 1], frames=True, auto_reset=True) for _ in range(2))
    for venv in (one, other):
        venv.reset()
    for _ in range(4):
        one.step([2, 1])
    state = one.state()
    assert state is not None
    goals = task.expert(0).frames[-1].astype(np.int16).tobytes()
    assert goals not in b"".join(state["envs"])
    other.set_state(state)
    for _ in range(20):
        expected, seen = one.step([2, 0]), other.step([2, 0])
        np.testing.assert_array_equal(seen[0], expected[0])
        np.testing.assert_array_equal(seen[2], expected[2])
        np.testing.assert_array_equal(other.frames, one.frames)
        assert [i.get("is_success") for i in seen[3]] == [i.get("is_success") for i in expected[3]]


def test_everything_is_looked_at_before_anything_is_written(make: Callable[..., Any], tmp_path: Path) -> None:
    write_npz(tmp_path / "0.npz", make("env.frame_size=[16,24]").env.expert(0))
    with pytest.raises(ConfigError, match="bring both to one size by env.frame_size"):
        make(f"env.experts.source={tmp_path}").env.check()
    make(f"env.experts.source={tmp_path}", "env.frame_size=[16,24]").env.check()
    with pytest.raises(ConfigError, match="does not exist"):
        make("env.experts.source=nowhere").env.check()


def test_its_own_code_is_a_part_of_what_a_run_depends_on(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed(*overrides: str) -> str:
        cfg = config(*OWN, "method=sparse", *overrides)
        return config_hash(relevant_settings(cfg, build(cfg)))

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "my_walk.py"
    module.write_text("from tests.env.own import walk\n")
    before = hashed("env.env_id=my_walk:walk")
    assert hashed("env.env_id=my_walk:walk") == before
    module.write_text("from tests.env.own import walk  # changed\n")
    assert hashed("env.env_id=my_walk:walk") != before
    cfg = config()
    monkeypatch.chdir(ROOT)
    assert "env.code" not in relevant_settings(cfg, build(cfg))


def test_an_expert_that_fails_now_and_then_is_said(make: Callable[..., Any]) -> None:
    task = make("env.experts.source=tests.env.own:to_the_right").env
    task.expert(0)
    assert task.note == ""
    task = make("env.experts.source=tests.env.own:sometimes").env
    levels = {task.expert(seed).seed for seed in range(6)}
    failed = sum(level not in levels for level in range(6))
    assert 0 < failed < 6
    assert task.note.startswith(f"the expert failed on {len(task._expert_episodes) - 6} of ")


def test_a_step_is_drawn_once(make: Callable[..., Any], tmp_path: Path) -> None:
    for number in range(2):
        write_npz(tmp_path / f"{number}.npz", make().env.expert(number))
    told = make(f"env.experts.source={tmp_path}", "env.success.told_by=demonstrations").env
    env = told.make_env()
    env.reset(seed=0)
    first = env.render()
    for _ in range(3):
        env.step(2)
        env.render()
    assert env.unwrapped.drawn == 4, "once per step, though success is told by the picture, too"
    assert (env.render() != first).any(), "an earlier picture is not drawn over"


def test_an_environment_that_fails_without_a_word(make: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="env.env_id=tests.env.own:speechless: TypeError"):
        make("env.env_id=tests.env.own:speechless").env.random(0, 1)
