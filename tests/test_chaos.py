"""Chaos finds its victims, kills them, and finds what is not as it would have been."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar import chaos
from vlmcar.record.processes import below


def write_run(results: Path, seed: int, rows: str = "steps\r\n1\r\n", **result: object) -> Path:
    folder = results / f"runs/env/sparse/none/ppo/seed_{seed}"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text(rows)
    (folder / "eval.csv").write_text("steps\n0\n")
    numbers = {"final_success": 1.0, "final_episodes": 5, "steps_to_90": None, "program_hash": None}
    (folder / "result.json").write_text(json.dumps({**numbers, "resumed_exactly": True, **result}))
    return folder


def test_equal_runs_do_not_differ(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_run(tmp_path / name, 0)
    assert chaos.differences(tmp_path / "one", tmp_path / "other") == (1, [])


def test_every_difference_is_told(tmp_path: Path) -> None:
    for seed in range(6):
        write_run(tmp_path / "one", seed)
    write_run(tmp_path / "other", 0, rows="steps\n1\n")
    (write_run(tmp_path / "other", 1) / "eval.csv").unlink()
    (write_run(tmp_path / "other", 2) / "result.json").unlink()
    write_run(tmp_path / "other", 3, final_success=0.5)
    write_run(tmp_path / "other", 4, resumed_exactly=False)
    write_run(tmp_path / "other", 6)
    runs, lines = chaos.differences(tmp_path / "one", tmp_path / "other")
    assert runs == 6
    told = {line.removeprefix("runs/env/sparse/none/ppo/seed_") for line in lines}
    assert told == {
        "0: train.csv is another", "1: no eval.csv", "2: is not complete", "3: final_success is another",
        "4: went on with new episodes", "5: no train.csv", "5: no eval.csv", "5: is not complete",
        "6: nobody asked for it",
    }  # fmt: skip


def test_descendants_are_found_by_their_command() -> None:
    inner = "import time; time.sleep(60)  # a mark"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer]) as process:
        deadline = time.monotonic() + 30
        while not (found := [pid for pid in below(process.pid, "# a mark") if pid != process.pid]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert below(process.pid, "no such mark") == []
        for pid in (*found, process.pid):
            subprocess.run(["kill", "-9", str(pid)], check=True)


def test_a_small_sweep_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = tmp_path / "chaos"
    arguments = [
        "--kills",
        "4",
        "--steps",
        "12000",
        "--seeds",
        "0,1",
        "--methods",
        "vlmcar,sparse",
        "--pause",
        "2",
    ]
    monkeypatch.setattr(sys, "argv", ["chaos", *arguments, "--results", str(results)])
    assert chaos.main() == 0
    facts = json.loads((results / "chaos.json").read_text())
    assert facts["kills"] >= 4
    assert facts["runs"] == 4
    assert facts["different"] == []
