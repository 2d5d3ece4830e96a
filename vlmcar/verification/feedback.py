"""What a VLM is told about a rejected program: failures in words and pictures, most telling first.

Only episodes of the feedback set are ever named or shown, and nothing that the simulator knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vlmcar.types import Check, Frame
from vlmcar.verification.checks import Checks
from vlmcar.verification.evidence import Episode, Evidence, offsets, told
from vlmcar.verification.rows import (
    complete_experts,
    completes_early,
    does_what_is_missing,
    event_of,
    within_tolerance,
)
from vlmcar.verification.trajectories import EXPLOITS, NEAR_MISS, TRUNCATED

MAX_CHARACTERS = 8_000

_HIDDEN = (
    "On every episode that can be shown it answered as it should, but not on other episodes of the same "
    "environment, which cannot be shown. Something in it does not hold in general: look for what it takes "
    "for granted about places, colours, sizes or counts, and measure that in the pictures instead."
)
_IMPURE = (
    "The same two pictures got another answer, or none, when they were judged again in another order: it "
    "remembers something between calls, or reads memory that it has not set. Every answer must "
    "follow from `initial` and `frame` alone."
)


class Failure(NamedTuple):
    """One thing that went wrong in one episode, with the frames that show it."""

    kind: tuple[str, int | None]
    """What went wrong, and with which sub-task: failures of one kind teach the same."""
    text: str
    episode: Episode
    shown: tuple[int, ...]
    """Frame numbers; frame 0 always stands first."""


def explain(
    evidence: Evidence, failed: Sequence[Check], max_examples: int, checks: Checks
) -> tuple[str, tuple[Frame, ...]]:
    """Feedback on a rejected program.

    Args:
        evidence: of the set that rejected it; of the held-out set nothing is shown.
        failed: its rows that did not pass.
        max_examples: failures shown, one per kind of failure first.
        checks: whose limits are told.

    Returns:
        The text, at most `MAX_CHARACTERS`, and the pictures that it refers to by number.
    """
    names = {row.name for row in failed}
    texts: list[str] = []
    frames: list[Frame] = []
    if evidence.which == "held_out":
        if names - {"fast_enough", "same_answers"}:
            texts += filter(None, (_HIDDEN, _tolerance(evidence.early_frames)))
    else:
        failures = _varied(_failures(evidence, names, checks), max_examples)
        if failures:
            texts.append(_summary(evidence, checks))
        for number, failure in enumerate(failures, start=1):
            texts.append(_example(number, failure, len(frames) + 1))
            frames += [failure.episode.trajectory.frame(t) for t in failure.shown]
        if "robust" in names:
            texts.append(_brittle(failed))
    if "random_completes" in names and evidence.which != "held_out":
        texts.append(_often(evidence, checks))
    if "same_answers" in names:
        texts.append(_IMPURE)
    if "fast_enough" in names:
        texts.append(f"It is too slow: more than {checks.fast_enough.milliseconds:g} ms per picture.")
    return "\n\n".join(texts)[:MAX_CHARACTERS], tuple(frames)


def _example(number: int, failure: Failure, first: int) -> str:
    trajectory = failure.episode.trajectory
    named = ", ".join(f"picture {first + n} is frame {t}" for n, t in enumerate(failure.shown))
    what = trajectory.kind.replace("_", " ")
    return (
        f"Example {number}: {what} episode {trajectory.seed}, frames 0 to {failure.episode.last} ({named}). "
        f"{failure.text}"
    )


def _often(evidence: Evidence, checks: Checks) -> str:
    """What a small count does not show."""
    return (
        f"Of {len(evidence.randoms)} random episodes so few may complete every sub-task without accomplishing the task "
        f"that, at 95 % confidence, it is at most {checks.random_completes.at_most:.0%} of all."
    )


def _tolerance(early_frames: int) -> str:
    """Said where it cannot be read off the numbers."""
    if not early_frames:
        return ""
    return (
        "A picture may not tell the very moment at which the task is accomplished. The last sub-task has to be done "
        f"by the last frame of a successful episode, and may be done up to {early_frames} frames earlier: "
        "where two pictures that follow each other look alike, take both as done."
    )


def _brittle(failed: Sequence[Check]) -> str:
    listed = ", ".join(
        f"{row.trajectories.split('/')[-1].replace('_', ' ')} ({row.measured:.0%} the same)"
        for row in failed
        if row.name == "robust"
    )
    return (
        f"Its answers change when pictures are distorted a little: {listed}. Leave room around every colour and size "
        "that it compares with."
    )


def _summary(evidence: Evidence, checks: Checks) -> str:
    experts, randoms = evidence.experts, evidence.randoms
    early = evidence.early_frames
    before = f", or at most {early} frames before" if early else ""
    lines = [
        f"It was run on {len(experts)} expert episodes, which all accomplish the task by their last frame, and "
        f"on {len(randoms)} episodes of random actions. Expected: no sub-task done on frame 0; experts complete "
        f"every sub-task in order, and the last one on the last frame{before}; at most "
        f"{checks.random_completes.at_most:.0%} of the random episodes complete all of them. Found:"
    ]
    for name, group in (("expert", experts), ("random", randoms)):
        complete = sum(e.complete for e in group)
        lines.append(f"- {name} episodes: {complete} of {len(group)} complete, {_errors(group)}")
        for k, subtask in enumerate(evidence.program.subtasks):
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


def _failures(evidence: Evidence, names: set[str], checks: Checks) -> list[Failure]:
    """What the failed checks failed on; the most telling checks first, and mere consequences only by themselves."""
    for finders in (_FINDERS, _CONSEQUENCES):
        found = [f for name, find in finders.items() if name in names for f in find(evidence, checks)]
        if found:
            return found
    return []


def _with_errors(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for episode in evidence.episodes:
        if episode.error is not None:
            shown = (0, episode.error_frame) if episode.error_frame else (0,)
            text = f"Expected an answer, got an error: {episode.error}"
            yield Failure(("error", None), text, episode, shown)


def _at_start(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for k, subtask in enumerate(evidence.program.subtasks):
        for episode in (*evidence.experts, *evidence.randoms):
            if episode.done_at_start[k]:
                text = f"Expected `{subtask.name}` not done on frame 0, got done."
                yield Failure(("start", k), text, episode, (0,))


def _missed(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for k, subtask in enumerate(evidence.program.subtasks):
        for episode in evidence.experts:
            blocked = k > 0 and episode.done_at[k - 1] is None  # an earlier sub-task is what failed
            if episode.error is not None or episode.done_at[k] is not None or blocked:
                continue
            earlier = _when(evidence, episode) or "no sub-task was done"
            text = (
                f"Expected `{subtask.name}` to be done at some frame, got not done on every frame after the "
                f"earlier sub-tasks ({earlier})."
            )
            last = episode.last
            yield Failure(("missed", k), text, episode, (0, last // 3, 2 * last // 3, last))


def _early(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for episode in evidence.experts:
        if completes_early(episode, evidence.early_frames):
            at = episode.complete_at
            text = (
                f"Expected the last sub-task to be done on frame {episode.last}, when the task is accomplished, got "
                f"every sub-task done on frame {at} ({_when(evidence, episode)})."
            )
            yield Failure(("early", None), text, episode, (0, at, episode.last))


def _off_time(evidence: Evidence, checks: Checks) -> Iterator[Failure]:
    window = max(checks.expert_on_time.window, evidence.early_frames)
    for episode in evidence.experts:
        for k, offset in enumerate(offsets(episode) if episode.complete else ()):
            at = episode.done_at[k]
            if offset is not None and at is not None and abs(offset) > window:
                name, event = evidence.program.subtasks[k].name, at - offset
                text = (
                    f"Something happens between frames {event - 1} and {event} that `{name}` seems to be about. "
                    f"Expected it to be done within {window} frames of that, got done first on frame {at}."
                )
                yield Failure(("off time", k), text, episode, (0, event - 1, event, at))


def _untold(evidence: Evidence, checks: Checks) -> Iterator[Failure]:
    window = max(checks.events_told.window, evidence.early_frames)
    for episode in filter(lambda expert: expert.complete, evidence.experts):
        for number, done in enumerate(told(episode, window)):
            if not done:
                event = episode.trajectory.events[number]
                text = (
                    f"Something happens between frames {event - 1} and {event} that no sub-task is about. Expected "
                    f"a sub-task to be done within {window} frames of that, got {_when(evidence, episode)}."
                )
                yield Failure(("untold", number), text, episode, (0, event - 1, event))


def _undone(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for k, subtask in enumerate(evidence.program.subtasks):
        for episode in evidence.experts:
            at = episode.done_at[k]
            if at is None or episode.progress is None:
                continue
            gone = [t for t in range(at, episode.last + 1) if episode.progress[t, k] < 1.0]
            if gone:
                text = (
                    f"`{subtask.name}` was done on frame {at}. Expected it to stay done, as nothing is undone in this "
                    f"task, got not done on frame {gone[0]}."
                )
                yield Failure(("undone", k), text, episode, (0, at, gone[0]))


def _random(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for episode in evidence.randoms:
        if episode.complete:
            text = (
                f"Random actions completed every sub-task: {_when(evidence, episode)}. Expected this to be rare; "
                "check whether each of these frames really shows what was answered."
            )
            yield Failure(("random", None), text, episode, (0, episode.complete_at))


def _cut_off(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for episode in evidence.of(TRUNCATED):
        if episode.complete and not within_tolerance(episode, evidence):
            text = (
                f"An expert's episode, cut off before its task was done, completed every sub-task: "
                f"{_when(evidence, episode)}. Expected at least one not to be done yet."
            )
            yield Failure(("truncated", None), text, episode, (0, episode.complete_at))


def _near_miss(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    for episode in evidence.of(NEAR_MISS):
        if episode.complete and not episode.trajectory.success and not within_tolerance(episode, evidence):
            text = (
                "An episode that looks like success, but in which one decisive action was left out, or replaced by "
                f"another, and the task was never accomplished, completed every sub-task: {_when(evidence, episode)}. "
                "Expected at least one not to be done; look closely at each of these frames."
            )
            shown = dict.fromkeys((0, *(t for t in episode.done_at if t is not None)))
            yield Failure(("near miss", None), text, episode, tuple(shown)[:4])


def _near_miss_does(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    experts = complete_experts(evidence)
    for episode in evidence.of(NEAR_MISS):
        expert = experts.get(episode.trajectory.seed)
        if expert is None or episode.error is not None or episode.trajectory.success:
            continue
        for k, at in enumerate(episode.done_at):
            if event_of(expert, k) == episode.trajectory.missing and does_what_is_missing(episode, expert, k):
                text = (
                    f"The decisive action for `{evidence.program.subtasks[k].name}` was left out of this episode, or "
                    f"replaced by another. Expected it not to be done, got done on frame {at}."
                )
                yield Failure(("near miss does", k), text, episode, (0, at or 0))


def _exploit(evidence: Evidence, checks: Checks) -> Iterator[Failure]:
    limit = checks.exploits_pay_less.at_most * evidence.expert_return
    found = [e for e in evidence.of(*EXPLOITS) if e.returned > limit and not e.trajectory.success]
    for episode in sorted(found, key=lambda e: -e.returned):
        did = {
            "idle": "doing nothing",
            "spin": "the same small movement, over and over",
            "oscillate": "moving to and fro",
            "hold": "doing the first part and then waiting",
        }[episode.trajectory.kind]
        text = (
            f"Only {did} was paid {episode.returned:.2f}, experts who accomplish the task {evidence.expert_return:.2f} "
            f"({_when(evidence, episode) or 'no sub-task was done'}). Expected far less."
        )
        yield Failure(("exploit", None), text, episode, (0, episode.last))


def _unordered(evidence: Evidence, checks: Checks) -> Iterator[Failure]:  # noqa: ARG001
    lost = [e for e in evidence.episodes if e.error is None and not e.trajectory.success]
    for episode in sorted(lost, key=lambda e: -e.returned)[:2]:
        text = (
            f"This episode failed and was paid {episode.returned:.2f}, successful ones {evidence.expert_return:.2f} on "
            f"average ({_when(evidence, episode) or 'no sub-task was done'}). Expected failed episodes to be paid less."
        )
        yield Failure(("order", None), text, episode, (0, episode.last))


_FINDERS: dict[str, Callable[[Evidence, Checks], Iterator[Failure]]] = {
    "runs_without_error": _with_errors,
    "not_done_at_start": _at_start,
    "expert_completes": _missed,
    "expert_completes_early": _early,
    "random_completes": _random,
    "near_miss_completes": _near_miss,
    "near_miss_does": _near_miss_does,
    "truncated_completes": _cut_off,
    "expert_on_time": _off_time,
    "events_told": _untold,
    "stays_done": _undone,
}
_CONSEQUENCES: dict[str, Callable[[Evidence, Checks], Iterator[Failure]]] = {
    "exploits_pay_less": _exploit,
    "successes_outscore": _unordered,
}
"""A program that misses a sub-task fails these, too; they teach something where it fails nothing else."""


def _when(evidence: Evidence, episode: Episode) -> str:
    return ", ".join(
        f"`{subtask.name}` at frame {frame}"
        for subtask, frame in zip(evidence.program.subtasks, episode.done_at, strict=True)
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
