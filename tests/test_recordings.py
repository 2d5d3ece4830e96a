"""Every committed recording still fits today's prompts and is accepted on held-out levels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from tests.conftest import ROOT
from vlmcar.config import build
from vlmcar.generation.parsing import read_program, read_subtasks
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.verification.agreement import is_so
from vlmcar.verification.store import ProgramStore
from vlmcar.vlm.conversation import load

RECORDINGS = sorted(path.parent for path in (ROOT / "results/recordings").glob("*/conversation.jsonl"))
MINIGRID = {"unlock", "unlock_pickup", "doorkey_5x5", "doorkey_6x6", "doorkey_8x8", "key_corridor_s3r1"}
PROCGEN = {"heist", "leaper", "maze", "miner"}
EXAMPLES = {OmegaConf.load(path).name: path.stem for path in sorted((ROOT / "examples/env").glob("*.yaml"))}
"""Name of an example's task -> its yaml."""
REPAIRED = "gymnasium-taxi"
"""Its conversation tells of failures in whole sets of episodes, and fits no smaller ones."""
SMALL = (
    "verification.feedback_experts=2", "verification.held_out_experts=2", "verification.feedback_randoms=26",
    "verification.held_out_randoms=26", "verification.random_steps=12", "verification.negatives=1",
    "verification.distorted_frames=4",
)  # fmt: skip
"""Of episodes whose pictures take milliseconds each."""


def overrides(recording: Path) -> list[str]:
    """What makes its task, as on the command line."""
    suite, name = recording.name.split("-", 1)
    if name in EXAMPLES:
        return [f"hydra.searchpath=[file://{ROOT}/examples]", f"env={EXAMPLES[name]}", *SMALL]
    return [f"env={suite}/{name}"]


@pytest.mark.parametrize(
    "recording", [path for path in RECORDINGS if path.name != REPAIRED], ids=lambda path: path.name
)
def test_the_recording_is_accepted(
    config: Callable[..., DictConfig], recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    built = build(config(*overrides(recording), f"results={tmp_path}"))
    stored = obtain_program(built, Console("test"))
    assert stored.verdict.accepted
    assert ProgramStore(tmp_path / "programs").get(stored.folder) == stored

    messages, replies = load(recording)
    assert len(replies) == stored.vlm_calls, "the recording goes on after the program was accepted"
    assert messages[-1].text.count(stored.program.source) == 1
    assert all("not a named commercial model" in reply.model for reply in replies)
    if recording.name.split("-", 1)[1] in EXAMPLES:
        return  # nobody has written down their ground truth
    truth = yaml.safe_load((recording / "truth.yaml").read_text())
    assert set(truth) <= {subtask.name for subtask in stored.program.subtasks}
    known = built.env.truth(built.env.expert(0))
    for expression in truth.values():
        is_so(expression, known)


@pytest.mark.parametrize(("suite", "tasks"), [("minigrid", MINIGRID), ("procgen", PROCGEN)])
def test_the_tasks_are_recorded(suite: str, tasks: set[str]) -> None:
    assert {path.name for path in RECORDINGS} >= {f"{suite}-{task}" for task in tasks}


def test_the_repaired_program_is_accepted(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    recording = ROOT / "results/recordings" / REPAIRED
    built = build(config(*overrides(recording), f"results={tmp_path}"))
    messages, replies = load(recording)
    assert len(replies) == 4, "a program, and one that corrects it"
    subtasks = read_subtasks(replies[1].text, 8)
    for reply, accepted in ((replies[2], False), (replies[3], True)):
        program = read_program(reply.text, subtasks)
        verdict = built.verification.verify(program, built.env, built.sandbox, built.reward, 0.0)
        assert verdict.accepted is accepted, verdict
    assert messages[-1].text == replies[3].text


def test_the_examples_are_recorded() -> None:
    assert {path.name.split("-", 1)[1] for path in RECORDINGS} >= set(EXAMPLES)


def test_the_recordings_say_who_answered() -> None:
    text = (ROOT / "results/recordings/README.md").read_text()
    assert "not by a named commercial model" in " ".join(text.split())
    for folder in (ROOT / "results/recordings").iterdir():
        if folder.is_dir():
            lines = (folder / "conversation.jsonl").read_text(encoding="utf-8").splitlines()
            assert json.loads(lines[0])["role"] == "system"
