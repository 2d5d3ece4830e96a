"""Learning curves. Every image says inside itself what it shows and which command drew it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from vlmcar.report.canvas import LEGEND_SIZE, STYLE, TITLE_SIZE, canvas, png_path, save
from vlmcar.report.results import Results, distinct, in_order
from vlmcar.report.statistics import CONFIDENCE, NUM_RESAMPLES, Curve, learning_curve
from vlmcar.report.tables import one_line, steps_text

Style = Literal["-", "-.", ":"]

COLUMNS = 3
MANY = 3
"""Environments that are worth processes of their own."""
PANEL = (3.5, 2.7)
"""Least width and height of one of several panels, inches; the legend comes on top."""
SINGLE = (6.0, 3.8)
AXIS_LABELS = 0.6
"""Width left of a panel's axes, inches."""

# Okabe and Ito's colours stay apart under the common kinds of colour blindness (jfly.uni-koeln.de/color).
METHOD_COLOURS = {"vlmcar": "#0072B2", "sparse": "#D55E00", "direct_vlm": "#CC79A7", "oracle": "#009E73"}
OTHER_COLOURS = ["#E69F00", "#56B4E9", "#000000"]
OTHER_LINES: list[Style] = ["-", "-.", ":"]


class Line(NamedTuple):
    colour: str
    style: Style
    marker: str | None = None
    """On every value of a curve, drawn open."""


class Room(NamedTuple):
    """Size of each panel, inches, and how many legend entries stand side by side in it."""

    width: float
    height: float
    legend_columns: int


class Panel(NamedTuple):
    """Success on an environment's levels: curves by series, and what the legend calls each."""

    env: str
    title: str
    curves: dict[str, Curve]
    labels: dict[str, str]


def learning_curves(results: Results, command: str, out: Path) -> dict[str, Path]:
    """Draws ``learning_curves.png`` with all environments and ``learning_curves_<env>.png`` for each.

    Args:
        command: what made the figures, for the footer.

    Returns:
        The PNG paths by environment, the combined figure under ``""``; see `save`.
    """
    runs = results.runs
    lines = line_of(runs["series"])
    by_env = {str(env): rows for env, rows in results.evaluations.groupby("env")}
    with _each(len(by_env)) as each:
        of_env = [runs[runs["env"] == env] for env in by_env]
        panels = dict(zip(by_env, each(panels_of, by_env, by_env.values(), of_env), strict=True))
        figures = {"": [panel for pair in panels.values() for panel in pair]} | panels if panels else {}
        paths = [png_path(out, f"learning_curves_{env}" if env else "learning_curves") for env in figures]
        texts = [
            footer(runs[runs["env"].isin([panel.env for panel in drawn])], drawn, command)
            for drawn in figures.values()
        ]
        drawn_paths = each(draw_into, paths, figures.values(), repeat(lines), texts)
        return dict(zip(figures, drawn_paths, strict=True))


@contextmanager
def _each(tasks: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """`map`, in as many processes as there are cores, where there are enough tasks to be worth it."""
    if tasks < MANY:
        yield map
    else:
        with ProcessPoolExecutor(min(tasks, os.cpu_count() or 1)) as pool:
            yield pool.map


def draw_into(path: Path, panels: Sequence[Panel], lines: Mapping[str, Line], text: Sequence[str]) -> Path:
    """`draw` and `save` as the PNG `path`, and what lies beside it."""
    with mpl.rc_context(STYLE):
        return save(draw(panels, lines, text), path)


def curves_of(evaluations: pd.DataFrame, measure: str = "success_rate") -> dict[str, Curve]:
    """`measure` over steps of each series of one environment that has it."""
    evaluations = evaluations.dropna(subset=measure)
    curves = {}
    for series in in_order(evaluations["series"].unique()):
        runs = evaluations[evaluations["series"] == series].groupby("seed")
        curves[series] = learning_curve(
            [(run["steps"].to_numpy(), run[measure].to_numpy()) for _, run in runs]
        )
    return curves


def line_of(series: Iterable[str]) -> dict[str, Line]:
    """Colour and line style per series, the same in every figure of one report.

    The first variant of a known method has the method's colour; others take the next free one, in the order of
    `in_order`.
    """
    names = in_order(series)
    lines: dict[str, Line] = {}
    for method, colour in METHOD_COLOURS.items():
        variants = [name for name in names if name.split(" ")[0] == method]
        style: Style = ":" if method == "oracle" else "-"  # it may lie exactly on a right program's curve
        lines |= {name: Line(colour, style) for name in variants[:1]}
    others = [name for name in names if name not in lines]
    for place, name in enumerate(others):
        number, hue = divmod(place, len(OTHER_COLOURS))
        lines[name] = Line(OTHER_COLOURS[hue], OTHER_LINES[number % len(OTHER_LINES)])
    return lines


def footer(runs: pd.DataFrame, panels: Iterable[Panel], command: str) -> list[str]:
    """What a figure says about itself: VLM, judge, seeds, interval, command."""
    curves = [curve for panel in panels for curve in panel.curves.values()]
    counts = sorted({int(curve.num_runs.max()) for curve in curves})
    unfinished = int((~runs["finished"]).sum())
    seeds = f"Seeds: {' to '.join(str(count) for count in dict.fromkeys([counts[0], counts[-1]]))} per curve."
    gaps = []
    if unfinished:
        gaps.append(f"{unfinished} unfinished run{'s' * (unfinished > 1)} drawn as far as available.")
    if any((curve.num_runs < curve.num_runs.max()).any() for curve in curves):
        gaps.append("Dashed: not all seeds have data there.")
    return about(runs, [f"{seeds} {interval_text(counts)}", " ".join(gaps)], command)


def about(runs: pd.DataFrame, lines: Iterable[str], command: str) -> list[str]:
    """A footer: VLM and judge of the runs that are shown, the figure's own lines, and the commands."""
    return [
        f"VLM: {vlm_text(runs)}.",
        f"Judge: {judge_text(runs)}.",
        *lines,
        f"Runs: {commands_text(runs)}. Drawn by: {command}",
    ]


def commands_text(runs: pd.DataFrame) -> str:
    """The command lines that made the runs, the first two where there are many."""
    commands = distinct(runs["command"])
    more = f" and {len(commands) - 2} more" if len(commands) > 2 else ""
    return "; ".join(commands[:2]) + more


def interval_text(counts: Sequence[int]) -> str:
    """How middle and interval were made, for curves of so many seeds."""
    text = f"Line: interquartile mean{' (below 4 seeds: the mean)' * (min(counts) < 4)}."
    if max(counts) > 1:
        text += f" Band: {CONFIDENCE:.0%} stratified bootstrap interval, {NUM_RESAMPLES} resamples."
    if min(counts) == 1:
        text += " A single seed has no band." if max(counts) > 1 else " No band: a single seed."
    return text


def vlm_text(runs: pd.DataFrame) -> str:
    """Each VLM with what the runs say about its provenance."""
    texts = []
    for vlm, group in runs[runs["vlm"] != "none"].groupby("vlm"):
        models = "; ".join(one_line(model) for model in distinct(group["vlm_model"]))
        texts.append(f"{vlm} ({models or 'provenance not stated by any finished run'})")
    return "; ".join(texts) or "none"


def judge_text(runs: pd.DataFrame) -> str:
    """Each judge with the methods that use it."""
    judges: dict[str, list[str]] = {}
    for series in in_order(runs["series"]):
        for judge in distinct(runs.loc[runs["series"] == series, "judge"]):
            judges.setdefault(one_line(judge), []).append(series)
    return "; ".join(f"{judge} ({', '.join(names)})" for judge, names in judges.items())


def draw(panels: Sequence[Panel], lines: Mapping[str, Line], text: Sequence[str]) -> Figure:
    """A figure with the panels in rows, and `text` below them.

    To be drawn inside ``mpl.rc_context(STYLE)``.
    """
    rows = _rows(panels)
    columns = max(map(len, rows))
    room = _room(panels)
    figure = canvas(room.width * columns, room.height * len(rows), text)
    grid = figure.subplots(len(rows), columns, squeeze=False, sharey=True)
    for row, axes in zip(rows, grid, strict=True):
        for place, panel in zip(axes, row, strict=False):
            _draw_panel(place, panel, lines, room.legend_columns)
        axes[0].set_ylabel("evaluation success rate")
        for unused in axes[len(row) :]:
            unused.set_visible(False)
    return figure


def panels_of(env: str, evaluations: pd.DataFrame, runs: pd.DataFrame) -> list[Panel]:
    """The panel of one environment, or two: on its training levels, where they are limited, and on others."""
    unseen = curves_of(evaluations)
    if on_training := curves_of(evaluations, "train_success_rate"):
        return [
            _panel(env, f"{env}, training levels", on_training, runs),
            _panel(env, f"{env}, unseen levels", unseen, runs),
        ]
    return [_panel(env, env, unseen, runs)]


def _panel(env: str, title: str, curves: dict[str, Curve], runs: pd.DataFrame) -> Panel:
    unfinished = runs[~runs["finished"]].groupby("series").size()
    labels = {}
    for series, curve in curves.items():
        missing = f" ({unfinished[series]} unfinished)" if series in unfinished else ""
        labels[series] = f"{series}, n = {curve.num_runs.max()}{missing}"
    return Panel(env, title, curves, labels)


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """The panels in rows, with those of one environment side by side."""
    most = 2 if len(panels) == 4 else COLUMNS
    rows: list[list[Panel]] = [[]]
    for _, group in groupby(panels, key=lambda panel: panel.env):
        together = list(group)
        if len(rows[-1]) + len(together) > most:
            rows.append([])
        rows[-1] += together
    return rows


def _room(panels: Sequence[Panel]) -> Room:
    """What every panel gets: enough for the longest title and legend entry, and the same, so that all align.

    A character of DejaVu Sans is taken as 0.58 of its size wide, a bold one as 0.68.
    """
    width, height = PANEL if len(panels) > 1 else SINGLE
    title = max(len(panel.title) for panel in panels) * TITLE_SIZE * 0.68
    longest = max(len(label) for panel in panels for label in panel.labels.values())
    entry = 26 + longest * LEGEND_SIZE * 0.58  # points: the handle, then the text
    width = max(width, max(title, entry) / 72 + AXIS_LABELS)
    columns = int((width - AXIS_LABELS) * 72 / entry)
    rows = -(-max(len(panel.labels) for panel in panels) // columns)
    return Room(width, height + rows * LEGEND_SIZE * 1.6 / 72, columns)


def _draw_panel(axes: Axes, panel: Panel, lines: Mapping[str, Line], legend_columns: int) -> None:
    for layer, (series, curve) in enumerate(reversed(panel.curves.items())):  # the first method lies on top
        _draw_curve(axes, curve, lines[series], layer)
    axes.set_ylim(-0.03, 1.03)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda steps, _: steps_text(steps)))
    axes.set_xlabel("environment steps")
    handles = [
        Line2D([], [], color=line.colour, linestyle=line.style, linewidth=2.2, **_marked(line.marker))
        for line in map(lines.__getitem__, panel.labels)
    ]
    # The legend stands above the axes, so it can never hide a curve; its title is the panel's.
    axes.legend(
        handles,
        list(panel.labels.values()),
        title=panel.title,
        title_fontproperties={"weight": "bold", "size": TITLE_SIZE},
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=legend_columns,
        fontsize=LEGEND_SIZE,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.2,
        borderaxespad=0.2,
    )


def _draw_curve(axes: Axes, curve: Curve, line: Line, layer: int) -> None:
    """Solid where all runs have data, dashed where some are missing; a band where there is an interval."""
    axes.fill_between(
        curve.steps, curve.low, curve.high, color=line.colour, alpha=0.16, linewidth=0, zorder=1
    )
    partial = curve.num_runs < curve.num_runs.max()
    padded = np.pad(partial, 1)
    # With their neighbours, so that a dashed piece begins where the solid one ends.
    dashed = padded[:-2] | partial | padded[2:]
    alone = {"marker": "o", "markersize": 4} if len(curve.steps) == 1 else {}  # its line would be invisible
    common: dict[str, Any] = {"color": line.colour, "linewidth": 1.6, **alone, **_marked(line.marker)}
    common["zorder"] = 2 + layer + 100 * (line.style == ":")  # dots leave to be seen what they lie on
    axes.plot(curve.steps, np.where(partial, np.nan, curve.iqm), line.style, **common)
    axes.plot(curve.steps, np.where(dashed, curve.iqm, np.nan), "--", **common)


def _marked(marker: str | None) -> dict[str, Any]:
    return {"marker": marker, "markersize": 4, "markerfacecolor": "white"} if marker else {}
