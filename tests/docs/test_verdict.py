"""The guide's example verdicts are what verification measures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from vlmcar.config import build
from vlmcar.obtain import obtain_program, verify_program
from vlmcar.record.console import Console
from vlmcar.types import Check

GUIDE = (ROOT / "docs/guides/reading_a_verdict.md").read_text(encoding="utf-8")
Row = tuple[str, ...]


def rows_of(heading: str) -> list[Row]:
    """The cells of the table below a heading, without backticks."""
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
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
