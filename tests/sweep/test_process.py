"""How the process of one run says how it went."""

from __future__ import annotations

import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from vlmcar import pipeline
from vlmcar.sweep import job, process
from vlmcar.types import ConfigError, Stopped, VlmcarError


@pytest.mark.parametrize(
    ("error", "state", "reason", "traceback"),
    [
        (None, "done", "", False),
        (VlmcarError("two\nlines"), "failed", "two lines", False),
        (ConfigError("wrong"), "failed", "wrong", False),
        (Stopped(15), "stopped", "stopped", False),
        (KeyboardInterrupt(), "stopped", "stopped", False),
        (ZeroDivisionError("zero"), "failed", "ZeroDivisionError: zero (its traceback is above)", True),
        (MemoryError(), "failed", "MemoryError: MemoryError (its traceback is above)", True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_end_is_told_in_one_line(
    error: BaseException | None,
    state: str,
    reason: str,
    traceback: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(cfg: object, bar: bool) -> None:
        assert bar is False
        if error:
            raise error

    monkeypatch.setattr(pipeline, "run", run)
    assert process._run(OmegaConf.create({})) == (state, reason)
    assert ("Traceback" in capsys.readouterr().err) == traceback


def test_a_runs_process_does_not_hear_what_a_cluster_sends_to_all_processes_of_a_job() -> None:
    ask = "import signal; print(*[signal.getsignal(n).name for n in (signal.SIGUSR1, signal.SIGUSR2)])"
    done = subprocess.run(
        [sys.executable, "-c", ask], preexec_fn=job._deaf, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["SIG_IGN", "SIG_IGN"]
