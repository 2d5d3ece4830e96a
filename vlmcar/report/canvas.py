"""What every figure shares: its style, the footer that says what it shows, and how it is written to disk."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

DPI = 300
TITLE_SIZE = 9.5
FOOTER_SIZE = 6.0
LEGEND_SIZE = 7.5
"""Points."""
LINE_SPACING = 1.3
FOOTER_MARGIN = 0.08
"""Above and below the footer, inches."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure is the same on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a "$" in a provenance text or a command is just that
    "svg.hashsalt": "vlmcar",  # the same data give the same bytes
    "pdf.fonttype": 42,  # TrueType, embedded: journals refuse Type 3
}

# No dates, so that the same data give the same bytes.
_METADATA: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def canvas(width: float, height: float, footer: Iterable[str]) -> Figure:
    """An empty figure with `width` x `height` inches for axes, and the footer below, in lines that fit.

    To be drawn inside ``mpl.rc_context(STYLE)``.
    """
    lines = _wrap(footer, width)
    below = len(lines) * FOOTER_SIZE * LINE_SPACING / 72 + 2 * FOOTER_MARGIN
    whole = height + below
    layout = ConstrainedLayoutEngine(rect=(0, below / whole, 1, 1 - below / whole), h_pad=0.08, w_pad=0.1)
    figure = Figure(figsize=(width, whole), layout=layout)
    small: dict[str, Any] = {"size": FOOTER_SIZE, "color": "#666666", "linespacing": LINE_SPACING}
    figure.text(0.1 / width, FOOTER_MARGIN / whole, "\n".join(lines), va="bottom", **small)
    return figure


def png_path(folder: Path, name: str) -> Path:
    """Where a figure of that name goes; characters that do not belong in a file name become ``_``."""
    return folder / (re.sub(r"[^\w.-]", "_", name) + ".png")


def save(figure: Figure, path: Path) -> Path:
    """Writes the figure as PNG, at `path`, and beside it as SVG and PDF: the same figure gives the same bytes."""
    with mpl.rc_context(STYLE):
        for suffix, metadata in _METADATA.items():
            figure.savefig(path.with_suffix(suffix), dpi=DPI, metadata=metadata)
    return path


def _wrap(lines: Iterable[str], width: float) -> list[str]:
    """Lines that fit into `width` inches of footer; a character of DejaVu Sans is about 0.6 em wide."""
    characters = int((width - 0.2) * 72 / (FOOTER_SIZE * 0.6))
    return [part for line in lines for part in textwrap.wrap(line, characters, subsequent_indent="    ")]
