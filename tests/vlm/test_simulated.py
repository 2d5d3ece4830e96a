"""The simulated judge errs at its rates, always alike for an equal query, and says what it is."""

from __future__ import annotations

import numpy as np
import pytest

from vlmcar.types import ConfigError
from vlmcar.vlm.simulated import Simulated


def simulated(positives: float, negatives: float, seed: int = 0) -> Simulated:
    return Simulated(positives, negatives, seed, seconds_per_query=1.0, dollars_per_query=0.001)


QUERIES = [f"frame {n}".encode() for n in range(20_000)]


@pytest.mark.parametrize(("positives", "negatives"), [(0.0, 0.0), (0.03, 0.2), (1.0, 1.0), (0.5, 0.0)])
def test_errors_come_at_their_rates(positives: float, negatives: float) -> None:
    truth = np.arange(len(QUERIES)) % 2 == 0
    said = simulated(positives, negatives).answers(QUERIES, ["a"], truth[:, None])[:, 0]
    # 10,000 draws each: five standard deviations are at most 0.025.
    assert abs(said[~truth].mean() - positives) <= 0.025
    assert abs((~said[truth]).mean() - negatives) <= 0.025
    if positives in (0.0, 1.0):
        assert said[~truth].mean() == positives


def test_an_equal_query_gets_an_equal_answer_and_others_err_independently() -> None:
    truth = np.zeros((len(QUERIES), 2), dtype=bool)
    judge = simulated(0.5, 0.0)
    said = judge.answers(QUERIES, ["a", "b"], truth)
    np.testing.assert_array_equal(judge.answers(QUERIES[::-1], ["a", "b"], truth)[::-1], said)
    np.testing.assert_array_equal(judge.answers(QUERIES, ["b"], truth[:, :1])[:, 0], said[:, 1])
    assert abs((said[:, 0] == said[:, 1]).mean() - 0.5) < 0.025
    other = simulated(0.5, 0.0, seed=1).answers(QUERIES, ["a", "b"], truth)
    assert abs((said == other).mean() - 0.5) < 0.02


def test_it_is_called_simulated_with_its_rates_wherever_it_appears() -> None:
    said = simulated(0.001, 0.25).judged_by
    assert said.vlm == "simulated_fp0.001_fn0.25"
    assert said.judge == "simulated (FP 0.001, FN 0.25)"
    assert said.rates == (0.001, 0.25)


@pytest.mark.parametrize(
    "values", [(-0.1, 0, 0, 1, 1), (0, 1.5, 0, 1, 1), (0, 0, -1, 1, 1), (0, 0, 0, -1, 1), (0, 0, 0, 1, -1)]
)
def test_impossible_values_are_refused(values: tuple) -> None:
    with pytest.raises(ConfigError, match=r"simulated\.\w+=-?[\d.]+"):
        Simulated(*values)
