"""The page's section on what the VLMs were asked, and what it took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vlmcar.report.ledger import USAGE
from vlmcar.report.tables import NOTHING, markdown_of

_PURPOSES = {"program": "sub-tasks and program", "decisions": "judging frames"}
_SOURCES = {
    "asked": "asked",
    "cached": "answered from what was kept",
    "projected": "**simulated**: projected",
}


def ledger_cells(ledger: pd.DataFrame) -> pd.DataFrame:
    """As text: a row per environment, method and purpose."""
    rows = []
    for keys, group in ledger.groupby(["env", "series", "purpose", "source"], sort=False):
        env, series, purpose, source = map(str, keys)
        # Seeds share a program and its conversation; its cost is not each seed's again.
        usage = group[USAGE].max() if purpose == "program" else group[USAGE].median()
        unknown = group[USAGE].isna().any()
        whose = "per program" if purpose == "program" else f"per run, median of {len(group)}"
        rows.append(
            [
                env,
                series,
                _PURPOSES.get(purpose, purpose),
                _SOURCES.get(source, source),
                whose,
                *_cells(usage.where(~unknown)),
            ]
        )
    header = ["environment", "method", "for", "calls were", "counted", "calls"]
    header += ["unclear answers", "refused", "cut off", "failed"]
    header += ["tokens in", "tokens out", "time", "US dollars"]
    return pd.DataFrame(rows, columns=header)


def ledger_section(ledger: pd.DataFrame) -> list[str]:
    """Markdown; nothing where no VLM was asked."""
    if ledger.empty:
        return []
    note = (
        "Calls that were *asked* took this time and money; what was *kept* (cache or recording) took it once, when it "
        "was asked. *Projected* is what a simulated judge's calls would take at the latency and price that its yaml "
        f"declares: nobody was asked. `{NOTHING}` means unknown. Unclear: neither yes nor no. Failed: out of "
        "reach, out of time or nonsense, at a cost that is not known and not in the sum."
    )
    return ["## What the VLMs were asked, and what it took", markdown_of(ledger_cells(ledger)), note]


def _cells(usage: Mapping[str, float]) -> list[str]:
    def number(name: str) -> str:
        return NOTHING if np.isnan(usage[name]) else f"{usage[name]:,.0f}"

    counts = [
        number(name)
        for name in ("calls", "unclear", "refused", "truncated", "failed", "input_tokens", "output_tokens")
    ]
    return [
        *counts,
        duration(usage["seconds"]),
        NOTHING if np.isnan(usage["cost"]) else f"{usage['cost']:,.2f}",
    ]


def duration(seconds: float) -> str:
    """``42 s``, ``12 min``, ``3.4 h``, ``2.1 days``; a dash where unknown."""
    if np.isnan(seconds):
        return NOTHING
    for unit, size in (("days", 86_400.0), ("h", 3_600.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
