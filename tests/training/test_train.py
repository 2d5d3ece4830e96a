"""Training with every algorithm: rows, seeds, evaluation, checkpoints, and something to learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from tests.conftest import ROOT
from vlmcar.config import component
from vlmcar.env.minigrid import MiniGrid
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.bonus import Bonus
from vlmcar.reward.vector import RewardVecEnv
from vlmcar.training.evaluate import Evaluator
from vlmcar.training.rollout import policy_trajectories
from vlmcar.training.state import Checkpoint
from vlmcar.training.train import Trained, Training, train
from vlmcar.types import Judge, Program

Compose = Callable[..., DictConfig]
ALL = sorted(path.stem for path in (ROOT / "conf/algorithm").glob("*.yaml"))
ALGORITHMS = [name for name in ALL if name not in ("sac", "tqc")]
"""Those that choose among a number of actions; tests/training/test_continuous.py has those for a ``Box``."""


class Rows:
    """Keeps what a run would write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train: list[dict[str, float]] = []
        self.eval: list[dict[str, float]] = []
        self.checkpoints: list[int] = []

    def train_row(self, row: dict[str, float]) -> None:
        self.train.append(row)

    def eval_row(self, row: dict[str, float]) -> None:
        self.eval.append(row)

    def progress(self, steps: int, success: float | None) -> None:
        pass

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        checkpoint.save(self.folder / f"{checkpoint.num_timesteps}.zip")
        self.checkpoints.append(checkpoint.num_timesteps)


SETTINGS = Training(
    steps=1024,
    record_every=256,
    eval_every=512,
    eval_episodes=4,
    final_eval_episodes=5,
    eval_seed=30_000,
    checkpoint_every=512,
    torch_threads=1,
    device="cpu",
)
SMALL = ["algorithm.num_envs=4", "algorithm.hidden=[16]"]
PER_ALGORITHM = {
    "ppo": ["algorithm.n_steps=32", "algorithm.batch_size=64"],
    "a2c": [],
    "dqn": ["algorithm.learning_starts=128", "algorithm.buffer_size=2000", "algorithm.batch_size=32"],
}
PER_ALGORITHM["sac"] = PER_ALGORITHM["tqc"] = [*PER_ALGORITHM["dqn"], "algorithm.gradient_steps=2"]


@pytest.fixture
def algorithm(config: Compose, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(ROOT)

    def built(name: str, *overrides: str) -> Any:
        return component("algorithm", config(f"algorithm={name}", *overrides).algorithm)

    return built


def run(
    task: MiniGrid,
    algorithm: Any,
    folder: Path,
    seed: int = 0,
    judge: Judge | None = None,
    settings: Training = SETTINGS,
    checkpoint: Path | None = None,
) -> tuple[Rows, Trained]:
    rows = Rows(folder)
    venv = task.make_vec(algorithm.num_envs, range(seed, seed + algorithm.num_envs), judge is not None, True)
    rewarded = RewardVecEnv(venv, judge, Bonus(None), 0.0 if judge else 1.0)
    evaluator = Evaluator(task, settings.eval_seed, algorithm.samples_actions)
    return rows, train(settings, algorithm, rewarded, evaluator, rows, seed, checkpoint)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_same_seed_same_rows_other_seed_other_rows(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    small = algorithm(name, *SMALL, *PER_ALGORITHM[name])
    (one, _), (two, _), (other, _) = (run(doorkey, small, tmp_path, seed) for seed in (0, 0, 1))
    np.testing.assert_equal(one.train, two.train)
    np.testing.assert_equal(one.eval, two.eval)
    assert one.train != other.train


@pytest.mark.parametrize("name", ALGORITHMS)
def test_rows_evaluations_and_checkpoints_come_when_due(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    small = algorithm(name, *SMALL, *PER_ALGORITHM[name])
    rows, trained = run(doorkey, small, tmp_path)
    assert [row["steps"] for row in rows.train] == [256, 512, 768, 1024]
    assert [(row["steps"], row["episodes"]) for row in rows.eval] == [(0, 4), (512, 4), (1024, 5)]
    assert trained.model.num_timesteps == 1024
    assert trained.final.unseen.episodes == 5
    assert trained.final.training is None
    assert rows.checkpoints[0] == 512

    before = trained.model.policy.state_dict()
    again = small.load(str(tmp_path / "512.zip"), None).policy.state_dict()
    assert set(before) == set(again)
    assert any((before[key] != again[key]).any() for key in before), "training went on after the checkpoint"


def test_evaluating_changes_nothing_about_training(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path
) -> None:
    small = algorithm("ppo", *SMALL, *PER_ALGORITHM["ppo"])
    often, _ = run(doorkey, small, tmp_path, settings=replace(SETTINGS, eval_every=128, eval_seed=77))
    seldom, _ = run(doorkey, small, tmp_path)
    np.testing.assert_equal(often.train, seldom.train)


def test_an_expert_policy_is_evaluated_at_full_success_and_a_lazy_one_at_none(doorkey: MiniGrid) -> None:
    plans = {seed: list(doorkey.expert(seed).actions) for seed in range(500, 503)}

    class Expert:
        """Knows the levels by their first observation."""

        def __init__(self) -> None:
            env = doorkey.make_env()
            self.at = {env.reset(seed=seed)[0].tobytes(): plan for seed, plan in plans.items()}
            self.going: list[list[int]] = []

        def predict(self, observations: np.ndarray, deterministic: bool) -> tuple[np.ndarray, None]:
            if not self.going:
                self.going = [list(self.at[row.tobytes()]) for row in observations]
            actions = [plan.pop(0) for plan in self.going]
            self.going = [plan for plan in self.going if plan]
            return np.array(actions), None

    class Lazy:
        def predict(self, observations: np.ndarray, deterministic: bool) -> tuple[np.ndarray, None]:
            return np.full(len(observations), 6), None

    evaluator = Evaluator(doorkey, 500, samples_actions=False)
    result = evaluator(Expert(), 3)
    assert result.success_rate == 1.0
    assert result.length == np.mean([len(plan) for plan in plans.values()])
    lazy = evaluator(Lazy(), 3)
    assert (lazy.success_rate, lazy.env_return, lazy.length) == (0.0, 0.0, 250.0)


def test_policy_trajectories_are_what_the_policy_did_and_the_same_each_time(
    doorkey: MiniGrid, algorithm: Callable[..., Any], tmp_path: Path
) -> None:
    _, trained = run(doorkey, algorithm("ppo", *SMALL, *PER_ALGORITHM["ppo"]), tmp_path)
    state = torch.random.get_rng_state()
    episodes = list(policy_trajectories(doorkey, trained.model, [5, 6, 5], samples_actions=True))
    assert torch.equal(state, torch.random.get_rng_state())
    again = list(policy_trajectories(doorkey, trained.model, [5, 6, 5], samples_actions=True))
    for seed, episode, same in zip((5, 6, 5), episodes, again, strict=True):
        assert (episode.kind, episode.seed) == ("policy", seed)
        assert len(episode.frames) == len(episode.actions) + 1
        np.testing.assert_array_equal(episode.frames[0], doorkey.expert(seed).frames[0])
        assert episode.success or len(episode.actions) == 250
        np.testing.assert_array_equal(episode.actions, same.actions)


def test_ppo_learns_doorkey_from_a_program_alone(
    doorkey: MiniGrid,
    doorkey_program: Program,
    sandbox: Sandbox,
    algorithm: Callable[..., Any],
    tmp_path: Path,
) -> None:
    settings = replace(SETTINGS, steps=40_960, record_every=2048, eval_every=8192, final_eval_episodes=30)
    with ProgramJudge(doorkey_program, sandbox) as judge:
        rows, trained = run(doorkey, algorithm("ppo"), tmp_path, judge=judge, settings=settings)
    assert trained.final.unseen.success_rate >= 0.9
    assert rows.train[-1]["reward_return"] >= 0.9
    assert rows.train[-1]["subtasks_done"] >= 2.7


class AllAtOnce:
    """The program, asked about everything at every step."""

    def __init__(self, judge: ProgramJudge) -> None:
        self.num_subtasks = judge.num_subtasks
        self.progress = judge.progress
        self.close = judge.close


@pytest.mark.parametrize("name", ALGORITHMS)
def test_asking_ahead_and_less_changes_no_curve_and_no_weight(
    doorkey: MiniGrid,
    algorithm: Callable[..., Any],
    doorkey_program: Program,
    sandbox: Sandbox,
    tmp_path: Path,
    name: str,
) -> None:
    small = algorithm(name, *SMALL, *PER_ALGORITHM[name])
    with ProgramJudge(doorkey_program, sandbox, workers=2) as judge:
        ahead, trained = run(doorkey, small, tmp_path, judge=judge)
    with ProgramJudge(doorkey_program, sandbox) as judge:
        at_once, expected = run(doorkey, small, tmp_path, judge=AllAtOnce(judge))
    assert any(row["reward_return"] > 0 for row in at_once.train)
    np.testing.assert_equal(ahead.train, at_once.train)
    np.testing.assert_equal(ahead.eval, at_once.eval)
    weights = expected.model.policy.state_dict()
    for key, value in trained.model.policy.state_dict().items():
        assert torch.equal(value, weights[key])
