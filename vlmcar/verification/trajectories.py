"""The episodes that programs are verified on: experts, random play, and what resembles success without being it.

Nothing here looks at the simulator's state. Everything follows from experts' actions, from what the actions are good
for (`Task.moves`), and from the environment's own success.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from vlmcar.types import Frame, Frames, NotAvailable, Task, Trajectory

EXPERT, RANDOM, TRUNCATED, NEAR_MISS, FOREIGN = "expert", "random", "truncated", "near_miss", "foreign"
EXPLOITS = ("idle", "spin", "oscillate", "hold")


@dataclass(frozen=True)
class Kept:
    """A trajectory in little memory: frames are compressed, and given back one by one or all together."""

    trajectory: Trajectory
    """Without its frames: ``frames`` is empty."""
    blobs: tuple[bytes, ...]
    shape: tuple[int, ...]
    events: tuple[int, ...]
    """Frames on which something had just happened: after an expert's interaction, and its last frame."""
    missing: int | None = None
    """Of a near miss: which of its expert's events it goes without."""

    @property
    def kind(self) -> str:
        return self.trajectory.kind

    @property
    def seed(self) -> int:
        return self.trajectory.seed

    @property
    def success(self) -> bool:
        return self.trajectory.success

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.blobs)

    def frame(self, number: int) -> Frame:
        return np.frombuffer(zlib.decompress(self.blobs[number]), np.uint8).reshape(self.shape)

    def frames(self) -> Frames:
        """uint8 (steps + 1, height, width, 3)."""
        return np.stack([self.frame(number) for number in range(len(self))])

    def whole(self) -> Trajectory:
        return replace(self.trajectory, frames=self.frames())


def keep(trajectory: Trajectory, events: Sequence[int] = (), missing: int | None = None) -> Kept:
    """Compress a trajectory."""
    blobs = tuple(zlib.compress(frame.tobytes(), 1) for frame in trajectory.frames)
    shape = trajectory.frames.shape[1:]
    return Kept(replace(trajectory, frames=trajectory.frames[:0]), blobs, shape, tuple(events), missing)


class Seeds(NamedTuple):
    """Which episodes belong to a set, as the task's ``expert`` and ``random`` take them."""

    experts: range
    randoms: range
    levels: range
    """Whose start is played where a recorded expert's cannot be."""

    @classmethod
    def from_levels(cls, levels: range, experts: int) -> Seeds:
        """The first ones are experts', the others those of random play."""
        return cls(levels[:experts], levels[experts:], levels)


@dataclass(frozen=True)
class Counts:
    """Which episodes a set has besides experts and random play."""

    random_steps: int
    negatives: int
    """Experts from which truncated episodes, near misses, exploits and mixed-up episodes are made."""
    exploit_steps: int
    """For how long an exploiting policy goes on."""


class Made(NamedTuple):
    """The episodes of one set."""

    episodes: list[Kept]
    missing: dict[str, str]
    """Kind of episode that this task cannot give -> why not."""


def make_set(task: Task, seeds: Seeds, counts: Counts) -> Made:
    """All episodes of one set: experts, random play, and then what is made of experts."""
    missing: dict[str, str] = {}
    # A bar on terminals only.
    shown = tqdm(_made(task, seeds, counts, missing), "episodes", disable=None, leave=False)
    return Made(list(shown), missing)


def _made(task: Task, seeds: Seeds, counts: Counts, missing: dict[str, str]) -> Iterator[Kept]:
    experts: list[Kept] = []
    for seed in seeds.experts:
        trajectory = task.expert(seed)
        expert = keep(trajectory, events_of(task, trajectory))
        if len(experts) < counts.negatives:
            experts.append(expert)
        yield expert
    for seed in seeds.randoms:
        yield keep(task.random(seed, counts.random_steps))
    if not seeds.randoms:
        missing[RANDOM] = "there are no episodes of random play"
    for number, expert in enumerate(experts):
        yield from _truncated(expert)
        yield from _near_misses(task, expert, number, missing)
        yield from _exploits(task, expert, seeds.levels[number], counts.exploit_steps, missing)
    if len({expert.shape for expert in experts}) == 1:
        for expert, other in zip(experts, experts[1:] + experts[:1], strict=True):
            yield _foreign(expert, other)


def events_of(task: Task, expert: Trajectory) -> list[int]:
    """Frames after an interaction, and the last one."""
    after = [t + 1 for t, action in enumerate(expert.actions.tolist()) if _interacts(task, action)]
    return sorted({*after, len(expert.frames) - 1})


def _truncated(expert: Kept) -> Iterator[Kept]:
    """The expert's episode cut off right before each event."""
    for event in expert.events:
        yield Kept(
            replace(
                expert.trajectory,
                actions=expert.trajectory.actions[: event - 1],
                rewards=expert.trajectory.rewards[: event - 1],
                success=False,
                kind=TRUNCATED,
            ),
            expert.blobs[:event],
            expert.shape,
            tuple(e for e in expert.events if e < event),
        )


def _foreign(expert: Kept, other: Kept) -> Kept:
    """The first frame of one level, and then what happens on another: belongs to no episode."""
    return replace(
        other,
        trajectory=replace(other.trajectory, success=False, kind=FOREIGN),
        blobs=(expert.blobs[0], *other.blobs[1:]),
        events=(),
    )


def _near_misses(task: Task, expert: Kept, number: int, missing: dict[str, str]) -> Iterator[Kept]:
    """All that the expert does, but for one event: it walks to the key and does not take it, or does something else.

    What it does instead goes round with the ``number`` of the expert and the event: nothing, or another interaction.
    """
    if why := _cannot_change(task):
        missing[NEAR_MISS] = why
        return
    actions = expert.trajectory.actions.tolist()
    for omitted, event in enumerate(expert.events):
        right = actions[event - 1]
        others = sorted(task.moves.interactions - {right}) if _interacts(task, right) else []
        instead = [task.moves.idle, *others]
        wrong = instead[(number + omitted) % len(instead)]
        try:
            replayed = task.replay(expert.seed, [*actions[: event - 1], wrong, *actions[event:]], NEAR_MISS)
        except NotAvailable as why:
            missing[NEAR_MISS] = str(why)
            return
        yield keep(replayed, expert.events[:omitted], omitted)


def _exploits(task: Task, expert: Kept, level: int, steps: int, missing: dict[str, str]) -> Iterator[Kept]:
    """Idle, spin and oscillate from the start; and hold what each event gave, turning on the spot."""
    idle, both_ways = task.moves.idle, task.moves.back_and_forth
    start = level if task.demonstrations is not None else expert.seed
    acted: dict[str, list[Any] | str] = {
        "idle": _no_idle(task) or [idle] * steps,
        "spin": [both_ways[0]] * steps if both_ways else _NO_WAY_BACK,
        "oscillate": [*both_ways] * (steps // 2) if both_ways else _NO_WAY_BACK,
    }
    for kind, actions in acted.items():
        yield from _acted(task, start, actions, kind, (), missing)
    won = expert.trajectory.actions.tolist()
    for number, event in enumerate(expert.events[:-1], start=1):
        held = [*won[:event], *[*(both_ways or ()), idle] * (steps // 3)]
        yield from _acted(
            task, expert.seed, _cannot_change(task) or held, "hold", expert.events[:number], missing
        )


def _acted(
    task: Task,
    level: int,
    actions: list[Any] | str,
    kind: str,
    events: Sequence[int],
    missing: dict[str, str],
) -> Iterator[Kept]:
    """An episode of these actions, or the reason why there are none."""
    if isinstance(actions, str):
        missing[kind] = actions
        return
    try:
        yield keep(task.replay(level, actions, kind), events)
    except NotAvailable as why:
        missing[kind] = str(why)


_NO_WAY_BACK = "which two actions undo one another is not known (env.actions.back_and_forth)"


def _no_idle(task: Task) -> str:
    return "" if task.moves.idle is not None else "which action does nothing is not known (env.actions.idle)"


def _cannot_change(task: Task) -> str:
    """Why an expert's episode cannot be acted out with other actions in places; empty if it can."""
    if task.demonstrations is not None:
        return "recorded demonstrations cannot be acted out again"
    return _no_idle(task)


def _interacts(task: Task, action: Any) -> bool:
    return isinstance(action, int) and action in task.moves.interactions
