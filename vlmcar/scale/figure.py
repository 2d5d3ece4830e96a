"""``scale.svg``: where it bends, with more writers and with more runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vlmcar.report.canvas import LEGEND_SIZE, STYLE, TITLE_SIZE, canvas

WIDTH, HEIGHT = 9.0, 2.9
"""Inches, of the axes together."""
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
_SCANS = {
    "walk": ("names alone", _GREY),
    "states": ("state of each run", _GREEN),
    "read": ("what the report reads", _BLUE),
    "report": ("the whole report", _ORANGE),
}


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Write the figure as SVG.

    Args:
        found: the content of ``scale.json``.
        path: ends in ``.svg``.
    """
    with mpl.rc_context(STYLE):
        _figure(found).savefig(path, metadata={"Date": None})


def _figure(found: Mapping[str, Any]) -> Figure:
    figure = canvas(WIDTH, HEIGHT, _footer(found))
    speed, waits, scans = figure.subplots(1, 3)
    growth = found["growth"]
    _lines(speed, growth, {"": (lambda study: study["runs_per_second"], _BLUE)})
    _title(speed, "written, runs per second")
    speed.set_ylim(bottom=0)
    kinds = {"median": _BLUE, "p99": _GREEN, "most": _ORANGE}
    _lines(waits, growth, {kind: (partial(_handover, kind), colour) for kind, colour in kinds.items()})
    _title(waits, "handing over a program, seconds")
    waits.set_ylim(0, 1.4 * max(study["handover"]["most"] or 0 for study in growth) + 1e-9)
    waits.legend(loc="upper left", fontsize=LEGEND_SIZE, frameon=False, ncols=3)
    _scans(scans, found["scans"])
    return figure


def _handover(kind: str, study: Mapping[str, Any]) -> float | None:
    seconds: float | None = study["handover"][kind]
    return seconds


def _scans(axes: Axes, scans: Sequence[Mapping[str, Any]]) -> None:
    runs = [scan["runs"] for scan in scans]
    for what, (label, colour) in _SCANS.items():
        known = [
            (count, scan[what]["seconds"]) for count, scan in zip(runs, scans, strict=True) if what in scan
        ]
        if known:
            axes.plot(*zip(*known, strict=True), "o-", color=colour, markersize=4, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(runs, [f"{count:,}" for count in runs])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("runs in the folder")
    axes.set_ylim(top=axes.get_ylim()[1] * 60)  # room for the legend
    axes.legend(loc="upper left", fontsize=LEGEND_SIZE, frameon=False)
    _title(axes, "one reader of all runs, seconds")


def _lines(
    axes: Axes,
    growth: Sequence[Mapping[str, Any]],
    lines: Mapping[str, tuple[Callable[[Mapping[str, Any]], float | None], str]],
) -> None:
    """A point per study, and a line through the medians of those with as many writers."""
    counts = sorted({study["writers"] for study in growth})
    for name, (value, colour) in lines.items():
        at = {count: [value(study) for study in growth if study["writers"] == count] for count in counts}
        known = {count: [y for y in values if y is not None] for count, values in at.items()}
        points = [(count, y) for count, values in known.items() for y in values]
        axes.plot([x for x, _ in points], [y for _, y in points], "o", color=colour, markersize=4)
        middle = [median(known[count]) if known[count] else float("nan") for count in counts]
        axes.plot(counts, middle, color=colour, label=name or None)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xlabel("writers")


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", size=TITLE_SIZE - 1, weight="bold")


def _footer(found: Mapping[str, Any]) -> list[str]:
    main, growth = found["main"], found["growth"]
    return [
        f"{found['machine']}, {found['file_system']}. Fake runs without training, rows from a seeded generator, "
        "through the real store and record code; programs by a stand-in, no VLM.",
        f"Left and middle: {growth[0]['runs']:,} runs per point. Of {main['runs']:,} by {main['writers']} writers, "
        f"{main['killed']} lost their writer in the middle; rows lost {main['check']['rows_lost']}, broken files "
        f"{sum(main['check']['broken'].values())}. Imports are not in the right panel's times.",
        f"Made by: {found['command']}",
    ]
