"""A total order on verdicts: which of several programs is the better one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from vlmcar.types import Check, Verdict

REPORTED = "reported"
WANTED_HIGH = ("robust",)
"""Reported checks of which more is better; of the others nobody can say."""
NEARLY = 0.99
"""Most that a failed row is worth."""


class Rank(NamedTuple):
    """Compared field by field; more is better.

    How good a program is on the held-out set orders nothing beyond the first two fields: a search that bred from
    the best there would learn from what nobody is shown.
    """

    accepted: bool
    reached_held_out: bool
    """Passed all that is asked on the set whose failures are shown."""
    passed: float
    """Of that set, in [0, 1]: the mean over gated checks. A passed row counts 1, a failed one what it measured (or 1
    minus that, where little is wanted): a program that misses one episode stands above one that says nothing."""
    clear: float
    """Of that set, in [0, 1]: the mean over the same checks and robustness of what was measured, passed or not. What
    took time is left out, since it differs from run to run."""


def rank(verdict: Verdict) -> Rank:
    """The place of a verdict among others, of programs for the same task."""
    shown = [row for row in verdict.checks if row.trajectories.split("/")[0] == "feedback"]
    gated = [row for row in shown if row.threshold != REPORTED and row.measured is not None]
    measured = [row for row in gated if not row.threshold.endswith(" ms")]
    wanted = [row for row in shown if row.threshold == REPORTED and row.name in WANTED_HIGH]
    return Rank(
        verdict.accepted,
        verdict.accepted or any(row.trajectories.startswith("held_out") for row in verdict.checks),
        _mean(gated, lambda row: 1.0 if row.passed else min(_goodness(row), NEARLY)),
        _mean([*measured, *wanted], _goodness),
    )


def _goodness(row: Check) -> float:
    """What was measured, turned so that 1 is best and 0 is worst."""
    if row.measured is None or not math.isfinite(row.measured):
        return 0.0
    good = 1 - row.measured if "<=" in row.threshold else row.measured
    return min(max(good, 0.0), 1.0)


def _mean(rows: Iterable[Check], value: Callable[[Check], float]) -> float:
    """Over checks, each the mean of its rows; 0 without any. Sub-tasks and kinds of episodes do not add weight."""
    by_check: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_check[row.name].append(value(row))
    means = [math.fsum(values) / len(values) for values in by_check.values()]
    return math.fsum(means) / len(means) if means else 0.0
