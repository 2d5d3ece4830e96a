"""Published values that a person read off a figure, to stand beside our own curves.

None come with this suite. ``results/reference/digitised/template.csv`` says what such a file looks like.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vlmcar.report.figures import METHOD_COLOURS, Line
from vlmcar.report.statistics import Curve
from vlmcar.types import VlmcarError

FOLDER = Path("results/reference/digitised")
COLUMNS = ["environment", "method", "steps", "success", "source"]
OTHER_COLOUR = "#555555"
"""Of a method that is none of ours."""


class Point(NamedTuple):
    """One line of the csv."""

    environment: str
    method: str
    steps: int
    success: float
    source: str


class Published(NamedTuple):
    """One method's values from one source."""

    environment: str
    method: str
    source: str
    curve: Curve

    @property
    def line(self) -> Line:
        """The method's colour, if it is one of ours, and open markers, as no run of ours has."""
        return Line(METHOD_COLOURS.get(self.method, OTHER_COLOUR), "-.", "D")


def read_published(path: Path, environments: Collection[str]) -> list[Published]:
    """The curves of one file; lines that begin with ``#`` are comments.

    Args:
        path: a csv with ``COLUMNS``.
        environments: those that the figure shows, by the names in our csv files.

    Raises:
        VlmcarError: names the file, the line and what is wrong; nothing of such a file is used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise VlmcarError(f"{path} cannot be read: {error}") from None
    lines = [
        (number, next(csv.reader([line])))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines or lines[0][1] != COLUMNS:
        raise VlmcarError(f"{path} has no line {','.join(COLUMNS)} above its values")
    points: dict[tuple[str, str, str], list[Point]] = {}
    for number, cells in lines[1:]:
        try:
            point = _point(cells, environments)
        except ValueError as error:
            raise VlmcarError(f"{path}, line {number}: {error}") from None
        points.setdefault((point.environment, point.method, point.source), []).append(point)
    return [Published(*key, _curve(its)) for key, its in points.items()]


def _point(cells: list[str], environments: Collection[str]) -> Point:
    """Raises ``ValueError`` with what is wrong."""
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} values, expected {len(COLUMNS)}: {','.join(COLUMNS)}")
    environment, method, steps, success, source = (cell.strip() for cell in cells)
    if environment not in environments:
        raise ValueError(f"environment is {environment!r}, expected {' or '.join(environments)}")
    if not method or not source:
        raise ValueError("method and source must be stated")
    at, value = float(steps), float(success)
    if not (math.isfinite(at) and at >= 0):
        raise ValueError(f"steps is {steps}, expected a number of environment steps")
    if not 0 <= value <= 1:
        raise ValueError(f"success is {success}, outside 0 to 1")
    return Point(environment, method, round(at), value, source)


def _curve(points: list[Point]) -> Curve:
    """In the order of steps, without an interval: what a figure showed of it is not known here."""
    points = sorted(points, key=lambda point: point.steps)
    unknown = np.full(len(points), np.nan)
    return Curve(
        steps=np.array([point.steps for point in points]),
        num_runs=np.ones(len(points), dtype=np.int64),
        iqm=np.array([point.success for point in points]),
        low=unknown,
        high=unknown,
    )
