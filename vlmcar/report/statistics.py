"""Statistics over few runs: interquartile mean, stratified bootstrap interval, censored median and its interval.

Source of the first two: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical
Precipice" (NeurIPS). Shapes are in the words of its library rliable: scores have shape
``(num_runs, num_tasks)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]
"""Whole numbers, far below those that float32 rounds; as floats, because they are multiplied."""

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000


class Interval(NamedTuple):
    low: float
    high: float


class Curve(NamedTuple):
    """One curve of a figure; all arrays have shape ``(num_steps,)``."""

    steps: NDArray[np.int64]
    """Environment steps."""
    num_runs: NDArray[np.int64]
    """Runs that have got this far."""
    iqm: Floats
    low: Floats
    high: Floats
    """Bounds of the interval; NaN where a single run is left."""


class Bound(NamedTuple):
    """One end of an interval of steps."""

    steps: float
    """Where it is, or the limit it lies beyond; NaN where there is no interval."""
    censored: bool


class CensoredMedian(NamedTuple):
    """A median of which some values are only known to lie beyond a limit."""

    steps: float
    """The median, or the limit it lies beyond; NaN without any run."""
    censored: bool
    reached: int
    total: int


def iqm(scores: Floats) -> float:
    """Interquartile mean over all runs and tasks.

    The lowest and highest quarter are dropped, rounded down as in `scipy.stats.trim_mean` (which rliable
    calls), so with fewer than four scores it is the plain mean.

    Args:
        scores: float (num_runs, num_tasks).
    """
    return float(_iqm_of_rows(np.asarray(scores, dtype=np.float64).reshape(1, -1))[0])


def stratified_bootstrap(
    scores: Floats, confidence: float = CONFIDENCE, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Interval:
    """Percentile interval of the IQM; runs are drawn with replacement within each task, never across tasks.

    Args:
        scores: float (num_runs, num_tasks).
        confidence: probability mass inside the interval, in (0, 1).

    Returns:
        NaN bounds for a single run: one run says nothing about its spread.
    """
    scores = np.asarray(scores, dtype=np.float64)
    num_runs, num_tasks = scores.shape
    if num_runs < 2:
        return Interval(np.nan, np.nan)
    generator = np.random.default_rng(seed)
    counts = np.vstack([resample_counts(num_runs, generator, num_resamples) for _ in range(num_tasks)])
    low, high = percentile_interval(_resampled_iqm(scores.T.ravel(), counts), confidence)
    return Interval(float(low), float(high))


def resample_counts(
    num_runs: int, generator: np.random.Generator, num_resamples: int = NUM_RESAMPLES
) -> Counts:
    """How often each run of one task is drawn: float32 (num_runs, num_resamples), columns sum to `num_runs`."""
    rows = generator.integers(num_runs, size=(num_resamples, num_runs))
    flat = rows * num_resamples + np.arange(num_resamples).reshape(-1, 1)
    counts = np.bincount(flat.ravel(), minlength=num_runs * num_resamples)
    return counts.reshape(num_runs, num_resamples).astype(np.float32)


def percentile_interval(resampled: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Low and high bound: the resampled statistic, float (..., num_resamples), without its last axis."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=-1)
    return low, high


def align(runs: Sequence[tuple[NDArray[np.int64], Floats]]) -> tuple[NDArray[np.int64], Floats]:
    """Puts runs on one grid: every step at which any of them was evaluated.

    A run that was not evaluated at a step gives its previous value, never one from before its first or after
    its last evaluation. Where all evaluation steps agree, as they normally do, nothing is changed.

    Args:
        runs: per run its increasing steps and its values, both of shape (num_evaluations,).

    Returns:
        steps (num_steps,) and scores (num_runs, num_steps), NaN outside of a run's evaluations.
    """
    grid = np.unique(np.concatenate([steps for steps, _ in runs]))
    scores = np.full((len(runs), len(grid)), np.nan)
    for row, (steps, values) in zip(scores, runs, strict=True):
        inside = (grid >= steps[0]) & (grid <= steps[-1])
        row[inside] = values[np.searchsorted(steps, grid[inside], side="right") - 1]
    return grid, scores


def learning_curve(runs: Sequence[tuple[NDArray[np.int64], Floats]]) -> Curve:
    """IQM and interval at every step, over the runs of one task that have got this far.

    The bootstrap starts from one seed at every step: whole curves are resampled, so a band does not jitter.
    """
    steps, scores = align(runs)
    present = ~np.isnan(scores)
    num_runs = present.sum(axis=0)
    middle, low, high = np.full((3, len(steps)), np.nan)
    for count in np.unique(num_runs):
        columns = np.flatnonzero(num_runs == count)
        values = scores.T[columns][present.T[columns]].reshape(-1, count)  # (num_columns, num_runs)
        middle[columns] = _iqm_of_rows(values)
        if count > 1:
            counts = resample_counts(count, np.random.default_rng(0))
            resampled = np.array([_resampled_iqm(column, counts) for column in values])
            low[columns], high[columns] = percentile_interval(resampled)
    return Curve(steps, num_runs, middle, low, high)


def censored_median(reached_at: Sequence[float], budgets: Sequence[float]) -> CensoredMedian:
    """Median steps to a threshold, when some runs ended without reaching it.

    Such a run counts as later than all that reached it. The median is censored as soon as it depends on such
    a run, that is when no more than half of the runs reached the threshold; it is then given as the smallest
    budget among the runs that did not.

    Args:
        reached_at: (num_runs,) steps, NaN where the threshold was never reached.
        budgets: (num_runs,) steps that each run was trained for.
    """
    at = np.asarray(reached_at, dtype=np.float64)
    if not len(at):
        return CensoredMedian(np.nan, False, 0, 0)
    never = np.isnan(at)
    median = _bound(float(np.median(np.where(never, np.inf, at))), never, budgets)
    return CensoredMedian(*median, int((~never).sum()), len(at))


def censored_median_interval(
    reached_at: Sequence[float], budgets: Sequence[float], confidence: float = CONFIDENCE, seed: int = 0
) -> tuple[Bound, Bound]:
    """Percentile bootstrap interval of `censored_median`: a bound that depends on a run that ended is censored.

    Bounds are medians of resamples, never a value between two of them: between a number and "later" there is none.

    Returns:
        NaN bounds for fewer than two runs.
    """
    at = np.asarray(reached_at, dtype=np.float64)
    if len(at) < 2:
        return Bound(np.nan, False), Bound(np.nan, False)
    never = np.isnan(at)
    rows = np.random.default_rng(seed).integers(len(at), size=(NUM_RESAMPLES, len(at)))
    medians = np.median(np.where(never, np.inf, at)[rows], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
    return _bound(float(low), never, budgets), _bound(float(high), never, budgets)


def _bound(steps: float, never: NDArray[np.bool_], budgets: Sequence[float]) -> Bound:
    """The steps, or where they are infinite, the smallest budget that was not enough."""
    if np.isfinite(steps):
        return Bound(steps, False)
    return Bound(float(np.asarray(budgets, dtype=np.float64)[never].min()), True)


def _iqm_of_rows(rows: Floats) -> Floats:
    """IQM of each row of a float (num_rows, num_scores) array."""
    cut = rows.shape[1] // 4
    middle: Floats = np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)
    return middle


def _resampled_iqm(scores: Floats, counts: Counts) -> Floats:
    """IQM of resamples of `scores` (num_scores,), in which they occur as often as `counts` (num_scores, num_resamples).

    Nothing is sorted: up to each distinct value, so many places of a sorted resample are filled, and those in its
    middle half count.
    """
    values = np.unique(scores)
    cut = len(scores) // 4
    places = (scores <= values.reshape(-1, 1)).astype(counts.dtype) @ counts  # (num_values, num_resamples)
    np.clip(places, cut, len(scores) - cut, out=places)
    places[1:] -= places[:-1].copy()
    places[0] -= cut
    resampled: Floats = values @ places / (len(scores) - 2 * cut)
    return resampled
