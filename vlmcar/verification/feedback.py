"""What a VLM is told about a rejected program: failures in words and pictures, most telling first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vlmcar.types import Frame, Program
from vlmcar.verification.episode import Episode

_HIDDEN = (
    "On every episode that can be shown it answered as it should, but not on other episodes of the same "
    "environment, which cannot be shown. Something in it does not hold in general: look for what it takes "
    "for granted about places, colours, sizes or counts, and measure that in the pictures instead."
)


class Limits(NamedTuple):
    """Fractions that may not be exceeded."""

    early: float
    """Of expert episodes, complete too early."""
    early_frames: int
    """Frames before the last that are not too early yet; not a fraction."""
    random: float
    """Of random episodes, complete."""


class Failure(NamedTuple):
    """One thing that went wrong in one episode, with the frames that show it."""

    kind: tuple[str, int | None]
    """What went wrong, and with which sub-task: failures of one kind teach the same."""
    text: str
    episode: Episode
    shown: tuple[int, ...]
    """Frame numbers; frame 0 always stands first."""


def explain(
    program: Program, episodes: Sequence[Episode], limits: Limits, max_examples: int
) -> tuple[str, tuple[Frame, ...]]:
    """Feedback on a rejected program.

    Args:
        program: what was rejected.
        episodes: of the feedback set; empty when it failed only on episodes that must not be shown.
        limits: fractions that may not be exceeded.
        max_examples: failures shown, one per kind of failure first.

    Returns:
        The text, and the pictures that it refers to by number.
    """
    if not episodes:
        return "\n\n".join(filter(None, (_HIDDEN, _tolerance(limits)))), ()
    failures = _varied(list(_failures(program, episodes, limits)), max_examples)
    lines = [_summary(program, episodes, limits)]
    frames: list[Frame] = []
    for number, failure in enumerate(failures, start=1):
        first = len(frames) + 1
        pictures = [failure.episode.trajectory.frames[t] for t in failure.shown]
        frames += pictures
        named = ", ".join(f"picture {first + n} is frame {t}" for n, t in enumerate(failure.shown))
        trajectory = failure.episode.trajectory
        lines.append(
            f"Example {number}: {trajectory.kind} episode {trajectory.seed}, frames 0 to "
            f"{len(trajectory.frames) - 1} ({named}). {failure.text}"
        )
    return "\n\n".join(lines), tuple(frames)


def _tolerance(limits: Limits) -> str:
    """Said where it cannot be read off the numbers."""
    if not limits.early_frames:
        return ""
    return (
        "A picture may not tell the very moment at which the task is accomplished. The last sub-task has to be done "
        f"by the last frame of a successful episode, and may be done up to {limits.early_frames} frames earlier: "
        "where two pictures that follow each other look alike, take both as done."
    )


def _summary(program: Program, episodes: Sequence[Episode], limits: Limits) -> str:
    experts = [e for e in episodes if e.trajectory.kind == "expert"]
    randoms = [e for e in episodes if e.trajectory.kind == "random"]
    before = f", or at most {limits.early_frames} frames before" if limits.early_frames else ""
    lines = [
        f"It was run on {len(experts)} expert episodes, which all accomplish the task by their last frame, and "
        f"on {len(randoms)} episodes of random actions. Expected: no sub-task done on frame 0; experts complete "
        f"every sub-task in order, and the last one on the last frame{before}; at most {limits.random:.0%} of the "
        "random episodes complete all of them. Found:"
    ]
    for name, group in (("expert", experts), ("random", randoms)):
        complete = sum(e.complete for e in group)
        lines.append(f"- {name} episodes: {complete} of {len(group)} complete, {_errors(group)}")
        for k, subtask in enumerate(program.subtasks):
            reached = sum(e.done_at[k] is not None for e in group)
            at_start = sum(e.done_at_start[k] for e in group)
            lines.append(
                f"  - `{subtask.name}`: done in order in {reached}, already done on frame 0 in {at_start}"
            )
    return "\n".join(lines)


def _errors(episodes: Sequence[Episode]) -> str:
    """How many, and of which kinds: ``3 with an error (2 crashed, 1 timed out)``."""
    kinds = Counter(episode.error.kind.replace("_", " ") for episode in episodes if episode.error is not None)
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"{kinds.total()} with an error" + (f" ({named})" if named else "")


def _failures(program: Program, episodes: Sequence[Episode], limits: Limits) -> Iterator[Failure]:
    for episode in episodes:
        if episode.error is not None:
            shown = (0, episode.error_frame) if episode.error_frame else (0,)
            yield Failure(
                ("error", None), f"Expected an answer, got an error: {episode.error}", episode, shown
            )
    for k, subtask in enumerate(program.subtasks):
        for episode in episodes:
            if episode.done_at_start[k]:
                text = f"Expected `{subtask.name}` not done on frame 0, got done."
                yield Failure(("start", k), text, episode, (0,))
    for k in range(len(program.subtasks)):
        for episode in episodes:
            missed = episode.error is None and episode.done_at[k] is None
            blocked = k > 0 and episode.done_at[k - 1] is None  # an earlier sub-task is what failed
            if episode.trajectory.kind == "expert" and missed and not blocked:
                yield _missed(program, k, episode)
    experts = [e for e in episodes if e.trajectory.kind == "expert"]
    early = [e for e in experts if e.complete_early(limits.early_frames)]
    if len(early) > limits.early * len(experts):
        for episode in early:
            last = len(episode.trajectory.frames) - 1
            at = max(frame for frame in episode.done_at if frame is not None)
            text = (
                f"Expected the last sub-task to be done on frame {last}, when the task is accomplished, got every "
                f"sub-task done on frame {at} ({_when(program, episode)})."
            )
            yield Failure(("early", None), text, episode, (0, at, last))
    randoms = [e for e in episodes if e.trajectory.kind == "random"]
    complete = [e for e in randoms if e.complete]
    if len(complete) > limits.random * len(randoms):
        for episode in complete:
            last = max(frame for frame in episode.done_at if frame is not None)
            text = (
                f"Random actions completed every sub-task: {_when(program, episode)}. Expected this to be rare; "
                "check whether each of these frames really shows what was answered."
            )
            yield Failure(("random", None), text, episode, (0, last))


def _missed(program: Program, k: int, episode: Episode) -> Failure:
    last = len(episode.trajectory.frames) - 1
    earlier = _when(program, episode) or "no sub-task was done"
    text = (
        f"Expected `{program.subtasks[k].name}` to be done at some frame, got not done on every frame after the "
        f"earlier sub-tasks ({earlier})."
    )
    return Failure(("missed", k), text, episode, (0, last // 3, 2 * last // 3, last))


def _when(program: Program, episode: Episode) -> str:
    return ", ".join(
        f"`{subtask.name}` at frame {frame}"
        for subtask, frame in zip(program.subtasks, episode.done_at, strict=True)
        if frame is not None
    )


def _varied(failures: Sequence[Failure], most: int) -> list[Failure]:
    """The first failure of each kind, then the others, ``most`` at the most."""
    seen: set[tuple[str, int | None]] = set()
    first: list[Failure] = []
    others: list[Failure] = []
    for failure in failures:
        (others if failure.kind in seen else first).append(failure)
        seen.add(failure.kind)
    return [*first, *others][:most]
