"""Whole runs with continuous actions in somebody's own environment: trained on a program, audited, gone on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.env.own import PROGRAM
from vlmcar.pipeline import run
from vlmcar.types import ConfigError, Program, SubTask, Verdict
from vlmcar.verification.store import ProgramStore, StoredProgram

Compose = Callable[..., DictConfig]
WALK = [
    "env=gymnasium", "env.name=walk", "env.env_id=tests.env.own:walk", "env.max_episode_steps=20",
    "+env.kwargs.box=true", "env.experts.source=tests.env.own:to_the_right", "env.success.told_by=info",
    "env.success.key=there", "env.success.ends_episode=true", "vlm=manual", "vlm.answered_by=nobody", "logger=none",
]  # fmt: skip
SMALL = [
    "training.steps=2048", "training.record_every=512", "training.eval_every=1024", "training.eval_episodes=3",
    "training.final_eval_episodes=10", "training.checkpoint_every=1024", "audit.episodes=5",
    "algorithm.num_envs=4", "algorithm.hidden=[32]", "algorithm.learning_starts=200", "algorithm.batch_size=64",
    "algorithm.gradient_steps=4", "algorithm.learning_rate=0.003", "algorithm.ent_coef=0.01",
]  # fmt: skip


@pytest.fixture
def composed(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DictConfig]:
    """Settings of runs whose program is there already."""
    monkeypatch.chdir(ROOT)
    program = Program((SubTask("reach_the_edge", "The bar is at the right edge."),), PROGRAM)
    stored = StoredProgram(program, Verdict(True, ()), 1, 2, "a test", tmp_path / "program")
    (stored.folder / "images").mkdir(parents=True)
    (stored.folder / "conversation.jsonl").write_text("")
    ProgramStore.put(stored)
    monkeypatch.setattr("vlmcar.pipeline.obtain_program", lambda built, console: stored)
    return lambda *overrides: config(*WALK, *SMALL, f"results={tmp_path}/results", *overrides)


def folder_of(tmp_path: Path, algorithm: str) -> Path:
    return tmp_path / "results/runs/gymnasium-walk/vlmcar/manual" / algorithm / "seed_0"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("algorithm", "noisy"), [("sac", False), ("tqc", True)])
def test_a_run_is_trained_audited_and_shown(
    composed: Callable[..., DictConfig], tmp_path: Path, algorithm: str, noisy: bool
) -> None:
    run(composed(f"algorithm={algorithm}", f"+env.kwargs.noisy={str(noisy).lower()}"))
    folder = folder_of(tmp_path, algorithm)
    result = json.loads((folder / "result.json").read_text())
    audit = result["audit"]
    assert (audit["episodes"], audit["full_without_success"], audit["success_without_full"]) == (5, 0, 0)
    if algorithm == "sac":
        assert result["final_success"] == 1.0
        assert audit["successes"] == 5
    for kind in ("expert", "random", "policy"):
        episode = json.loads((folder / "episodes" / f"{kind}.json").read_text())
        assert episode["steps"] + 1 == len(episode["frames"]) == len(episode["progress"])
        assert episode["success"] is (episode["progress"][-1] == [1.0])
    trained = rows(folder / "train.csv")
    assert [int(row["steps"]) for row in trained] == [512, 1024, 1536, 2048]
    assert float(trained[-1]["reward_return"]) > float(trained[0]["reward_return"])


def test_a_run_that_was_killed_goes_on_exactly(
    composed: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sde = ("algorithm=sac", "algorithm.use_sde=true")
    run(composed(*sde))
    whole = folder_of(tmp_path, "sac")
    expected = [(whole / name).read_bytes() for name in ("train.csv", "eval.csv")]

    def killed(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as early:
        early.setattr("vlmcar.training.bookkeeper.Bookkeeper.keep", keep_once_and(killed))
        with pytest.raises(KeyboardInterrupt):
            run(composed(*sde, "overwrite=true", "label=killed"))
    run(composed(*sde, "label=killed"))
    rest = whole.parents[2].with_name("vlmcar-killed") / "manual/sac/seed_0"
    assert [(rest / name).read_bytes() for name in ("train.csv", "eval.csv")] == expected
    result = json.loads((rest / "result.json").read_text())
    assert result["resumed_exactly"] is True


def keep_once_and(then: Callable[..., None]) -> Callable[..., None]:
    from vlmcar.training.bookkeeper import Bookkeeper

    keep = Bookkeeper.keep

    def kept(self: Bookkeeper) -> None:
        keep(self)
        then()

    return kept


def test_an_algorithm_for_other_actions_is_refused_before_a_program_is_made(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("vlmcar.pipeline.obtain_program", lambda *_: pytest.fail("a program was made"))
    with pytest.raises(ConfigError, match=r"algorithm=dqn acts in Discrete spaces, and .*Box.*algorithm=sac"):
        run(config(*WALK, f"results={tmp_path}", "algorithm=dqn"))
    assert not list(tmp_path.iterdir())
