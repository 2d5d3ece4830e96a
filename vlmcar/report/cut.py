"""Csv files that were cut: what is left can be read, and would draw other curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vlmcar.types import VlmcarError


def refuse_cut(runs: pd.DataFrame, evaluations: pd.DataFrame, identity: Sequence[str], path: Path) -> None:
    """A finished run was evaluated at its last step.

    Args:
        runs: with ``finished`` and the budget ``steps``.
        evaluations: of these runs, with ``steps``.
        identity: the columns that name a run in both.
        path: where the evaluations were read from.

    Raises:
        VlmcarError: finished runs have lost evaluations.
    """
    last = evaluations.groupby(list(identity))["steps"].max().rename("last")
    finished = runs[runs["finished"]].join(last, on=list(identity))
    cut = finished[~(finished["last"] >= finished["steps"])]
    if not cut.empty:
        run = " ".join(str(cut.iloc[0][name]) for name in ("env", "method", "seed"))
        raise VlmcarError(
            f"{path} lacks the last evaluations of {len(cut)} finished runs, such as {run}: it was cut; copy it again"
        )


def refuse_half_a_line(path: Path) -> None:
    """Raises ``ValueError`` where a file ends within a line: "0.97" may be the beginning of "0.9712"."""
    if not path.read_bytes().endswith(b"\n"):
        raise ValueError("it ends in the middle of a line")
