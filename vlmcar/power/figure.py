"""``power.png``: both rules on the same programs, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from vlmcar.power.table import RULES, Row, of
from vlmcar.report.canvas import LEGEND_SIZE, STYLE, TITLE_SIZE, canvas, save

WIDTH, ROW, MARGINS = 7.6, 0.42, 1.25
"""Inches: of the figure, of a task, and of title, legend and axis together."""
COLOURS = {"verification": "#0072B2", "published rule, re-stated": "#D55E00"}
MARKERS = {"verification": "o", "published rule, re-stated": "s"}
ALL = "all tasks"


def draw(rows: Sequence[Row], command: str, out: Path) -> None:
    """Write the figure into a folder, as PNG, SVG and PDF.

    Args:
        rows: of ``programs.csv``.
        command: what made it, for the footer.
        out: the folder.
    """
    with mpl.rc_context(STYLE):
        save(_figure(rows, command), out / "power.png")


def _figure(rows: Sequence[Row], command: str) -> Figure:
    tasks = [*sorted({row["task"] for row in rows}), ALL]
    figure = canvas(WIDTH, ROW * len(tasks) + MARGINS, _footer(rows, command))
    panels: Sequence[Axes] = figure.subplots(1, 2, sharey=True)
    for axes, label, title in zip(
        panels, ("wrong", "right"), ("wrong programs rejected", "right programs accepted"), strict=True
    ):
        _panel(axes, of(rows, label), tasks, rejected=label == "wrong")
        axes.set_title(title, loc="left", size=TITLE_SIZE, weight="bold")
    panels[0].set_yticks(range(len(tasks)), tasks)
    panels[0].set_ylim(len(tasks) - 0.45, -0.55)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        alignment="left",
        ncols=2,
        fontsize=LEGEND_SIZE,
        frameon=False,
    )
    return figure


def _panel(axes: Axes, rows: Sequence[Row], tasks: Sequence[str], rejected: bool) -> None:
    for offset, (rule, accepts) in zip((-0.13, 0.13), RULES.items(), strict=True):
        for place, task in enumerate(tasks):
            group = [row for row in rows if task in (ALL, row["task"])]
            if not group:
                continue
            count = sum(accepts(row) is not rejected for row in group)
            interval = binomtest(count, len(group)).proportion_ci(0.95, method="wilson")
            share, y = count / len(group), place + offset
            axes.plot([interval.low, interval.high], [y, y], color=COLOURS[rule], linewidth=1.4)
            axes.plot(
                [share], [y], MARKERS[rule], color=COLOURS[rule], markersize=4.5, linestyle="none",
                label=rule if place == 0 else None,
            )  # fmt: skip
            axes.text(1.03, y, f"{count} of {len(group)}", fontsize=6, color="#555555", va="center")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("fraction")
    axes.axhline(len(tasks) - 1.5, color="#555555", linewidth=0.8)


def _footer(rows: Sequence[Row], command: str) -> list[str]:
    return [
        f"{len(rows)} programs, labelled right or wrong by ground truth, which verification does not see; lines: 95 % "
        "Wilson intervals. Judge: real programs, in the sandbox.",
        "No VLM was asked: programs are recorded ones (answered for this suite, not by a named commercial model), "
        "some written for this corpus, and mutants and liars made of these.",
        "Published rule, re-stated by us: every expert completes, at most a tenth of random play does.",
        f"Made by: {command}",
    ]
