"""What ``result.json`` says of the audit after training, as columns of `runs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

COLUMNS = ["audit_episodes", "audit_full_without_success", "audit_success_without_full", "refinements"]
"""Of `runs`, as numbers, besides the text ``exploited``: ``yes``, ``no``, or empty without an audit."""


def audit_columns(audit: Mapping[str, Any] | None, before: list[Any] | None) -> dict[str, Any]:
    """What `runs` says of one run's audit, and of exploited trainings before its last one.

    Raises:
        ValueError: it is not what ``vlmcar.verification.exploited`` writes.
    """
    found: dict[str, Any] = {
        **dict.fromkeys(COLUMNS, np.nan),
        "refinements": len(before or []),
        "exploited": "",
    }
    if audit is None:
        return found
    try:
        for name in COLUMNS[:3]:
            found[name] = int(audit[name.removeprefix("audit_")])
        return found | {"exploited": "yes" if audit["exploited"] else "no"}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"audit is not as a run writes it: {error!r}") from None
