"""Statistics over few runs: interquartile mean, stratified bootstrap interval, censored median.

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
    rows = generator.integers(num_runs, size=(num_resamples, num_runs, num_tasks))
    resamples = scores[rows, np.arange(num_tasks)]  # (num_resamples, num_runs, num_tasks)
    tail = (1 - confidence) / 2
    low, high = np.quantile(_iqm_of_rows(resamples.reshape(num_resamples, -1)), [tail, 1 - tail])
    return Interval(float(low), float(high))


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
    present = [
        column[~np.isnan(column)].reshape(-1, 1) for column in scores.T
    ]  # each (num_runs, num_tasks=1)
    intervals = [stratified_bootstrap(values) for values in present]
    return Curve(
        steps=steps,
        num_runs=np.array([len(values) for values in present]),
        iqm=np.array([iqm(values) for values in present]),
        low=np.array([interval.low for interval in intervals]),
        high=np.array([interval.high for interval in intervals]),
    )


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
    median = float(np.median(np.where(never, np.inf, at)))
    censored = bool(np.isinf(median))
    steps = float(np.asarray(budgets, dtype=np.float64)[never].min()) if censored else median
    return CensoredMedian(steps, censored, int((~never).sum()), len(at))


def _iqm_of_rows(rows: Floats) -> Floats:
    """IQM of each row of a float (num_rows, num_scores) array."""
    cut = rows.shape[1] // 4
    middle: Floats = np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)
    return middle
