"""Ground truth of several moments, or of several environments at one moment, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def columns(rows: Sequence[Mapping[str, bool]]) -> dict[str, NDArray[np.bool_]]:
    """bool (rows,) per predicate, from rows that name the same predicates."""
    return {name: np.array([row[name] for row in rows], dtype=bool) for name in rows[0]}
