"""Which of two verdicts is the better one."""

from __future__ import annotations

import itertools
import math

import pytest

from vlmcar.types import Check, Verdict
from vlmcar.verification.rank import Rank, rank


def row(
    name: str, measured: float, threshold: str, passed: bool = True, where: str = "feedback/expert"
) -> Check:
    return Check(name, None, where, 10, measured, threshold, passed)


RUNS = row("runs_without_error", 1.0, ">= 1")
ALL = row("expert_completes", 1.0, ">= 1")
HELD_OUT = row("expert_completes", 0.5, ">= 1", False, "held_out/expert")


def rejected(*rows: Check) -> Verdict:
    return Verdict(False, rows)


FROM_WORST = [
    rejected(),
    # Crashes on half of the episodes.
    rejected(row("runs_without_error", 0.5, ">= 1", False), row("expert_completes", 0.0, ">= 1", False)),
    # Says nothing: passes most of what is asked, and completes nothing.
    rejected(
        RUNS,
        row("expert_completes", 0.0, ">= 1", False),
        row("successes_outscore", 0.5, ">= 0.9", False),
        *(row("near_miss_completes", 0.0, "<= 0"), row("random_completes", 0.0, "95 % bound 0.08 <= 0.1")),
    ),
    # Misses one expert in ten, and is late for it, too: two failed checks, but nearly passed.
    rejected(
        RUNS,
        row("expert_completes", 0.9, ">= 1", False),
        row("expert_on_time", 0.8, ">= 0.9", False),
        *(row("near_miss_completes", 0.0, "<= 0"), row("random_completes", 0.0, "95 % bound 0.08 <= 0.1")),
    ),
    rejected(RUNS, ALL, HELD_OUT),
    Verdict(True, (RUNS, ALL, row("robust", 0.2, "reported"))),
    Verdict(True, (RUNS, ALL, row("robust", 0.9, "reported"))),
]


@pytest.mark.parametrize(("worse", "better"), itertools.pairwise(range(len(FROM_WORST))))
def test_the_order(worse: int, better: int) -> None:
    assert rank(FROM_WORST[worse]) < rank(FROM_WORST[better])


def test_accepted_comes_first_and_then_who_reached_the_held_out_set() -> None:
    weak = row("expert_completes", 0.95, ">= 0.95")
    assert rank(Verdict(True, (weak,))) > rank(rejected(RUNS, ALL, HELD_OUT))
    assert rank(rejected(weak, HELD_OUT)) > rank(rejected(RUNS, ALL, row("stays_done", 0.99, ">= 1", False)))


def test_the_held_out_set_orders_nothing_else() -> None:
    """A search that bred from the best there would learn from what nobody is shown."""
    other = row("expert_completes", 0.9, ">= 1", False, "held_out/expert")
    assert rank(rejected(ALL, HELD_OUT)) == rank(rejected(ALL, other))


def test_sub_tasks_add_no_weight_to_their_check() -> None:
    late = row("expert_on_time", 0.5, ">= 0.9", False)
    assert rank(rejected(ALL, late)) == rank(rejected(ALL, late, late, late))
    assert rank(rejected(ALL, late)) == Rank(False, False, 0.75, 0.75)


def test_what_took_time_and_what_is_neither_good_nor_bad_is_left_out() -> None:
    assert rank(Verdict(True, (ALL, row("fast_enough", 3.0, "<= 20 ms")))).clear == 1.0
    assert rank(Verdict(True, (ALL, row("random_does", 0.3, "reported")))) == rank(Verdict(True, (ALL,)))


@pytest.mark.parametrize("measured", [math.nan, math.inf, -math.inf, 4.2])
def test_the_order_is_total_whatever_was_measured(measured: float) -> None:
    found = rank(rejected(row("exploits_pay_less", measured, "<= 0.9", False)))
    assert found == Rank(False, False, 0.0, 0.0)
