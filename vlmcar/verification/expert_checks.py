"""What is asked of experts' episodes: every sub-task done, in order, on time, and neither before nor undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vlmcar.types import Check
from vlmcar.verification.evidence import Evidence, offsets, told
from vlmcar.verification.rows import answered, completes_early, row


@dataclass
class NotDoneAtStart:
    """No sub-task is done on frame 0, where nothing has been done."""

    enabled: bool

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        for kind in ("expert", "random"):
            episodes = answered(evidence.of(kind))
            for k, subtask in enumerate(evidence.program.subtasks if episodes else ()):
                waits = [not episode.done_at_start[k] for episode in episodes]
                yield row("not_done_at_start", subtask.name, evidence, kind, waits, least=1.0)


@dataclass
class Does:
    """How often each sub-task is done, in order: reported, since random play may well pick up a key."""

    enabled: bool

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        for kind in ("expert", "random"):
            episodes = answered(evidence.of(kind))
            for k, subtask in enumerate(evidence.program.subtasks if episodes else ()):
                does = [episode.done_at[k] is not None for episode in episodes]
                yield row(f"{kind}_does", subtask.name, evidence, kind, does)


@dataclass
class ExpertCompletes:
    """Experts complete all sub-tasks, in order."""

    enabled: bool
    at_least: float
    """Fraction of expert episodes."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        complete = [episode.complete for episode in evidence.experts]
        if complete:
            yield row("expert_completes", None, evidence, "expert", complete, least=self.at_least)


@dataclass
class ExpertCompletesEarly:
    """And not before their task is done, which is on their last frame."""

    enabled: bool
    at_most: float
    """Fraction of expert episodes."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        early = [completes_early(episode, evidence.early_frames) for episode in evidence.experts]
        if early:
            yield row("expert_completes_early", None, evidence, "expert", early, most=self.at_most)


@dataclass
class ExpertOnTime:
    """Sub-tasks are done when something happens along the plan: an interaction of the expert's, or its end.

    Sub-tasks and events are matched in order; one that is at no event is not asked about.
    """

    enabled: bool
    window: int
    """Frames before or after the event."""
    at_least: float
    """Fraction of expert episodes, per sub-task; 0: reported."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        found = [offsets(episode) for episode in evidence.experts if episode.complete]
        for k, subtask in enumerate(evidence.program.subtasks):
            window = max(self.window, evidence.early_frames)
            on_time = [abs(at[k] or 0) <= window for at in found if at[k] is not None]
            if on_time:
                yield row("expert_on_time", subtask.name, evidence, "expert", on_time, least=self.at_least)


@dataclass
class EventsTold:
    """Something is done at each event of the experts': where nothing is, the VLM may have missed a step.

    Reported, since not every interaction has to be a step of its own.
    """

    enabled: bool
    window: int
    """Frames before or after the event."""
    at_least: float
    """Fraction of events, over all experts that complete; 0: reported."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        window = max(self.window, evidence.early_frames)
        found = [done for episode in evidence.experts if episode.complete for done in told(episode, window)]
        if found:
            yield row("events_told", None, evidence, "expert", found, least=self.at_least)


@dataclass
class StaysDone:
    """Once done along an expert's path, a sub-task stays done: for tasks in which nothing is undone."""

    enabled: bool
    at_least: float
    """Fraction of expert episodes, per sub-task; 0: reported."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        for k, subtask in enumerate(evidence.program.subtasks):
            stays = [
                bool((episode.progress[at:, k] >= 1.0).all())
                for episode in answered(evidence.experts)
                if (at := episode.done_at[k]) is not None and episode.progress is not None
            ]
            if stays:
                yield row("stays_done", subtask.name, evidence, "expert", stays, least=self.at_least)


@dataclass
class SetsAgree:
    """Experts do each sub-task as often in the held-out set as in the set that was shown."""

    enabled: bool
    at_most: float
    """Difference of the two fractions."""

    def rows(self, evidence: Evidence) -> Iterator[Check]:
        if evidence.earlier is None:
            return
        now, before = answered(evidence.experts), answered(evidence.earlier.experts)
        for k, subtask in enumerate(evidence.program.subtasks if now and before else ()):
            rates = [np.mean([e.done_at[k] is not None for e in episodes]) for episodes in (now, before)]
            difference = abs(float(rates[0] - rates[1]))
            passed = difference <= self.at_most
            yield Check(
                *("sets_agree", subtask.name, "held_out/expert", len(now)),
                *(difference, f"<= {self.at_most:g}", passed),
            )
