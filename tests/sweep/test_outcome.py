"""What a run of a sweep leaves behind, and what is made of it when it left nothing more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from vlmcar.sweep.job import run_job
from vlmcar.sweep.outcome import (
    DIED,
    DONE,
    FAILED,
    FOLDER,
    NOT_BEGUN,
    RUNNING,
    SWEEP,
    Outcome,
    abandoned,
    begun,
    read_all,
    say_begun,
    write,
)  # fmt: skip


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    ended = Outcome(("seed=1", "method=sparse"), DONE, success=0.5, seconds=2.0)
    write(tmp_path, 7, ended)
    assert read_all(tmp_path) == {7: ended}
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["7.json"]
    assert read_all(tmp_path / "nowhere") == {}


def test_a_run_whose_process_is_gone_has_failed_and_one_that_lives_goes_on(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        write(tmp_path, 0, replace(begun(("seed=0",)), pid=gone.pid))
        assert (read_all(tmp_path)[0].state, read_all(tmp_path)[0].reason) == (FAILED, DIED)
    finally:
        gone.wait()
    assert read_all(tmp_path)[0].state == FAILED
    write(tmp_path, 0, begun(("seed=0",)))
    assert read_all(tmp_path)[0].state == RUNNING


def test_of_a_process_on_another_machine_nothing_is_claimed(tmp_path: Path) -> None:
    write(tmp_path, 0, replace(begun(("seed=0",)), host="elsewhere", pid=2**22 + 1))
    (outcome,) = read_all(tmp_path).values()
    assert outcome.state == RUNNING
    assert "elsewhere" in outcome.reason
    assert "stage=status" in outcome.reason


def test_a_sweep_whose_process_is_gone_is_abandoned(tmp_path: Path) -> None:
    assert not abandoned(tmp_path)  # begun by other means
    say_begun(tmp_path)
    assert not abandoned(tmp_path)
    mine = json.loads((tmp_path / SWEEP).read_text())
    for other in (
        {"pid": 2**22 + 1},
        {"began": "1"},
    ):  # such a number cannot be; it is another process by now
        (tmp_path / SWEEP).write_text(json.dumps(mine | other))
        assert abandoned(tmp_path)
        (tmp_path / SWEEP).write_text(json.dumps(mine | other | {"host": "elsewhere"}))
        assert not abandoned(tmp_path)


def test_a_job_of_an_abandoned_sweep_does_not_begin(tmp_path: Path) -> None:
    say_begun(tmp_path)
    mine = json.loads((tmp_path / SWEEP).read_text())
    (tmp_path / SWEEP).write_text(json.dumps(mine | {"pid": 2**22 + 1}))
    hydra = OmegaConf.create(
        {"sweep": {"dir": str(tmp_path)}, "job": {"num": 3}, "overrides": {"task": ["seed=1"]}}
    )
    run_job(OmegaConf.create({}), hydra)
    assert read_all(tmp_path)[3].state == NOT_BEGUN
