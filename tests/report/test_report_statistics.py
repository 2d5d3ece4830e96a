"""Known answers, worked out by hand or by SciPy."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from vlmcar.report.statistics import (
    align,
    censored_median,
    censored_median_interval,
    iqm,
    learning_curve,
    resample_counts,
    stratified_bootstrap,
)


def column(*values):
    """Scores of one task: (num_runs, num_tasks=1)."""
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def test_iqm_drops_the_outer_quarters():
    assert iqm(column(0.0, 0.2, 0.4, 0.6, 0.6, 0.8, 1.0, 1.0)) == pytest.approx(0.6)  # of 0.4 0.6 0.6 0.8


def test_iqm_of_three_is_their_mean():
    assert iqm(column(0.0, 0.3, 0.9)) == pytest.approx(0.4)


def test_iqm_is_the_trimmed_mean_of_rliable():
    scores = np.random.default_rng(1).random((5, 3))
    assert iqm(scores) == pytest.approx(trim_mean(scores, 0.25, axis=None))


def test_bootstrap_is_seeded_and_covers():
    scores = np.random.default_rng(2).random((10, 1))
    interval = stratified_bootstrap(scores)
    assert interval == stratified_bootstrap(scores)
    assert interval != stratified_bootstrap(scores, seed=1)
    assert scores.min() < interval.low < iqm(scores) < interval.high < scores.max()


def test_bootstrap_interval_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(3)
    intervals = [stratified_bootstrap(generator.random((20, 1)), num_resamples=300) for _ in range(200)]
    assert 0.88 <= np.mean([low < 0.5 < high for low, high in intervals]) <= 0.99


def test_wider_confidence_is_a_wider_interval():
    scores = np.random.default_rng(4).random((8, 1))
    narrow, wide = stratified_bootstrap(scores, confidence=0.5), stratified_bootstrap(scores)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_bootstrap_never_moves_a_run_to_another_task():
    # Each task is constant, so resampling within tasks changes nothing; pooling all runs would.
    scores = np.array([[0.0, 0.5, 1.0]] * 4)
    assert stratified_bootstrap(scores) == (0.5, 0.5)
    pooled = stratified_bootstrap(scores.reshape(-1, 1))
    assert pooled.low < 0.5 < pooled.high


@pytest.mark.parametrize("num_runs", [2, 3, 4, 7, 20])
def test_bootstrap_is_that_of_sorted_resamples(num_runs):
    # With ties, as success rates have, and none of them 0, whose weight would not matter.
    scores = np.random.default_rng(5).integers(1, 5, num_runs) / 4
    rows = np.random.default_rng(0).integers(num_runs, size=(2000, num_runs))
    resampled = trim_mean(scores[rows], 0.25, axis=1)
    expected = np.quantile(resampled, [0.025, 0.975])
    np.testing.assert_allclose(stratified_bootstrap(column(*scores)), expected, atol=1e-12)
    steps = np.array([0, 10])
    curve = learning_curve([(steps, np.array([0.0, score])) for score in scores])
    np.testing.assert_allclose([curve.low, curve.high], np.transpose([[0, 0], expected]), atol=1e-12)


def test_counts_are_of_draws_with_replacement():
    counts = resample_counts(3, np.random.default_rng(0), num_resamples=4000)
    assert counts.shape == (3, 4000)
    assert (counts.sum(axis=0) == 3).all()
    assert (counts.max(axis=0) == 3).mean() == pytest.approx(3 / 27, abs=0.02)


def test_one_run_has_no_interval():
    assert np.isnan(stratified_bootstrap(column(0.7))).all()


@pytest.mark.parametrize(
    ("reached_at", "steps", "censored", "reached"),
    [
        ([100, 300, 200], 200, False, 3),
        ([100, np.nan, 200], 200, False, 2),
        ([100, np.nan, np.nan], 500, True, 1),
        ([np.nan, np.nan], 500, True, 0),
        ([100, 200, 300, np.nan], 250, False, 3),
        ([100, 200, np.nan, np.nan], 500, True, 2),
    ],
)
def test_censored_median(reached_at, steps, censored, reached):
    assert censored_median(reached_at, [500] * len(reached_at)) == (steps, censored, reached, len(reached_at))


def test_censored_median_names_the_smallest_budget_that_was_not_enough():
    assert censored_median([50, np.nan, np.nan], [100, 900, 400]).steps == 400


@pytest.mark.parametrize(
    ("reached_at", "low", "high"),
    [
        ([100, 200, 300], (100, False), (300, False)),  # 7 of 27 resamples have two or three of the least
        ([100, 200, np.nan], (100, False), (500, True)),
        ([100, np.nan, np.nan], (100, False), (500, True)),
        ([np.nan, np.nan, np.nan], (500, True), (500, True)),
        ([100] * 20 + [np.nan], (100, False), (100, False)),  # 11 of 21 the one that never did: hardly ever
    ],
)
@pytest.mark.filterwarnings("error")  # an interpolation between two that never did would be no number
def test_interval_of_the_censored_median(reached_at, low, high):
    assert censored_median_interval(reached_at, [500] * len(reached_at)) == (low, high)


def test_interval_of_the_censored_median_names_the_smallest_budget_that_was_not_enough():
    _, high = censored_median_interval([50, np.nan, np.nan], [100, 900, 400])
    assert high == (400, True)


def test_interval_of_the_median_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(6)
    held = []
    for _ in range(200):
        at = generator.exponential(100, 25)  # its median: 100 ln 2; some end before they are there
        low, high = censored_median_interval(np.where(at < 120, at, np.nan), [120] * 25)
        held.append(low.steps < 100 * np.log(2) and (high.censored or 100 * np.log(2) < high.steps))
    assert 0.88 <= np.mean(held) <= 0.99


@pytest.mark.parametrize("reached_at", [[], [100], [np.nan]])
def test_fewer_than_two_runs_have_no_interval_of_the_median(reached_at):
    low, high = censored_median_interval(reached_at, [500] * len(reached_at))
    assert np.isnan([low.steps, high.steps]).all()


def test_censored_median_of_nothing():
    median = censored_median([], [])
    assert np.isnan(median.steps)
    assert median[1:] == (False, 0, 0)


def test_align_changes_nothing_on_a_common_grid():
    steps = np.array([0, 10, 20])
    grid, scores = align([(steps, np.array([0.0, 0.1, 0.2])), (steps, np.array([0.3, 0.4, 0.5]))])
    assert grid.tolist() == [0, 10, 20]
    assert scores.tolist() == [[0.0, 0.1, 0.2], [0.3, 0.4, 0.5]]


def test_align_takes_the_previous_value_and_never_leaves_the_data():
    grid, scores = align(
        [(np.array([0, 10, 30]), np.array([0.0, 0.1, 0.3])), (np.array([5, 20]), np.array([0.5, 0.6]))]
    )
    assert grid.tolist() == [0, 5, 10, 20, 30]
    nan = np.nan
    np.testing.assert_equal(scores, [[0.0, 0.0, 0.1, 0.1, 0.3], [nan, 0.5, 0.5, 0.6, nan]])


def test_learning_curve_of_three_seeds_with_one_unfinished():
    steps = np.array([0, 10, 20])
    runs = [
        (steps, np.array([0.0, 0.3, 1.0])),
        (steps, np.array([0.0, 0.6, 0.8])),
        (steps[:2], np.array([0.0, 0.9])),
    ]
    curve = learning_curve(runs)
    assert curve.num_runs.tolist() == [3, 3, 2]
    np.testing.assert_allclose(curve.iqm, [0.0, 0.6, 0.9])
    np.testing.assert_allclose(curve.low, [0.0, 0.3, 0.8])  # 1 of 27 resamples is all 0.3: more than 2.5 %
    np.testing.assert_allclose(curve.high, [0.0, 0.9, 1.0])
