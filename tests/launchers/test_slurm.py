"""The Slurm launcher up to the file that it hands to ``sbatch``: a stand-in keeps that file, and there is no Slurm."""

from __future__ import annotations

import os
import pickle
import shlex
import stat
from pathlib import Path

import pytest

from tests.launchers.sweeps import Sweep


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in leaves what it is handed, before it refuses the job."""
    kept = tmp_path / "kept.sh"
    commands = tmp_path / "bin"
    commands.mkdir()
    refuse = (
        f'cp "$1" {shlex.quote(str(kept))}; echo "sbatch: error: Batch job submission failed" >&2; exit 1'
    )
    for name, line in (("sbatch", refuse), ("srun", "exit 1")):
        script = commands / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return kept


def test_the_file_for_sbatch_asks_for_what_the_yaml_says(sbatch: Path, tmp_path: Path) -> None:
    sweep = Sweep(
        "submitit_slurm", tmp_path / "results", "method=sparse", "seed=0,1,2", "training.steps=8192",
        "hydra.launcher.partition=long", "hydra.launcher.array_parallelism=2", "hydra.launcher.timeout_min=90",
    )  # fmt: skip
    done = sweep.finish()
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("vlmcar: a job was lost or not started (")
    assert "Batch job submission failed" in last  # what sbatch said is kept
    assert "Traceback" not in done.stderr

    lines = sbatch.read_text().splitlines()
    asked = dict(
        line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH")
    )
    [logs] = sweep.results.glob("sweeps/*/jobs")
    assert asked == {
        "array": "0-2%2",
        "cpus-per-task": "1",
        "job-name": "vlmcar",
        "mem": "4GB",
        "nodes": "1",
        "ntasks-per-node": "1",
        "open-mode": "append",
        "output": f"{logs}/%A_%a_0_log.out",
        "partition": "long",
        "requeue": "",
        "signal": "USR2@120",
        "time": "90",
        "wckey": "submitit",
    }
    assert "export OMP_NUM_THREADS=1" in lines
    [srun] = [line for line in lines if line.startswith("srun ")]
    assert "submitit.core._submit" in srun
    pickles = sorted(logs.glob("*.pkl"))
    assert len(pickles) == 3
    budgets = [pickle.loads(path.read_bytes())._timeout_countdown for path in pickles]
    assert budgets == [20, 20, 20]


def test_without_slurm_one_line_says_so(tmp_path: Path) -> None:
    done = Sweep("submitit_slurm", tmp_path, "method=sparse", "seed=0").finish()
    assert done.returncode == 2
    assert done.stderr == (
        "vlmcar: config error: there is no Slurm here: start the sweep where `sbatch` and `srun` are\n"
    )
