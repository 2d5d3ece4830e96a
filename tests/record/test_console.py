"""Plain lines off a terminal, a bar on one."""

from __future__ import annotations

import pytest

from vlmcar.record import console as module
from vlmcar.record.console import Console


def test_plain_lines_come_now_and_then_with_rate_success_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 5.0, 20.0, 21.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    console = Console("run", bar=False)
    console.start(4000, first=0)
    console.update(500, None)  # 5 s: too early
    console.update(2000, 0.5)  # 20 s
    console.update(2100, 0.5)  # 21 s: too early again
    assert capsys.readouterr().out == "[run] 2,000/4,000 steps, 100 steps/s, success 50%, 20 s left\n"


def test_a_line_says_how_far_the_agent_gets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 20.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    console = Console("run", bar=False)
    console.start(4000)
    console.update(2000, 0.0, "1.0 of 3")
    line = "2,000/4,000 steps, 100 steps/s, success 0%, sub-tasks 1.0 of 3 in training, 20 s left"
    assert capsys.readouterr().out == f"[run] {line}\n"


def test_a_bar_shows_the_steps_and_success(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console("run", bar=True)
    console.start(1000)
    console.update(500, 0.25)
    console.update(1000, 0.25, "1.5 of 2")
    console.say("hello")
    console.close()
    printed = capsys.readouterr()
    assert "success 25%, sub-tasks 1.5 of 2 in training" in printed.err
    assert "1.00k/1.00k" in printed.err
    assert "[run] hello" in printed.out + printed.err
