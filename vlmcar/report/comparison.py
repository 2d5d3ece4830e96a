"""Methods compared over several environments: performance profile and probability of improvement.

Source: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS,
arXiv 2108.13264). Environments may have different numbers of runs, so the scores of a method are one float array
(num_runs,) per environment. Every environment weighs the same, and runs are resampled within theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vlmcar.report.statistics import CONFIDENCE, Floats, percentile_interval, resample_counts


class Profile(NamedTuple):
    """A performance profile: a step function that changes at the thresholds only; all of shape (num_thresholds,)."""

    thresholds: Floats
    """Every score, 0 and 1, in increasing order."""
    fraction: Floats
    """Of runs that score more than the threshold: from there up to the next threshold."""
    low: Floats
    high: Floats
    """Pointwise bounds; NaN where no environment has two runs."""


class Improvement(NamedTuple):
    """P(X > Y): how probable it is that a run of X scores more than one of Y in an environment drawn at random."""

    probability: float
    low: float
    high: float
    """NaN where no environment has two runs of either."""


def performance_profile(scores: Sequence[Floats], confidence: float = CONFIDENCE, seed: int = 0) -> Profile:
    """Fraction of runs above every threshold, a mean over environments, with a stratified bootstrap band.

    Args:
        scores: per environment (num_runs,), in [0, 1].
    """
    thresholds = np.unique(np.concatenate([*scores, np.array([0.0, 1.0])]))
    above = [(runs > thresholds.reshape(-1, 1)).astype(np.float64) for runs in scores]
    fraction = np.mean([runs.mean(axis=1) for runs in above], axis=0)
    if all(len(runs) < 2 for runs in scores):
        nothing = np.full(len(thresholds), np.nan)
        return Profile(thresholds, fraction, nothing, nothing)
    generator = np.random.default_rng(seed)
    resampled = np.zeros(())
    for runs in above:  # each (num_thresholds, num_runs)
        num_runs = runs.shape[1]
        resampled = resampled + runs @ resample_counts(num_runs, generator) / (num_runs * len(scores))
    return Profile(thresholds, fraction, *percentile_interval(resampled, confidence))


def probability_of_improvement(
    xs: Sequence[Floats], ys: Sequence[Floats], confidence: float = CONFIDENCE, seed: int = 0
) -> Improvement:
    """Mean over environments of the fraction of pairs in which X scores more than Y; a tie counts half.

    That fraction is the Mann-Whitney statistic U / (num_runs of X * num_runs of Y).

    Args:
        xs: of method X, per environment (num_runs,).
        ys: of method Y, in the same environments.
    """
    won = [(x.reshape(-1, 1) > y) + 0.5 * (x.reshape(-1, 1) == y) for x, y in zip(xs, ys, strict=True)]
    probability = float(np.mean([pairs.mean() for pairs in won]))
    if all(max(pairs.shape) < 2 for pairs in won):
        return Improvement(probability, np.nan, np.nan)
    generator = np.random.default_rng(seed)
    resampled = np.zeros(())
    for pairs in won:  # each (num_runs of X, num_runs of Y)
        of_x, of_y = (resample_counts(num_runs, generator) for num_runs in pairs.shape)
        resampled = resampled + (of_x * (pairs @ of_y)).sum(axis=0) / (pairs.size * len(won))
    low, high = percentile_interval(resampled, confidence)
    return Improvement(probability, float(low), float(high))
