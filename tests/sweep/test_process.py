"""How the process of one run says how it went."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from vlmcar import pipeline
from vlmcar.sweep import process
from vlmcar.types import ConfigError, Stopped, VlmcarError

ASKED = "stopped; the same command goes on from the last checkpoint, if there is one"


@pytest.mark.parametrize(
    ("error", "state", "reason", "traceback"),
    [
        (None, "done", "", False),
        (VlmcarError("two\nlines"), "failed", "two lines", False),
        (ConfigError("wrong"), "failed", "wrong", False),
        (Stopped(15), "stopped", ASKED, False),
        (KeyboardInterrupt(), "stopped", ASKED, False),
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
