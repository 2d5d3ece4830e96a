"""Every mistake of the table is one line, as ``docs/errors.md`` says, and leaves nothing half-written behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.running import Zygote, make
from tests.bad_input.table import HEAD, MISTAKES, PAGE, RENEW, committed, row
from tests.conftest import ROOT

CONFIG, FAILED = 2, 1


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    running = Zygote()
    yield running
    running.close()


@pytest.fixture(scope="session")
def lines() -> set[str]:
    return set(committed())


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{m.about}: {m.wrong}" for m in MISTAKES])
def test_a_mistake_is_one_line(mistake, tmp_path: Path, zygote: Zygote, lines: set[str]) -> None:
    here = {name for folder in (ROOT, ROOT / "results") for name in os.listdir(folder)}
    path = tmp_path / "place"
    path.mkdir()
    outcome = make(mistake, path, zygote)
    assert len(outcome.lines) == 1, "\n".join(outcome.lines)  # a traceback has more
    for words in mistake.says:
        assert words in outcome.lines[0]
    assert outcome.status == mistake.status
    if mistake.command.startswith("run.py"):
        assert outcome.lines[0].startswith(
            "vlmcar: config error: " if mistake.status == CONFIG else "vlmcar: "
        )
    if mistake.status == CONFIG:
        assert outcome.out == ""
        assert not set(outcome.left) - {"results"}  # where the folder was tried
    assert not any(name.endswith(".partial") for name in outcome.left)
    assert {Path(name).name for name in outcome.touched} <= set(mistake.changes)
    assert {name for folder in (ROOT, ROOT / "results") for name in os.listdir(folder)} <= here | {
        "__pycache__"
    }
    assert row(mistake, outcome) in lines, f"{PAGE} says something else: renew it with {RENEW}"


def test_the_page_holds_every_mistake_and_no_other(lines: set[str]) -> None:
    assert PAGE.read_text(encoding="utf-8").startswith(HEAD)
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| what was wrong")]
    assert len(rows) == len(MISTAKES)
    assert len({mistake.wrong for mistake in MISTAKES}) == len(MISTAKES)


def test_there_are_mistakes_of_every_kind() -> None:
    kinds = [mistake.about for mistake in MISTAKES]
    assert {kind: kinds.count(kind) >= 10 for kind in kinds} == dict.fromkeys(kinds, True)
    assert set(kinds) == {"config", "files", "environment", "endpoint", "other commands"}


@pytest.mark.parametrize(
    "mistake", [m for m in MISTAKES if m.wrong in ("a seed that is a word", "no equals sign")]
)
def test_a_fork_sees_what_a_process_sees(mistake, tmp_path: Path, zygote: Zygote) -> None:
    path = tmp_path / "place"
    path.mkdir()
    forked = make(mistake, path, zygote)
    command = [sys.executable, *mistake.command.split(), f"results={path / 'results'}"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, tuple(done.stderr.splitlines())) == (forked.status, forked.lines)
