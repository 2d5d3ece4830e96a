"""What is asked of episodes that fail: random play, near misses, and policies that try to be paid for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from vlmcar.types import Check
from vlmcar.verification.evidence import Evidence, offsets
from vlmcar.verification.rows import (
    answered,
    complete_experts,
    does_what_is_missing,
    event_of,
    missing,
    row,
    within_tolerance,
)
from vlmcar.verification.trajectories import EXPLOITS, FOREIGN, NEAR_MISS, RANDOM, TRUNCATED

CONFIDENCE = 0.95
"""Of one-sided bounds."""
RESAMPLES = 1000


@dataclass
class RandomCompletes:
    """Random play rarely completes all sub-tasks without success; asked of the one-sided 95 % Wilson bound."""

    enabled: bool
    at_most: float

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        complete = [episode.complete and not episode.trajectory.success for episode in evidence.randoms]
        if complete:
            count, total = sum(complete), len(complete)
            interval = binomtest(count, total, alternative="less").proportion_ci(CONFIDENCE, method="wilson")
            threshold = f"95 % bound {interval.high:.3g} <= {self.at_most:g}"
            passed = bool(interval.high <= self.at_most)
            yield Check(
                *("random_completes", None, f"{evidence.which}/random", total),
                *(count / total, threshold, passed),
            )
        yield from missing("random_completes", evidence, RANDOM)


@dataclass
class TruncatedCompletes:
    """An expert's episode that is cut off before one of its events does not complete all sub-tasks."""

    enabled: bool
    at_most: float

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        episodes = [e for e in evidence.of(TRUNCATED) if not within_tolerance(e, evidence)]
        complete = [episode.complete for episode in episodes]
        if complete:
            yield row("truncated_completes", None, evidence, TRUNCATED, complete, most=self.at_most)


@dataclass
class NearMissCompletes:
    """Nor does one that does everything but one of its events, unless it succeeds all the same."""

    enabled: bool
    at_most: float

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        episodes = [
            episode
            for episode in evidence.of(NEAR_MISS)
            if not episode.trajectory.success and not within_tolerance(episode, evidence)
        ]
        complete = [episode.complete for episode in episodes]
        if complete:
            yield row("near_miss_completes", None, evidence, NEAR_MISS, complete, most=self.at_most)
        yield from missing("near_miss_completes", evidence, NEAR_MISS)


@dataclass
class ForeignCompletes:
    """How often the first frame of one level with an expert's frames of another completes: reported.

    Which answer is right there nobody can say; a program for which it is rare measures against the first frame.
    """

    enabled: bool
    at_most: float

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        complete = [episode.complete for episode in answered(evidence.of(FOREIGN))]
        if complete:
            yield row("foreign_completes", None, evidence, FOREIGN, complete, most=self.at_most)


@dataclass
class NearMissDoes:
    """A sub-task that experts do right at an event is not done there where the event is left out."""

    enabled: bool
    at_most: float
    """Fraction of near misses, per sub-task."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        experts = complete_experts(evidence)
        found = [offsets(expert) for expert in experts.values()]
        for k, subtask in enumerate(evidence.program.subtasks):
            at = [offset[k] for offset in found if offset[k] is not None]
            if not at or np.mean(np.asarray(at) == 0) < 0.9:
                continue  # it is something else that this sub-task tells
            does = [
                does_what_is_missing(miss, expert, k)
                for miss in answered(evidence.of(NEAR_MISS))
                if (expert := experts.get(miss.trajectory.seed)) is not None
                and not miss.trajectory.success
                and not within_tolerance(miss, evidence)
                and event_of(expert, k) == miss.trajectory.missing
            ]
            if does:
                yield row("near_miss_does", subtask.name, evidence, NEAR_MISS, does, most=self.at_most)
        yield from missing("near_miss_does", evidence, NEAR_MISS)


@dataclass
class ExploitsPayLess:
    """Idling, spinning, oscillating, or holding on to what was won, pays less than doing the task."""

    enabled: bool
    at_most: float
    """Fraction of the experts' mean return, for the best such episode."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        for kind in dict.fromkeys(episode.trajectory.kind for episode in evidence.exploits):
            episodes = [e for e in answered(evidence.of(kind)) if not e.trajectory.success]
            if episodes:
                best = max(episode.returned for episode in episodes)
                share = best / evidence.expert_return if evidence.expert_return > 0 else float(best > 0)
                yield Check(
                    "exploits_pay_less",
                    None,
                    f"{evidence.which}/{kind}",
                    len(episodes),
                    share,
                    f"<= {self.at_most:g}",
                    share <= self.at_most,
                )
        yield from missing("exploits_pay_less", evidence, *EXPLOITS)


@dataclass
class SuccessesOutscore:
    """Successful episodes collect more than failed ones: the chance that one does (ties count half).

    The area under the ROC curve (Mann and Whitney 1947), asked of the lower end of its bootstrap interval.
    """

    enabled: bool
    at_least: float

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        episodes = [e for e in answered(evidence.episodes) if e.trajectory.kind not in (TRUNCATED, FOREIGN)]
        won = np.array([e.returned for e in episodes if e.trajectory.success])
        lost = np.array([e.returned for e in episodes if not e.trajectory.success])
        if len(won) and len(lost):
            low = _auc_bound(won, lost)
            passed = low >= self.at_least
            which = f"{evidence.which}/all"
            yield Check(
                "successes_outscore", None, which, len(episodes), low, f">= {self.at_least:g}", passed
            )


def _auc_bound(won: NDArray[np.float64], lost: NDArray[np.float64]) -> float:
    """Lower end of the one-sided 95 % percentile bootstrap interval of the area under the ROC curve."""
    beats = (won[:, None] > lost) + 0.5 * (won[:, None] == lost)  # (won, lost)
    rng = np.random.default_rng(0)
    drawn = (
        rng.integers(len(won), size=(RESAMPLES, len(won))),
        rng.integers(len(lost), size=(RESAMPLES, len(lost))),
    )
    areas = [beats[np.ix_(rows, columns)].mean() for rows, columns in zip(*drawn, strict=True)]
    return float(np.quantile(areas, 1 - CONFIDENCE))
