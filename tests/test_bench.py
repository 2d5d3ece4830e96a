"""The benchmark measures all methods in turn, its ratios are of pairs, and its parts add up."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ROOT
from vlmcar.bench import __main__ as command
from vlmcar.bench import around
from vlmcar.bench.around import reporting, starting, verification
from vlmcar.bench.growth import lengthened
from vlmcar.bench.rendering import rendering
from vlmcar.bench.training import Clock, compare, components
from vlmcar.program.screening import screen
from vlmcar.types import Program, VlmcarError
from vlmcar.vlm.tiny import save_tiny_vlm
from vlmcar.vlm.transformers import Transformers


def test_methods_are_measured_in_pairs_and_the_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    methods = compare("minigrid/doorkey_5x5", rounds=1, steps=2048)["methods"]
    assert list(methods) == ["sparse", "vlmcar", "oracle", "direct_vlm"]
    rates = {name: one["steps_per_second"]["median"] for name, one in methods.items()}
    assert methods["vlmcar"]["of_sparse"]["median"] == pytest.approx(rates["vlmcar"] / rates["sparse"])
    for one in methods.values():
        shares = one["share_of_time"]
        assert sum(shares.values()) == pytest.approx(1.0)
        assert min(shares.values()) >= 0
        assert shares["environment"] > 0
    assert methods["sparse"]["share_of_time"]["judge"] == 0 < methods["vlmcar"]["share_of_time"]["judge"]
    assert methods["sparse"]["judged"] is None
    assert 0 < methods["vlmcar"]["judged"]["frames_judged_share"] < 1


def test_direct_vlm_asks_a_local_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    model = str(save_tiny_vlm(tmp_path / "tiny"))
    asked = []
    decide = Transformers.decide
    monkeypatch.setattr(Transformers, "decide", lambda *given: (asked.append(given[1:]), decide(*given))[1])
    methods = compare("minigrid/doorkey_5x5", 1, 2048, ["sparse", "direct_vlm"], model)["methods"]
    assert methods["direct_vlm"]["steps_per_second"]["median"] > 0
    assert asked
    assert all(len(questions) == 3 for _, questions in asked)  # the recorded sub-tasks


def test_what_stands_around_training_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    start = starting("minigrid/doorkey_5x5", 1)
    assert 0 < start["config_error"]["median"] < start["first_training"]["median"]
    verified = verification("minigrid/doorkey_5x5", 1)
    assert verified["again"]["median"] > 0
    report = reporting(1)
    assert report["runs"] == 80
    assert report["memory_mb"] > 50


def test_a_command_that_ends_otherwise_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(VlmcarError, match=r"ended with 2: .*nonsense"):
        around._seconds(["nonsense=1"], 0)


def test_it_finds_the_configuration_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert components("minigrid", "seed=3").seed == 3


def test_a_clock_does_not_count_what_others_count() -> None:
    inner, outer = Clock(), Clock()
    owner: Any = SimpleNamespace()
    owner.nap = lambda: time.sleep(0.05)
    owner.day = lambda: (owner.nap(), time.sleep(0.01), owner.nap())
    inner.around(owner, "nap")
    outer.around(owner, "day")
    owner.day()
    assert inner.seconds >= 0.1
    assert 0.01 <= outer.seconds < inner.seconds


def test_drawing_is_compared_on_equal_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = rendering("minigrid/doorkey_5x5", rounds=1, batches=2)
    rates = result["frames_per_second"]
    assert result["ratio"]["median"] == pytest.approx(rates["ours"]["median"] / rates["get_frame"]["median"])


def test_a_program_is_lengthened_by_its_first_subtask(doorkey_program: Program) -> None:
    longer = lengthened(doorkey_program, 8)
    assert len(longer.subtasks) == 8
    assert not screen(longer.source, longer.subtasks)


def test_the_table_says_what_the_json_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    out = tmp_path / "bench.json"
    arguments = ["--env", "minigrid/doorkey_5x5", "--parts", "rendering", "--rounds", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    command.main()
    (drawn,) = json.loads(out.read_text())["rendering"]
    assert f"{drawn['ratio']['median']:.1f} [" in out.with_suffix(".md").read_text()
    assert str(out) in capsys.readouterr().out
