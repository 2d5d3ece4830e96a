"""The sandbox's benchmark compares equal work, and says what it measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar.bench_sandbox import main


def test_it_measures_pairs_starts_and_recoveries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    out = tmp_path / "bench.json"
    main(["--rounds", "5", "--starts", "1", "--frame-seconds", "0.01", "--out", str(out)])
    result = json.loads(out.read_text())
    assert [row["pixels"] for row in result["overhead"]] == [64, 128, 256]
    for row in result["overhead"]:
        assert row["batch"] == 16
        assert row["ratio"]["low"] <= row["ratio"]["median"] <= row["ratio"]["high"]
        assert min(row["milliseconds"][place]["median"] for place in ("in_process", "sandbox")) > 0
    assert result["cold_start_milliseconds"]["median"] > 0
    assert result["endless_loop_milliseconds"]["killed_after_deadline"]["median"] > 0  # never before it
    assert result["endless_loop_milliseconds"]["next_good_answer"]["median"] > 0
    assert result["sandbox"].startswith("seccomp")
    assert "next good answer" in capsys.readouterr().out
