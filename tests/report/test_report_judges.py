"""Simulated judges in the report: named with their rates, drawn by them, and their cost called projected."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from tests.report.conftest import write_run
from vlmcar.report.__main__ import main
from vlmcar.report.canvas import STYLE
from vlmcar.report.costs import duration, ledger_section
from vlmcar.report.figures import METHOD_COLOURS, line_of
from vlmcar.report.judge_accuracy import draw, grids, without_grids
from vlmcar.report.results import mean_success, read_csv, read_runs

USAGE = {
    "calls": 10, "answers": 30, "unclear": 2, "refused": 3, "truncated": 0, "failed": 1,
    "input_tokens": 5000, "output_tokens": None, "seconds": 7200.0, "cost": 1.5,
}  # fmt: skip


def simulated(results: Path, positives: float, negatives: float, method: str = "oracle", **fields) -> Path:
    return write_run(
        results,
        method=method,
        vlm=f"simulated_fp{positives:g}_fn{negatives:g}",
        judge=f"simulated (FP {positives:g}, FN {negatives:g})",
        false_positives=positives,
        false_negatives=negatives,
        **fields,
    )


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Two by two rates and two seeds, whose success falls with the rates; program and sparse reward beside it."""
    results = tmp_path / "results"
    for seed in (0, 1):
        for positives in (0.0, 0.01):
            for negatives in (0.0, 0.5):
                end = 1 - 10 * positives - negatives + 0.1 * seed * (negatives > 0)
                simulated(results, positives, negatives, seed=seed, success=(0.0, end / 2, end))
        write_run(results, method="vlmcar", seed=seed)
        write_run(results, method="sparse", seed=seed, success=(0.0, 0.0, 0.5))
    return results


def test_the_figure_shows_the_means_of_each_pair_of_rates(grid: Path) -> None:
    results = read_runs(grid)
    ((env, method),) = grids(results)
    assert (env, method) == ("minigrid-doorkey_8x8", "oracle")
    others = results.runs[results.runs["method"].isin(["vlmcar", "sparse"])]
    with mpl.rc_context(STYLE):
        figure = draw(env, method, grids(results)[env, method], others, mean_success(results), "a command")
        figure.canvas.draw()
    training, after = figure.axes
    lines = {container.get_label(): container.lines[0].get_ydata() for container in after.containers}
    np.testing.assert_allclose(lines["simulated judge, FN 0"], [1.0, 0.9])
    np.testing.assert_allclose(lines["simulated judge, FN 0.5"], [0.55, 0.45])
    during = {container.get_label(): container.lines[0].get_ydata() for container in training.containers}
    np.testing.assert_allclose(
        during["simulated judge, FN 0"], [0.75, 0.675]
    )  # of the evaluations after step 0
    heights = {line.get_label(): line.get_ydata()[0] for line in after.lines if line.is_dashed()}
    assert heights == {"vlmcar: programs": 1.0, "sparse reward": 0.5}
    text = " ".join(t.get_text() for t in figure.texts)
    for words in ("Judge: simulated", "Seeds: 2 per point", "95% stratified bootstrap", "a command"):
        assert words in text


def test_the_report_draws_it_says_simulated_and_can_be_redrawn(grid: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "report", tmp_path / "again"
    assert main(["--results", str(grid), "--out", str(out)]) == 0
    name = "judge_accuracy_minigrid-doorkey_8x8_oracle.png"
    assert (out / name).stat().st_size > 10_000
    page = (out / "report.md").read_text()
    assert f"({name})" in page
    assert "oracle · simulated (FP 0.01, FN 0.5)" in page
    assert "**Simulated judge:**" in page
    assert main(["--from-csv", str(out), "--out", str(again)]) == 0
    assert (again / name).is_file()
    assert read_csv(out).runs["false_positives"].notna().sum() == 8


def test_a_grid_is_not_among_the_learning_curves_and_a_single_judge_is(grid: Path) -> None:
    simulated(grid, 0.01, 0.1, method="direct_vlm")
    series = set(without_grids(read_runs(grid)).runs["series"])
    assert series == {"vlmcar", "sparse", "direct_vlm · simulated (FP 0.01, FN 0.1)"}
    lines = line_of(series)
    assert lines["direct_vlm · simulated (FP 0.01, FN 0.1)"].colour == METHOD_COLOURS["direct_vlm"]


def test_three_pairs_of_rates_are_no_grid(tmp_path: Path) -> None:
    for positives in (0.0, 0.1, 0.2):
        simulated(tmp_path / "results", positives, 0.0)
    results = read_runs(tmp_path / "results")
    assert grids(results) == {}
    assert len(without_grids(results).runs) == 3


def test_the_ledger_counts_a_program_once_and_runs_by_their_median(tmp_path: Path) -> None:
    results = tmp_path / "results"
    program = {"program": {"asked": USAGE}}
    for seed, calls in ((0, 10), (1, 20), (2, 90)):
        write_run(results, method="vlmcar", seed=seed, result={"vlm_ledger": program})
        ledger = {"decisions": {"projected": {**USAGE, "calls": calls, "cost": None}}}
        simulated(results, 0.01, 0.1, method="direct_vlm", seed=seed, result={"vlm_ledger": ledger})
    read = read_runs(results)
    assert read.runs.set_index(["method", "seed"])["vlm_calls"].to_dict()["direct_vlm", 2] == 90
    _, table, note = ledger_section(read.ledger)
    rows = [[cell.strip() for cell in line.split("|")[2:-1]] for line in table.splitlines()[2:]]
    asked = [
        "sub-tasks and program",
        "asked",
        "per program",
        "10",
        "2",
        "3",
        "0",
        "1",
        "5,000",
        "–",
        "2.0 h",
        "1.50",
    ]
    assert rows[0] == ["vlmcar", *asked]
    assert rows[1][0] == "direct_vlm · simulated (FP 0.01, FN 0.1)"
    assert rows[1][2:5] == ["**simulated**: projected", "per run, median of 3", "20"]
    assert rows[1][-1] == "–"  # an unknown price stays unknown
    assert "nobody was asked" in note


@pytest.mark.parametrize("ledger", [[1], {"decisions": {"asked": {"calls": 1}}}, {"decisions": 3}, "x"])
def test_a_broken_ledger_is_named_and_its_run_left_out(tmp_path: Path, ledger: object) -> None:
    write_run(tmp_path / "results", result={"vlm_ledger": ledger})
    results = read_runs(tmp_path / "results")
    assert results.runs.empty
    assert "vlm_ledger" in results.problems[0].reason


def test_older_runs_without_a_ledger_are_read(tmp_path: Path) -> None:
    write_run(tmp_path / "results")
    results = read_runs(tmp_path / "results")
    assert len(results.runs) == 1
    assert results.ledger.empty
    assert ledger_section(results.ledger) == []


def test_durations_in_words() -> None:
    assert [duration(s) for s in (5.4, 119, 120, 7200, 180_000, float("nan"))] == [
        "5 s", "119 s", "2 min", "2.0 h", "2.1 days", "–"
    ]  # fmt: skip


def test_variants_are_not_pooled_and_other_environments_keep_their_curves(grid: Path) -> None:
    for seed in (0, 1):
        simulated(grid, 0.0, 0.0, seed=seed, label="slow", success=(0.0, 0.0, 0.0))
    simulated(grid, 0.0, 0.0, env="minigrid-unlock")
    simulated(grid, 0.0, 0.0, seed=7, success=(0.0,))  # evaluated before training only
    results = read_runs(grid)
    ((_, runs),) = grids(results).items()
    assert set(runs["label"]) == {""}
    assert set(runs["seed"]) == {0, 1}
    kept = without_grids(results).runs
    assert set(kept["env"]) == {"minigrid-doorkey_8x8", "minigrid-unlock"}
    assert "oracle (slow) · simulated (FP 0, FN 0)" in set(kept["series"])


def test_a_report_of_judges_alone_says_nothing_of_missing_evaluations(tmp_path: Path) -> None:
    for positives in (0.0, 0.001, 0.01, 0.1):
        simulated(tmp_path / "results", positives, 0.0)
    out = tmp_path / "report"
    assert main(["--results", str(tmp_path / "results"), "--out", str(out)]) == 0
    page = (out / "report.md").read_text()
    assert "judge_accuracy_" in page
    assert "No run has been evaluated" not in page


def test_kept_answers_are_not_counted_as_calls_of_the_run(tmp_path: Path) -> None:
    ledger = {"program": {"cached": USAGE}, "decisions": {"asked": USAGE, "cached": {**USAGE, "calls": 500}}}
    write_run(tmp_path / "results", method="direct_vlm", result={"vlm_ledger": ledger})
    assert read_runs(tmp_path / "results").runs["vlm_calls"].tolist() == [20]
