"""joblib, and submitit's local executor: what a sweep makes, and what a lost or preempted job costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.launchers.sweeps import Sweep, jobs, wait

JOB = {"joblib": "LokyProcess", "submitit_local": "submitit.core._submit"}
"""How a launcher's job processes are called."""


@pytest.mark.parametrize(("launcher", "methods"), [("joblib", "vlmcar,sparse"), ("submitit_local", "sparse")])
def test_a_lost_job_is_named_and_the_same_command_completes_the_sweep(
    launcher: str, methods: str, tmp_path: Path
) -> None:
    sweep = Sweep(launcher, tmp_path, "training.steps=16384", f"method={methods}", "seed=0")
    killed = methods.split(",")[0]
    with sweep.started() as process:
        sweep.wait_for_checkpoint(process, sweep.folder(killed, 0))
        for job in jobs(process, JOB[launcher]):
            job.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "vlmcar: a job was lost or not started (" in said
    assert "the same command goes on" in said
    assert "Traceback (most recent call last)" not in said.split("vlmcar: a job was lost or not started (")[0]

    again = sweep.finish()
    assert again.returncode == 0, again.stderr
    assert [step > 0 for step in sweep.resumed_at(killed, 0)] == [True]
    sweep.resumed_at("sparse", 0)
    if "vlmcar" in methods:
        sweep.assert_one_program()


def test_a_preempted_job_is_requeued_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    sweep = Sweep("submitit_local", tmp_path, "training.steps=16384", "method=vlmcar", "seed=0,1")
    with sweep.started() as process:
        sweep.wait_for_checkpoint(process, sweep.folder("vlmcar", 0))
        preempted, log = job_of(process, sweep, "vlmcar seed 0")
        preempted.send_signal(signal.SIGUSR2)  # what Slurm sends before it takes the node
        wait(lambda: "Requeued job" in log.read_text(), process)
        _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert [step > 0 for step in sweep.resumed_at("vlmcar", 0)] == [True]
    assert sweep.resumed_at("vlmcar", 1) == []  # the other job was left alone
    assert log.read_text().count("Starting with JobEnvironment") == 2
    assert log.read_text().count("Job completed successfully") == 1
    sweep.assert_one_program()


def job_of(process: subprocess.Popen[str], sweep: Sweep, run: str) -> tuple[object, Path]:
    """A run's submitit job, by what its log says, and that log."""
    for job in jobs(process, JOB["submitit_local"]):
        name = job.environ()["SUBMITIT_LOCAL_JOB_ID"]
        [log] = sweep.results.glob(f"sweeps/*/jobs/{name}_0_log.out")
        if f" {run}] training" in log.read_text():
            return job, log
    raise AssertionError(f"no job runs {run}")


def test_joblib_takes_the_cores_that_this_process_may_use() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from hydra import compose, initialize_config_dir\nimport joblib\n"
        f"with initialize_config_dir({str(ROOT / 'conf')!r}, version_base='1.3'):\n"
        "    cfg = compose('config', return_hydra_config=True)\n"
        "print(cfg.hydra.launcher._target_, joblib.effective_n_jobs(cfg.hydra.launcher.n_jobs))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "LOKY_MAX_CPU_COUNT"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", "1"]
