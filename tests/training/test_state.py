"""A training that goes on from a checkpoint gives what one gives that was never stopped: rows, weights and all."""

from __future__ import annotations

import pickle
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import gymnasium
import minigrid  # noqa: F401  (registers the environments)
import numpy as np
import pytest
from omegaconf import DictConfig

from baselines.queries import Queries, SimulatedJudge
from tests.conftest import ROOT
from tests.training.test_train import ALGORITHMS, PER_ALGORITHM, SETTINGS, SMALL, Rows
from vlmcar.config import build, component
from vlmcar.env.minigrid import MiniGrid
from vlmcar.env.minigrid_vector import MiniGridVecEnv
from vlmcar.measure import read_truths
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.bonus import Bonus
from vlmcar.reward.every_frame import EveryFrame
from vlmcar.reward.potential import Potential
from vlmcar.reward.vector import RewardVecEnv
from vlmcar.training.evaluate import Evaluator
from vlmcar.training.state import ENTRY, read
from vlmcar.training.train import Trained, train
from vlmcar.types import Program, SubTask, TruthJudge, VlmcarError
from vlmcar.vlm.ledger import Ledger
from vlmcar.vlm.simulated import Simulated

Compose = Callable[..., DictConfig]


def run(
    task: Any,
    algorithm: Any,
    folder: Path,
    judge: Any = None,
    reward: Any = None,
    ask_every: int = 1,
    checkpoint: Path | None = None,
    **settings: Any,
) -> tuple[Rows, Trained]:
    rows = Rows(folder)
    told = {"truth": True} if isinstance(judge, TruthJudge) else {}
    seeds = (
        range(9, 9 + algorithm.num_envs) if checkpoint else range(algorithm.num_envs)
    )  # others must not matter
    venv = task.make_vec(algorithm.num_envs, seeds, judge is not None, True, **told)
    rewarded = RewardVecEnv(venv, judge, reward or Bonus(None), 0.0 if judge else 1.0, ask_every)
    evaluator = Evaluator(task, SETTINGS.eval_seed, algorithm.samples_actions)
    changed = replace(SETTINGS, **settings)
    trained = train(changed, algorithm, rewarded, evaluator, rows, 0, checkpoint)
    venv.close()
    if judge:
        judge.close()
    return rows, trained


def same_end(whole: tuple[Rows, Trained], rest: tuple[Rows, Trained], first: int) -> None:
    """The second went on from ``first`` as the first one did."""
    assert rest[0].train
    np.testing.assert_equal(rest[0].train, [row for row in whole[0].train if row["steps"] > first])
    np.testing.assert_equal(rest[0].eval, [row for row in whole[0].eval if row["steps"] > first])
    before, after = (trained.model.policy.state_dict() for _, trained in (whole, rest))
    assert all((before[key] == after[key]).all() for key in before)


@pytest.fixture
def algorithm(config: Compose, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(ROOT)

    def built(name: str, *overrides: str) -> Any:
        chosen = [f"algorithm={name}", *SMALL, *PER_ALGORITHM[name], *overrides]
        return component("algorithm", config(*chosen).algorithm)

    return built


@pytest.fixture
def judges(doorkey_program: Program, sandbox: Sandbox, doorkey: MiniGrid) -> Callable[[str], Any]:
    def simulated(sees_state: bool) -> Any:
        errors = Simulated(0.02, 0.1, 0, 1.0, 0.001)
        queries = Queries(1000, None, 0.5)
        truths = read_truths(doorkey.id)
        subtasks = tuple(SubTask(name, name) for name in truths)
        return SimulatedJudge(errors, subtasks, truths, queries, Ledger(), sees_state)

    made = {
        "none": lambda: None,
        "program": lambda: ProgramJudge(doorkey_program, sandbox, workers=2),
        "direct": lambda: simulated(False),
        "oracle": lambda: simulated(True),
    }
    return lambda name: made[name]()


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("judge", ["none", "program", "direct", "oracle"])
def test_every_algorithm_and_judge_go_on_as_if_never_stopped(
    doorkey: MiniGrid, algorithm: Callable[..., Any], judges: Any, tmp_path: Path, name: str, judge: str
) -> None:
    whole = run(doorkey, algorithm(name), tmp_path, judges(judge))
    rest = run(doorkey, algorithm(name), tmp_path, judges(judge), checkpoint=tmp_path / "512.zip")
    same_end(whole, rest, 512)


@pytest.mark.parametrize(
    ("reward", "ask_every"),
    [(Potential(0.99, False), 1), (EveryFrame(None), 1), (Bonus([1, 2, 3]), 3), (Potential(0.9, False), 2)],
)
def test_every_reward_goes_on(
    doorkey: MiniGrid, algorithm: Callable[..., Any], judges: Any, tmp_path: Path, reward: Any, ask_every: int
) -> None:
    small = algorithm("ppo")
    whole = run(doorkey, small, tmp_path, judges("program"), reward, ask_every)
    rest = run(doorkey, small, tmp_path, judges("program"), reward, ask_every, tmp_path / "512.zip")
    same_end(whole, rest, 512)


def test_rows_that_span_the_checkpoint_count_the_episodes_before_it(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path
) -> None:
    odd = {"record_every": 400, "eval_every": 300, "checkpoint_every": 384, "steps": 2048}
    whole = run(doorkey, algorithm("ppo"), tmp_path, **odd)
    assert whole[0].checkpoints == [384, 768, 1152, 1536, 1920, 2048]
    for first in whole[0].checkpoints[:-1]:
        rest = run(doorkey, algorithm("ppo"), tmp_path, checkpoint=tmp_path / f"{first}.zip", **odd)
        same_end(whole, rest, first)
        (tmp_path / f"{first}.zip").unlink()


def test_a_full_replay_buffer_goes_on(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path
) -> None:
    small = algorithm("dqn", "algorithm.buffer_size=300")
    whole = run(doorkey, small, tmp_path)
    assert read(tmp_path / "512.zip")["replay"]["full"]  # type: ignore[index]
    same_end(whole, run(doorkey, small, tmp_path, checkpoint=tmp_path / "512.zip"), 512)


@pytest.mark.parametrize("game", ["heist", "miner"])
@pytest.mark.parametrize("judge", ["none", "program", "oracle"])
def test_procgen_goes_on(
    config: Compose, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path, game: str, judge: str
) -> None:
    monkeypatch.chdir(ROOT)
    sizes = [
        "algorithm.num_envs=4",
        "algorithm.n_steps=64",
        "algorithm.batch_size=64",
        "algorithm.cnn_features=16",
    ]
    built = build(config(f"env=procgen/{game}", "algorithm=ppo", *sizes))
    truths = read_truths(built.env.id)
    names = list(truths)
    source = '"""Looks at one pixel."""\nimport numpy as np\n' + "".join(
        f"\n\ndef {name}(initial, frame):\n    return bool(np.abs(frame.astype(int) - initial).sum() > {200_000 * i})\n"
        for i, name in enumerate(names)
    )
    subtasks = tuple(SubTask(name, name) for name in names)

    def made() -> Any:
        if judge == "program":
            return ProgramJudge(Program(subtasks, source), sandbox)
        if judge == "oracle":
            errors = Simulated(0.0, 0.0, 0, 1.0, 0.001)
            return SimulatedJudge(errors, subtasks, truths, Queries(10, None, 0.5), Ledger(), True)
        return None

    times = {"eval_episodes": 1, "final_eval_episodes": 1, "eval_every": 10_000}
    whole = run(built.env, built.algorithm, tmp_path, made(), **times)
    rest = run(built.env, built.algorithm, tmp_path, made(), checkpoint=tmp_path / "512.zip", **times)
    same_end(whole, rest, 512)


def test_every_minigrid_environment_goes_on() -> None:
    """Pickled in the middle of an episode, it steps on as the one that was not."""
    rng = np.random.default_rng(0)
    kinds: dict[Any, str] = {}
    for name, spec in gymnasium.registry.items():
        if name.startswith(("MiniGrid-", "BabyAI-")):
            kinds.setdefault(spec.entry_point, name)
    tried = 0
    for name in kinds.values():
        try:
            env: Any = gymnasium.make(name).unwrapped
            env.reset(seed=0)
        except Exception:  # some cannot be made in this version
            continue
        tried += 1
        for _ in range(10):
            env.step(int(rng.integers(7)))
        other = pickle.loads(pickle.dumps(env))
        for _ in range(30):
            action = int(rng.integers(7))
            one, two = env.step(action), other.step(action)
            np.testing.assert_equal(one[0]["image"], two[0]["image"], err_msg=name)
            assert one[1:4] == two[1:4]
            if one[2] or one[3]:
                np.testing.assert_equal(env.reset()[0]["image"], other.reset()[0]["image"], err_msg=name)
    assert tried > 40


def test_from_the_end_of_its_training_nothing_is_learned_again(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path
) -> None:
    """As after a signal during the last evaluation."""
    for name in ALGORITHMS:
        whole = run(doorkey, algorithm(name), tmp_path)
        rest = run(doorkey, algorithm(name), tmp_path, checkpoint=tmp_path / "1024.zip")
        assert rest[0].train == []
        np.testing.assert_equal(rest[0].eval, whole[0].eval[-1:])
        before, after = (trained.model.policy.state_dict() for _, trained in (whole, rest))
        assert all((before[key] == after[key]).all() for key in before)


@pytest.mark.parametrize("why", ["no state", "no pickle"])
def test_without_the_environments_it_goes_on_with_new_episodes(
    doorkey: MiniGrid,
    algorithm: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    if why == "no state":
        monkeypatch.delattr(MiniGridVecEnv, "state")
    else:
        monkeypatch.setattr(MiniGridVecEnv, "state", lambda self: {"a rule": lambda: 0})
    for name in ("ppo", "dqn"):
        small = algorithm(name)
        whole = run(doorkey, small, tmp_path)
        assert read(tmp_path / "512.zip") is None
        rest = run(doorkey, small, tmp_path, checkpoint=tmp_path / "512.zip")
        assert rest[1].model.num_timesteps == whole[1].model.num_timesteps == 1024
        assert [row["steps"] for row in rest[0].train] == [768, 1024]
        assert [row["steps"] for row in rest[0].eval] == [1024]
        if name == "dqn":  # its replay buffer is filled again before the first update
            assert rest[1].model.learning_starts == 512 + 128


def test_a_state_that_does_not_fit_says_what_to_do(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = MiniGridVecEnv.state
    with monkeypatch.context() as older:
        older.setattr(
            MiniGridVecEnv, "state", lambda self: {k: v for k, v in state(self).items() if k != "cells"}
        )
        run(doorkey, algorithm("ppo"), tmp_path)
    with pytest.raises(VlmcarError, match=r"other versions.*KeyError: 'cells'.*delete .* to begin again"):
        run(doorkey, algorithm("ppo"), tmp_path, checkpoint=tmp_path / "512.zip")


def test_a_clock_that_jumps_changes_nothing(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, _ = run(doorkey, algorithm("ppo"), tmp_path)
    asked = count()
    monkeypatch.setattr(time, "time_ns", lambda: 10**18 * (1 + next(asked) % 2))
    monkeypatch.setattr(time, "time", lambda: 10.0**9 * (1 + next(asked) % 2))
    jumping, _ = run(doorkey, algorithm("ppo"), tmp_path)
    assert next(asked) > 0
    np.testing.assert_equal(calm.train, jumping.train)
    np.testing.assert_equal(calm.eval, jumping.eval)


def test_a_checkpoint_of_other_versions_says_what_to_do(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path
) -> None:
    run(doorkey, algorithm("ppo"), tmp_path)
    path = tmp_path / "512.zip"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries[ENTRY] = entries[ENTRY].replace(b"DoorKeyEnv", b"DoorKeyEnw")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(VlmcarError, match=r"other versions.*DoorKeyEnw.*delete .* to begin again"):
        run(doorkey, algorithm("ppo"), tmp_path, checkpoint=path)


def test_a_checkpoint_with_other_bytes_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.zip"
    state = {"drawn": np.random.default_rng(0).integers(0, 9, 500), "names": [f"abc{n}" for n in range(200)]}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ENTRY, pickle.dumps(state))
    good = path.read_bytes()
    assert read(path)["names"] == state["names"]  # type: ignore[index]
    for place in range(60, len(good) - 200, 17):
        path.write_bytes(good[:place] + bytes(64) + good[place + 64 :])
        with pytest.raises(VlmcarError, match="is broken.*to begin again"):
            read(path)
