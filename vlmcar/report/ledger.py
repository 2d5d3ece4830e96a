"""What the VLMs were asked and what it took, as runs booked it: a tidy frame."""

from __future__ import annotations

from typing import Any

import numpy as np

FILE = "ledger.csv"
USAGE = ["calls", "answers", "unclear", "refused", "truncated", "failed"]
USAGE += ["input_tokens", "output_tokens", "seconds", "cost"]
COLUMNS: dict[str, str] = {"purpose": "str", "source": "str", **dict.fromkeys(USAGE, "float64")}
"""Besides what names the run. Missing numbers are unknown ones."""


def ledger_rows(ledger: Any) -> list[dict[str, Any]]:
    """A row per purpose and source of ``result.json``'s ``vlm_ledger``.

    Raises:
        ValueError: it is not what ``vlmcar.vlm.ledger`` writes.
    """
    rows = []
    try:
        for purpose, sources in ledger.items():
            for source, usage in sources.items():
                usage = {"refused": None, "truncated": None} | usage  # older ledgers lack them
                numbers = {name: np.nan if usage[name] is None else float(usage[name]) for name in USAGE}
                rows.append({"purpose": purpose, "source": source, **numbers})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"vlm_ledger is not as the ledger writes it: {error!r}") from None
    return rows
