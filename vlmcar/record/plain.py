"""Tables and times for a terminal; standard library only, so that they are there at once."""

from __future__ import annotations

from collections.abc import Sequence

NOTHING = "-"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text under a header, in columns of equal width."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def duration(seconds: float | None) -> str:
    """``42 s``, ``12 min``, ``3.4 h``, ``2.1 days``; a dash where unknown."""
    if seconds is None:
        return NOTHING
    for unit, size in (("days", 86_400.0), ("h", 3_600.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def percent(fraction: float | None) -> str:
    """``0.254`` -> ``25%``; a dash where unknown."""
    return NOTHING if fraction is None else f"{fraction:.0%}"
