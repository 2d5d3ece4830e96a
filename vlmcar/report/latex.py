"""A table in LaTeX, with the rules of booktabs."""

from __future__ import annotations

import re

import pandas as pd

_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "_%&#${}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)


def escape(text: str) -> str:
    """Text that LaTeX prints as it is. White space of any kind becomes single spaces, so that no paragraph ends."""
    return " ".join(text.split()).translate(_ESCAPES)


def latex(cells: pd.DataFrame) -> str:
    """A ``tabular``; what markdown has in bold, between ``**``, is bold here, too."""
    lines = [list(cells.columns), *cells.to_numpy().tolist()]
    heading, *rows = (" & ".join(map(_cell, line)) + r" \\" for line in lines)
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{'l' * len(cells.columns)}}}",
            r"\toprule",
            heading,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _cell(text: str) -> str:
    """A leading ``[`` would be read as an option of the line break before it."""
    shown = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", escape(text))
    return f"{{{shown[0]}}}{shown[1:]}" if shown.startswith("[") else shown
