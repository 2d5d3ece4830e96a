"""How checks read evidence: fractions as rows, and what counts as early, near, or missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vlmcar.types import Check
from vlmcar.verification.evidence import Episode, Evidence, offsets


def row(
    name: str,
    subtask: str | None,
    evidence: Evidence,
    kind: str,
    outcomes: Sequence[bool],
    least: float = 0.0,
    most: float = 1.0,
) -> Check:
    """A fraction of episodes or frames, gated from below or from above, or only reported."""
    measured = float(np.mean(outcomes))
    threshold = f">= {least:g}" if least > 0 else f"<= {most:g}" if most < 1 else "reported"
    where = f"{evidence.which}/{kind}" if kind else evidence.which
    return Check(name, subtask, where, len(outcomes), measured, threshold, least <= measured <= most)


def missing(name: str, evidence: Evidence, *kinds: str) -> Iterator[Check]:
    """A row for episodes that there are none of, with the reason; several kinds with one reason are one row."""
    reasons = {kind: evidence.missing[kind] for kind in kinds if kind in evidence.missing}
    for reason in dict.fromkeys(reasons.values()):
        of = ", ".join(kind for kind, why in reasons.items() if why == reason)
        yield Check(name, None, f"{evidence.which}/{of}", 0, None, f"not available: {reason}", True)


def answered(episodes: Sequence[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.error is None]


def completes_early(episode: Episode, frames: int) -> bool:
    """All sub-tasks done more than ``frames`` before an expert's last: before its task was done."""
    return episode.complete and episode.complete_at < episode.last - frames


def within_tolerance(episode: Episode, evidence: Evidence) -> bool:
    """Ends so close to the end of its expert's episode that a picture may not tell the difference."""
    if not evidence.early_frames:
        return False
    expert = next((e for e in evidence.experts if e.trajectory.seed == episode.trajectory.seed), None)
    return expert is not None and len(episode.trajectory) > expert.last - evidence.early_frames


def complete_experts(evidence: Evidence) -> dict[int, Episode]:
    """By level."""
    return {episode.trajectory.seed: episode for episode in evidence.experts if episode.complete}


def does_what_is_missing(miss: Episode, expert: Episode, k: int) -> bool:
    """Sub-task k done in a near miss at the very event that it goes without; what it does later is its own."""
    missing, at = miss.trajectory.missing, miss.done_at[k]
    return missing is not None and at is not None and abs(at - expert.trajectory.events[missing]) <= 1


def event_of(expert: Episode, k: int) -> int | None:
    """Which event of its plan an expert does sub-task k at."""
    offset, frame = offsets(expert)[k], expert.done_at[k]
    return None if offset is None or frame is None else expert.trajectory.events.index(frame - offset)
