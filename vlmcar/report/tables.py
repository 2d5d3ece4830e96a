"""The table: one row per environment and method, as numbers (csv), as markdown and as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vlmcar.report.results import distinct
from vlmcar.report.statistics import censored_median, iqm, stratified_bootstrap

NOTHING = "–"
ON_TRAINING_LEVELS = ["final success, training levels", "steps to 90 %, training levels"]
"""Headings that are left out where no run has training levels."""


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
            "final success": _score(row.final_success, row.final_success_low, row.final_success_high),
            "steps to 90 %": _steps(row.steps_to_90, row.steps_to_90_censored),
            "reached 90 %": f"{row.seeds_reached_90} of {row.seeds}" if row.seeds else NOTHING,
            "final success, training levels": _score(
                row.final_train_success, row.final_train_success_low, row.final_train_success_high
            ),
            "steps to 90 %, training levels": _steps(row.train_steps_to_90, row.train_steps_to_90_censored),
            "steps per second": f"{row.steps_per_second:,.0f}" if row.seeds else NOTHING,
            "VLM calls": row.vlm_calls or NOTHING,
            "program attempts": row.program_attempts or NOTHING,
            "sandbox": row.sandbox or NOTHING,
            "unfinished runs": str(row.unfinished),
        }
        for row in table.itertuples()
    ]
    cells = pd.DataFrame(rows)
    measured = table["final_train_success"].notna().any()
    return cells if measured else cells.drop(columns=ON_TRAINING_LEVELS)


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; a ``|`` inside a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(one_line(cell).replace("|", r"\|") for cell in line) + " |" for line in lines
    )


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


def one_line(text: str) -> str:
    """White space of any kind becomes single spaces: a provenance text may hold line breaks."""
    return " ".join(text.split())


def _summary_row(env: str, series: str, group: pd.DataFrame) -> dict[str, Any]:
    done = group[group["finished"]]
    on_training = done[done["final_train_success"].notna()]
    to_90 = censored_median(done["steps_to_90"], done["steps"])
    train_to_90 = censored_median(on_training["train_steps_to_90"], on_training["steps"])
    return {
        "environment": env,
        "method": series,
        "seeds": len(done),
        **_success(done, "final_success"),
        "steps_to_90": to_90.steps,
        "steps_to_90_censored": to_90.censored,
        "seeds_reached_90": to_90.reached,
        **_success(on_training, "final_train_success"),
        "train_steps_to_90": train_to_90.steps,
        "train_steps_to_90_censored": train_to_90.censored if train_to_90.total else None,
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


def _score(middle: float, low: float, high: float) -> str:
    if np.isnan(middle):
        return NOTHING
    return f"{middle:.2f} " + ("(one seed)" if np.isnan(low) else f"[{low:.2f}, {high:.2f}]")


def _steps(steps: float, censored: bool) -> str:
    return ("> " if censored else "") + steps_text(steps)


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
