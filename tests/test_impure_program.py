"""A verified program that turns out to remember: the run ends and is marked, and nobody trains with it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.test_pipeline import QUICK, run_folder
from vlmcar.pipeline import run
from vlmcar.program.errors import ProgramCrashed, ProgramImpure
from vlmcar.report.__main__ import main as report
from vlmcar.types import Program, VlmcarError
from vlmcar.verification.store import load

Compose = Callable[..., DictConfig]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def composed(config: Compose, tmp_path: Path) -> Callable[..., DictConfig]:
    quick = [*QUICK, f"results={tmp_path}", "method.audit_share=1", "method.audit_frames=64"]
    return lambda *overrides: config(*quick, *overrides)


def replace_program(results: Path, first_line: str) -> Path:
    """Put another line at the start of every function of the stored program; its entry in the store."""
    (verdict,) = results.rglob("programs/**/verdict.json")
    stored = load(verdict.parent)
    lines = []
    for line in stored.program.source.splitlines():
        lines.append(line)
        if line.startswith("def ") and "(initial, frame)" in line:
            lines.append(f"    {first_line}")
    source = "\n".join(lines) + "\n"
    (verdict.parent / "program.py").write_text(source)
    entry = json.loads(verdict.read_text())
    entry["program_hash"] = Program(stored.program.subtasks, source).hash
    verdict.write_text(json.dumps(entry))
    return verdict.parent


def test_the_run_is_marked_and_the_program_rejected(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "vlmcar.program.sandbox.screen", lambda *_: ()
    )  # it does not let a library be changed
    run(composed("stage=generate"))
    entry = replace_program(
        tmp_path,
        "np.__dict__.setdefault('n', []).append(1)\n    if len(np.n) % 97 == 0:\n        return True",
    )
    with pytest.raises(ProgramImpure):
        run(composed())
    folder = run_folder(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "frames got another answer, or none" in manifest["program_error"]
    assert manifest["program_error"].startswith("program answered wrongly: ")
    assert not (folder / "result.json").exists()
    verdict = json.loads((entry / "verdict.json").read_text())
    assert not verdict["accepted"]
    (check,) = [check for check in verdict["checks"] if check["name"] == "replay_audit"]
    assert (check["trajectories"], check["passed"], check["threshold"]) == ("training", False, ">= 1")
    assert 0 <= check["measured"] < 1
    assert check["count"] >= 64

    # Neither the same run nor another seed trains with it again, and stage=verify does not accept it.
    for overrides in ([], ["seed=2"], ["stage=verify"]):
        with pytest.raises(VlmcarError, match="has been rejected since: replay_audit in training measured"):
            run(composed(*overrides))

    capsys.readouterr()
    out = tmp_path / "report"
    assert report(["--results", str(tmp_path), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert (
        f"Failed program: minigrid-doorkey_5x5, vlmcar, seed 0: program `{manifest['program_hash']}`" in said
    )
    page = (out / "report.md").read_text()
    assert "## Programs that failed in training" in page
    assert manifest["program_error"] in page
    again = tmp_path / "again"
    assert report(["--from-csv", str(out), "--out", str(again)]) == 0
    assert manifest["program_error"] in (again / "report.md").read_text()


def test_a_crash_in_training_marks_the_run_and_leaves_the_program(composed: Compose, tmp_path: Path) -> None:
    run(composed("stage=generate"))
    entry = replace_program(tmp_path, "assert np.array_equal(initial, frame)")
    with pytest.raises(ProgramCrashed):
        run(composed())
    manifest = json.loads((run_folder(tmp_path) / "manifest.json").read_text())
    assert manifest["program_error"].startswith("program crashed in ")
    assert json.loads((entry / "verdict.json").read_text())["accepted"]


def test_a_clean_run_says_how_many_frames_were_audited(composed: Compose, tmp_path: Path) -> None:
    run(composed())
    result = json.loads((run_folder(tmp_path) / "result.json").read_text())
    assert result["program_error"] is None
    assert result["judged"]["frames_audited"] >= 4096
