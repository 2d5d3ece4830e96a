"""What the guides say about verdicts is what verification measures, and says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.docs.blocks import blocks
from tests.docs.running import run
from vlmcar.config import build
from vlmcar.obtain import obtain_program, verify_program
from vlmcar.program.sandbox import Sandbox
from vlmcar.record.console import Console
from vlmcar.types import Check, Program, SubTask

Row = tuple[str, ...]


def rows_of(heading: str, guide: str = "reading_a_verdict") -> list[Row]:
    """The cells of the table below a heading, without backticks and the table's own heading."""
    text = (ROOT / f"docs/guides/{guide}.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines]


def as_row(check: Check) -> Row:
    measured = f"{check.measured:.4g}"
    result = "ok" if check.passed else "FAILED"
    return (
        check.name,
        check.subtask or "",
        check.trajectories,
        str(check.count),
        measured,
        check.threshold,
        result,
    )


def test_both_examples(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    settings = ("env=minigrid/doorkey_5x5", f"results={tmp_path}", "stage=generate")
    stored = obtain_program(build(config(*settings)), Console("test"))
    accepted, shown = {as_row(check) for check in stored.verdict.checks}, rows_of("An accepted one")
    assert len(shown) > 15
    assert [row for row in shown if row not in accepted] == []

    verdict = verify_program(build(config(*settings, "reward=every_frame")), stored.program, Console("test"))
    rejected, shown = {as_row(check) for check in verdict.checks}, rows_of("A rejected one")
    assert {row for row in rejected if row[-1] == "FAILED"} <= set(shown) <= rejected


def test_an_environment_as_the_guide_has_it(checkout: Path, sandbox: Sandbox) -> None:
    """Its program is accepted with an expert that acts, and with recorded ones, which leave gaps."""
    for block in blocks("docs/guides/own_environment.md"):
        if block.language in ("python", "yaml"):
            run(block, checkout, {})
    source = (checkout / "fetch.py").read_text(encoding="utf-8")
    names = ("take_the_coin", "bring_it_back")
    program = Program(tuple(SubTask(name, f"{name} is done.") for name in names), source)
    own = f"hydra.searchpath=[file://{checkout}]"
    for settings, gaps in (([], False), (["env.experts.source=demonstrations"], True)):
        with initialize_config_dir(str(checkout / "conf"), version_base="1.3"):
            built = build(
                compose(
                    "config", overrides=[own, "env=corridor", "vlm.answered_by=me", "vlm=manual", *settings]
                )
            )
        verdict = built.verification.verify(program, built.env, sandbox, built.reward, 0.0)
        assert verdict.accepted, verdict
        said = {check.threshold for check in verdict.checks if check.threshold.startswith("not available: ")}
        assert bool(said) == gaps
        known = {
            f"not available: {row[0]}" for row in rows_of('What "not available" means', "own_environment")
        }
        assert said <= known


def test_reasons_for_gaps_are_those_of_the_code() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "vlmcar").rglob("*.py"))
    reasons = [row[0] for row in rows_of('What "not available" means', "own_environment")]
    assert len(reasons) >= 5
    assert [reason for reason in reasons if reason not in code] == []
