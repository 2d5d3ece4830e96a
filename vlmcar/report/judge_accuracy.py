"""How good a judge must be: success against a simulated judge's error rates, beside code and the sparse reward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vlmcar.report.canvas import LEGEND_SIZE, STYLE, TITLE_SIZE, canvas, png_path, save
from vlmcar.report.figures import METHOD_COLOURS, commands_text, interval_text, vlm_text
from vlmcar.report.results import Results, in_order, mean_success
from vlmcar.report.statistics import iqm, stratified_bootstrap

LEAST_RATES = 4
"""Judges with so many different pairs of rates make a figure of their own."""
SIZE = (7.6, 3.6)
COLOURS = ["#004D40", "#009E73", "#7CC7AE", "#B9D9CE", "#555555"]
"""From no false negatives to many: shades of the oracle's colour."""
MARKERS = ["o", "s", "^", "D", "v"]


class Point(NamedTuple):
    """Seeds that were judged alike: interquartile mean and interval of one number per run."""

    middle: float
    low: float
    high: float


def grids(results: Results) -> dict[tuple[str, str], pd.DataFrame]:
    """The finished runs of each (environment, variant of a method) that has at least ``LEAST_RATES`` pairs of rates."""
    evaluated = mean_success(results)
    runs = results.runs[results.runs["finished"] & results.runs["false_positives"].notna()]
    runs = runs[_truths((run.env, run.series, run.seed) in evaluated for run in runs.itertuples())]
    found = {}
    for (env, method, label, algorithm), group in runs.groupby(
        ["env", "method", "label", "algorithm"], sort=False
    ):
        if len(group[["false_positives", "false_negatives"]].drop_duplicates()) >= LEAST_RATES:
            name = f"{method} ({label})" if label else str(method)
            found[str(env), f"{name} {algorithm}" if (env, name) in found else name] = group
    return found


def judge_accuracy(results: Results, command: str, out: Path) -> list[Path]:
    """Draws ``judge_accuracy_<env>_<method>.png`` (see `save`) for each of ``grids``."""
    paths = []
    for (env, method), runs in grids(results).items():
        others = results.runs[(results.runs["env"] == env) & results.runs["finished"]]
        others = others[others["method"].isin(["vlmcar", "sparse"])]
        others = others[others["algorithm"].isin(runs["algorithm"])]
        with mpl.rc_context(STYLE):
            figure = draw(env, method, runs, others, mean_success(results), command)
            paths.append(save(figure, png_path(out, f"judge_accuracy_{env}_{method}")))
    return paths


def without_grids(results: Results) -> Results:
    """The same without what ``judge_accuracy`` draws: two dozen curves in one panel tell nothing."""
    drawn = [(env, name) for (env, _), runs in grids(results).items() for name in runs["series"].unique()]
    if not drawn:
        return results
    kept = [
        frame[~pd.MultiIndex.from_frame(frame[["env", "series"]]).isin(drawn)]
        for frame in (results.runs, results.evaluations)
    ]
    return Results(kept[0], kept[1], results.ledger, results.problems, results.csv_folder)


def draw(
    env: str,
    method: str,
    runs: pd.DataFrame,
    others: pd.DataFrame,
    means: dict[tuple[str, str, int], float],
    command: str,
) -> Figure:
    """Two panels, during training and at its end. To be drawn inside ``mpl.rc_context(STYLE)``."""
    runs, others = (
        frame.assign(
            mean_success=[means.get((run.env, run.series, run.seed), np.nan) for run in frame.itertuples()]
        ).dropna(subset="mean_success")
        for frame in (runs, others)
    )
    figure = canvas(*SIZE, _footer(runs, others, command))
    panels: Sequence[Axes] = figure.subplots(1, 2, sharey=True)
    for axes, column, title in zip(
        panels, ("mean_success", "final_success"), ("during training (mean)", "after training"), strict=True
    ):
        _draw_panel(axes, runs, others, column)
        axes.set_title(title, loc="left", size=TITLE_SIZE, weight="bold")
    panels[0].set_ylabel("evaluation success rate")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title=f"{env}: {method}, a simulated judge, against code and the sparse reward",
        title_fontproperties={"weight": "bold", "size": TITLE_SIZE},
        loc="outside upper left",
        alignment="left",
        ncols=3,
        fontsize=LEGEND_SIZE,
        frameon=False,
    )
    return figure


def _draw_panel(axes: Axes, runs: pd.DataFrame, others: pd.DataFrame, column: str) -> None:
    rates = sorted(runs["false_positives"].unique())
    for number, series in enumerate(in_order(others["series"])):
        point = _point(others.loc[others["series"] == series, column])
        colour = METHOD_COLOURS.get(series.split(" ")[0], "#000000")
        axes.axhline(
            point.middle, color=colour, linewidth=1.4, linestyle=(5 * number, (5, 5)), label=_named(series)
        )
        if not np.isnan(point.low):
            axes.axhspan(point.low, point.high, color=colour, alpha=0.12, linewidth=0)
    negatives = sorted(runs["false_negatives"].unique())
    for number, rate in enumerate(negatives):
        line = runs[runs["false_negatives"] == rate]
        there = [place for place, x in enumerate(rates) if (line["false_positives"] == x).any()]
        points = [_point(line.loc[line["false_positives"] == rates[place], column]) for place in there]
        middles = np.array([point.middle for point in points])
        spread = np.array([[p.middle - p.low for p in points], [p.high - p.middle for p in points]])
        axes.errorbar(
            np.array(there) + (number - (len(negatives) - 1) / 2) * 0.09,  # side by side
            middles,
            yerr=np.nan_to_num(spread).clip(0),
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2,
            label=f"simulated judge, FN {rate:g}",
        )
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_xlabel("false positives per frame and sub-task (FP)")
    axes.set_ylim(-0.03, 1.03)


def _truths(values: Iterable[bool]) -> NDArray[np.bool_]:
    """A mask, also of no rows."""
    return np.array(list(values), dtype=bool)


def _named(series: str) -> str:
    return {"vlmcar": "vlmcar: programs", "sparse": "sparse reward"}.get(series, series)


def _point(values: pd.Series) -> Point:
    scores = values.to_numpy(dtype=np.float64).reshape(-1, 1)
    low, high = stratified_bootstrap(scores)
    return Point(iqm(scores), low, high)


def _footer(runs: pd.DataFrame, others: pd.DataFrame, command: str) -> list[str]:
    both = pd.concat([runs, others])
    seeds = sorted(both.groupby("series")["seed"].nunique().unique())
    counts = " to ".join(str(count) for count in dict.fromkeys([seeds[0], seeds[-1]]))
    interval = interval_text(seeds).replace("Line:", "points:").replace("Band:", "Bars and bands:")
    return [
        "Judge: simulated, ground truth with the error rates shown; no VLM judged a frame. An error belongs to its "
        "frame, and is the same for all seeds.",
        f"Programs and sub-tasks by VLM: {vlm_text(others if len(others) else runs)}.",
        f"Seeds: {counts} per point, {interval}",
        f"Runs: {commands_text(both)}. Drawn by: {command}",
    ]
