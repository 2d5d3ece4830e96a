"""The table: one row per environment and method, as numbers and as text; and how any table of text is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vlmcar.report.latex import latex
from vlmcar.report.results import distinct
from vlmcar.report.statistics import (
    Bound,
    censored_median,
    censored_median_interval,
    iqm,
    stratified_bootstrap,
)

NOTHING = "–"
ON_TRAINING_LEVELS = ["final success, training levels", "steps to 90 %, training levels"]
"""Headings that are left out where no run has training levels."""
SUCCESS = [
    "environment",
    "method",
    "seeds",
    "final success",
    "steps to 90 %",
    "reached 90 %",
    *ON_TRAINING_LEVELS,
]
"""Headings of the table of success alone."""


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Numbers per environment and series. Only finished runs count; the others are counted as unfinished."""
    groups = runs.groupby(["env", "series"], sort=False)
    return pd.DataFrame([_summary_row(env, series, group) for (env, series), group in groups])


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows as text, with the headings a reader sees."""
    rows = [
        {
            "environment": row.environment,
            "method": row.method,
            "seeds": str(row.seeds),
            "final success": score_text(row.final_success, row.final_success_low, row.final_success_high),
            "steps to 90 %": _steps_text(row, "steps_to_90"),
            "reached 90 %": f"{row.seeds_reached_90} of {row.seeds}" if row.seeds else NOTHING,
            "final success, training levels": score_text(
                row.final_train_success, row.final_train_success_low, row.final_train_success_high
            ),
            "steps to 90 %, training levels": _steps_text(row, "train_steps_to_90"),
            "steps per second": f"{row.steps_per_second:,.0f}" if row.seeds else NOTHING,
            "VLM calls": row.vlm_calls or NOTHING,
            "program attempts": row.program_attempts or NOTHING,
            "unfinished runs": str(row.unfinished),
        }
        for row in table.itertuples()
    ]
    cells = pd.DataFrame(rows)
    measured = table["final_train_success"].notna().any()
    return cells if measured else cells.drop(columns=ON_TRAINING_LEVELS)


def success(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Final success and steps to 90 % alone, with their intervals: as text and as numbers."""
    cells = readable(table)
    numbers = table.filter(regex="^(environment|method|seeds.*|final_.*|.*steps_to_90.*)$")
    return cells[[name for name in SUCCESS if name in cells]], numbers


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; a ``|`` inside a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(one_line(cell).replace("|", r"\|") for cell in line) + " |" for line in lines
    )


def markdown_of(cells: pd.DataFrame) -> str:
    """A table of text as markdown."""
    return markdown(list(cells.columns), cells.to_numpy().tolist())


def write_table(folder: Path, name: str, cells: pd.DataFrame, numbers: pd.DataFrame | None = None) -> None:
    """Writes ``<name>.md`` and ``<name>.tex``, and the numbers behind them, if given, as ``<name>.csv``."""
    (folder / f"{name}.md").write_text(markdown_of(cells) + "\n", encoding="utf-8")
    (folder / f"{name}.tex").write_text(latex(cells), encoding="utf-8")
    if numbers is not None:
        numbers.to_csv(folder / f"{name}.csv", index=False)


def plain(table: pd.DataFrame) -> str:
    """The same in columns of equal width, for a terminal."""
    lines = [list(table.columns), *table.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def steps_text(steps: float) -> str:
    """300000 -> ``300k``, 92160 -> ``92.2k``, 1500000 -> ``1.5M``; NaN -> a dash."""
    if np.isnan(steps):
        return NOTHING
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if steps >= size:
            return f"{steps / size:.1f}".removesuffix(".0") + unit
    return f"{steps:.0f}"


def score_text(middle: float, low: float, high: float) -> str:
    """``0.58 [0.42, 0.80]``; a dash where there is no score."""
    if np.isnan(middle):
        return NOTHING
    return f"{middle:.2f} " + ("(one seed)" if np.isnan(low) else f"[{low:.2f}, {high:.2f}]")


def one_line(text: str) -> str:
    """White space of any kind becomes single spaces: a provenance text may hold line breaks."""
    return " ".join(text.split())


def _summary_row(env: str, series: str, group: pd.DataFrame) -> dict[str, Any]:
    done = group[group["finished"]]
    on_training = done[done["final_train_success"].notna()]
    return {
        "environment": env,
        "method": series,
        "seeds": len(done),
        **_success(done, "final_success"),
        **_steps_to_90(done, "steps_to_90"),
        "seeds_reached_90": int(done["steps_to_90"].notna().sum()),
        **_success(on_training, "final_train_success"),
        **_steps_to_90(on_training, "train_steps_to_90"),
        "steps_per_second": done["steps_per_second"].median(),
        "vlm_calls": _vlm_calls(done),
        "program_attempts": _range(done["program_attempts"]),
        "sandbox": ", ".join(distinct(group["sandbox"])),
        "unfinished": len(group) - len(done),
    }


def _success(runs: pd.DataFrame, name: str) -> dict[str, float]:
    """IQM of one column and its interval; NaN without any run."""
    scores = runs[name].to_numpy().reshape(-1, 1)  # (num_runs, num_tasks=1)
    low, high = stratified_bootstrap(scores)
    return {name: iqm(scores) if len(runs) else np.nan, f"{name}_low": low, f"{name}_high": high}


def _steps_to_90(runs: pd.DataFrame, name: str) -> dict[str, float | bool | None]:
    """Median of one column and its interval, each with whether it is only known to lie beyond a budget."""
    median = censored_median(runs[name], runs["steps"])
    low, high = censored_median_interval(runs[name], runs["steps"])
    numbers: dict[str, float | bool | None] = {}
    for end, bound in {"": Bound(median.steps, median.censored), "_low": low, "_high": high}.items():
        numbers[f"{name}{end}"] = bound.steps
        numbers[f"{name}{end}_censored"] = None if np.isnan(bound.steps) else bound.censored
    return numbers


def _steps_text(row: Any, name: str) -> str:
    """``80k [60k, > 100k]``; no interval where there is none, or where even its low bound is beyond the budget."""

    def bound(end: str) -> str:
        censored = getattr(row, f"{name}{end}_censored")
        return ("> " if censored else "") + steps_text(getattr(row, f"{name}{end}"))

    if np.isnan(getattr(row, f"{name}_low")) or getattr(row, f"{name}_low_censored"):
        return bound("")
    return f"{bound('')} [{bound('_low')}, {bound('_high')}]"


def _vlm_calls(done: pd.DataFrame) -> str:
    """Calls per program. Seeds share a program, so its calls count once: the most that any of them saw."""
    with_program = done[done["program_hash"] != ""]
    if len(with_program):
        return _range(with_program.groupby("program_hash")["vlm_calls"].max())
    calls = _range(done["vlm_calls"])
    if calls in ("", "0"):
        return calls
    return f"{calls} per run" + (", projected" if done["judge"].str.startswith("simulated").any() else "")


def _range(values: pd.Series) -> str:
    """``3``, or ``3 to 5``; empty without values."""
    known = values.dropna()
    if not len(known):
        return ""
    low, high = f"{known.min():,.0f}", f"{known.max():,.0f}"
    return low if low == high else f"{low} to {high}"
