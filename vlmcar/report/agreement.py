"""How far accepted programs agree with ground truth, as ``stage=agreement`` measured it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vlmcar.installation import program
from vlmcar.report.results import Problem
from vlmcar.report.tables import NOTHING, markdown_of
from vlmcar.types import VlmcarError

FILE = "agreement.csv"
KINDS = ("expert", "random", "policy")
COLUMNS = [
    "trajectories",
    "subtask",
    "truth",
    "count",
    "positives",
    "agreement",
    "false_positives",
    "false_negatives",
]


def read_agreement(results: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """Read ``<results>/agreement/<env>.csv``; a file that is not what was written there is named and left out."""
    tables, problems = [], []
    for path in sorted((results / "agreement").glob("*.csv")):
        try:
            table = pd.read_csv(path)
            table = table[COLUMNS]
        except (ValueError, KeyError, OSError) as error:
            problems.append(Problem(str(path), f"cannot be read: {error}"))
            continue
        table.insert(0, "env", path.stem)
        tables.append(table)
    return pd.concat(tables) if tables else pd.DataFrame(columns=["env", *COLUMNS]), problems


def read_agreement_csv(folder: Path) -> pd.DataFrame:
    """Read back what an earlier report wrote; empty where it had none."""
    path = folder / FILE
    if not path.is_file():
        return pd.DataFrame(columns=["env", *COLUMNS])
    try:
        return pd.read_csv(path)[["env", *COLUMNS]]
    except (ValueError, KeyError) as error:
        raise VlmcarError(f"{path} cannot be read: {error}") from None


def agreement_cells(table: pd.DataFrame) -> pd.DataFrame:
    """As text: a row per sub-task, a column per kind of trajectory."""
    rows = []
    for (env, subtask, truth), group in table.groupby(["env", "subtask", "truth"], sort=False):
        cells = {row.trajectories: _cell(row) for row in group.itertuples()}
        rows.append([env, subtask, truth, *(cells.get(kind, NOTHING) for kind in KINDS)])
    return pd.DataFrame(rows, columns=["environment", "sub-task", "ground truth", *KINDS])


def agreement_section(table: pd.DataFrame) -> list[str]:
    """Markdown; nothing without measurements."""
    if table.empty:
        return []
    note = (
        f"Measured after acceptance, by `{program()} stage=agreement env=...`, on levels of their own; ground "
        "truth is used for nothing else. Each cell: fraction of equal answers; in brackets false positives (FP), "
        "false negatives (FN), and how many of the frames (or episodes) are true by ground truth. `policy` is the "
        "trained policy of the seed that the command names (0 by default): it visits states that neither experts "
        "nor random play do, and may exploit what is wrong there."
    )
    return ["## Agreement of programs with ground truth", markdown_of(agreement_cells(table)), note]


def _cell(row: object) -> str:
    wrong = f"{row.false_positives} FP, {row.false_negatives} FN; {row.positives} of {row.count} true"  # type: ignore[attr-defined]
    return f"{row.agreement:.3f} ({wrong})"  # type: ignore[attr-defined]
