"""Throughput: in numbers, in words, and as drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.report.conftest import write_run
from vlmcar.report.results import read_runs
from vlmcar.report.throughput import draw_throughput, throughput, throughput_cells, throughput_section


def timed(results: Path, rate: float, **which: object) -> None:
    write_run(results, result={"steps_per_second": rate}, **which)  # type: ignore[arg-type]


def test_a_ratio_is_that_of_medians_on_the_same_environment_with_the_same_algorithm(tmp_path: Path) -> None:
    for seed, rate in enumerate((100.0, 300.0, 250.0)):
        timed(tmp_path, rate, seed=seed)
        timed(tmp_path, 500.0, seed=seed, method="sparse")
    timed(tmp_path, 50.0, env="procgen-maze")  # nothing to compare with
    timed(tmp_path, 50.0, method="sparse", algorithm="dqn", env="procgen-maze")
    table = throughput(read_runs(tmp_path).runs).set_index(["environment", "method"])
    vlmcar = table.loc[("minigrid-doorkey_8x8", "vlmcar")]
    assert (vlmcar["median"], vlmcar["least"], vlmcar["most"], vlmcar["runs"]) == (250, 100, 300, 3)
    assert vlmcar["ratio"] == 0.5
    assert np.isnan(table.loc[("procgen-maze", "vlmcar"), "ratio"].item())


def test_its_words(tmp_path: Path) -> None:
    for seed, rate in enumerate((1000.0, 3000.0)):
        timed(tmp_path, rate, seed=seed)
    cells = throughput_cells(throughput(read_runs(tmp_path).runs))
    assert cells.to_numpy().tolist() == [["minigrid-doorkey_8x8", "vlmcar", "2", "2,000 [1,000, 3,000]", "–"]]


def test_how_many_frames_were_judged_anew(tmp_path: Path) -> None:
    for seed, judged in enumerate((10, 30, 50)):
        counted = {"frames_judged": judged, "frames_remembered": 100 - judged, "seconds": 1.0}
        write_run(tmp_path, seed=seed, result={"judged": counted})
    write_run(tmp_path, method="sparse", result={"judged": None})
    results = read_runs(tmp_path)
    cells = throughput_cells(throughput(results.runs)).set_index("method")["frames judged"]
    assert cells.to_dict() == {"vlmcar": "30%", "sparse": "–"}
    assert results.runs["frames_remembered"].sum() == 210


def test_no_picture_without_both(tmp_path: Path) -> None:
    timed(tmp_path, 1000.0)
    write_run(tmp_path, method="sparse", finished=False)
    runs = read_runs(tmp_path).runs
    assert draw_throughput(runs, "a command", tmp_path) is None
    assert throughput_section(runs[~runs["finished"]], None) == []


@pytest.mark.parametrize("rate", [3.0, 700.0, 25_000.0])
def test_the_picture_says_where_it_comes_from(tmp_path: Path, rate: float) -> None:
    timed(tmp_path, rate)
    timed(tmp_path, 1000.0, method="sparse")
    path = draw_throughput(read_runs(tmp_path).runs, "a command", tmp_path)
    assert path is not None
    words = " ".join(path.with_suffix(".svg").read_text().split())
    for said in (
        "VLM: offline",
        "Judge: programs (vlmcar)",
        "Seeds: 1 per",
        "Ratio of medians",
        "Drawn by: a command",
    ):
        assert said in words
