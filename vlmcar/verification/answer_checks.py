"""What is asked of the answers themselves: that there are some, the same ones, soon, and not by a hair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vlmcar.types import Check
from vlmcar.verification.evidence import Evidence
from vlmcar.verification.rows import row


@dataclass
class RunsWithoutError:
    """Every episode gets an answer for every frame."""

    enabled: bool

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        for kind in dict.fromkeys(episode.trajectory.kind for episode in evidence.episodes):
            answered = [episode.error is None for episode in evidence.of(kind)]
            yield row("runs_without_error", None, evidence, kind, answered, least=1.0)


@dataclass
class SameAnswers:
    """Frames that are judged again, shuffled, in other batches, by a fresh process, get the same answers."""

    enabled: bool

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        if len(evidence.replayed):  # nothing was answered otherwise, which has its own failed row
            yield row("same_answers", None, evidence, "", evidence.replayed.tolist(), least=1.0)


@dataclass
class FastEnough:
    """Training judges every step."""

    enabled: bool
    milliseconds: float
    """CPU time per frame, all sub-tasks, at most."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        took, limit = evidence.milliseconds, self.milliseconds
        yield Check(
            "fast_enough",
            None,
            evidence.which,
            len(evidence.episodes),
            took,
            f"<= {limit:g} ms",
            took <= limit,
        )


@dataclass
class Robust:
    """Distorted frames of experts get the answers of the clean ones."""

    enabled: bool
    at_least: float
    """Fraction of frames, per distortion; 0: reported."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        for kind, same in evidence.distorted.items():
            if not len(same):  # no expert was answered, which has its own failed row
                continue
            yield row("robust", None, evidence, kind, same.tolist(), least=self.at_least)
