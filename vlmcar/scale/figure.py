"""``scale.svg``: where it bends, with more writers and with more runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
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
    writers = [study["writers"] for study in growth]
    _lines(
        speed,
        writers,
        {"runs per second": ([study["runs_per_second"] for study in growth], _BLUE)},
        "writers",
    )
    _title(speed, "written, runs per second")
    speed.set_ylim(bottom=0)
    kinds = {"median": _BLUE, "p99": _GREEN, "most": _ORANGE}
    handed = {kind: ([study["handover"][kind] for study in growth], colour) for kind, colour in kinds.items()}
    _lines(waits, writers, handed, "writers")
    _title(waits, "a finished program reaches who waits, seconds")
    waits.set_ylim(bottom=0)
    waits.legend(fontsize=LEGEND_SIZE, frameon=False)
    _scans(scans, found["scans"])
    return figure


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
    axes.set_xlabel("runs in the folder")
    axes.legend(fontsize=LEGEND_SIZE, frameon=False)
    _title(axes, "one reader of all runs, seconds")


def _lines(
    axes: Axes, at: Sequence[int], lines: Mapping[str, tuple[Sequence[float | None], str]], label: str
) -> None:
    for name, (values, colour) in lines.items():
        axes.plot(
            at,
            [float("nan") if y is None else y for y in values],
            "o-",
            color=colour,
            markersize=4,
            label=name,
        )
    axes.set_xticks(at, [str(count) for count in at])
    axes.set_xlabel(label)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", size=TITLE_SIZE - 1, weight="bold")


def _footer(found: Mapping[str, Any]) -> list[str]:
    main, growth = found["main"], found["growth"]
    return [
        f"{found['machine']}, {found['file_system']}. Fake runs without training, rows from a seeded generator, "
        "through the real store and record code; programs by a stand-in, no VLM.",
        f"Left and middle: {growth[0]['runs']:,} runs each. Of {main['runs']:,} runs by {main['writers']} writers, "
        f"{main['killed']} lost their writer in the middle; rows lost {main['check']['rows_lost']}, broken files "
        f"{sum(main['check']['broken'].values())}. Imports are not in the right panel's times.",
        f"Made by: {found['command']}",
    ]
