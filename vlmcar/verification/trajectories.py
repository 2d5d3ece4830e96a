"""The episodes that programs are verified on: experts, random play, and what resembles success without being it.

Nothing here looks at the simulator's state. Everything follows from experts' actions, from what the actions are good
for (`Task.moves`), and from the environment's own success.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlmcar.types import Frame, Frames, Task, Trajectory

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


@dataclass(frozen=True)
class Counts:
    """How many episodes of each kind a set has."""

    experts: int
    randoms: int
    random_steps: int
    negatives: int
    """Experts from which truncated episodes, near misses, exploits and mixed-up episodes are made."""
    exploit_steps: int
    """For how long an exploiting policy goes on."""


def make_set(task: Task, first_seed: int, counts: Counts) -> Iterator[Kept]:
    """All episodes of one set, experts first; seeds go up from ``first_seed``, experts before random play."""
    experts: list[Kept] = []
    for seed in range(first_seed, first_seed + counts.experts):
        trajectory = task.expert(seed)
        expert = keep(trajectory, events_of(task, trajectory))
        if len(experts) < counts.negatives:
            experts.append(expert)
        yield expert
    first_random = first_seed + counts.experts
    for seed in range(first_random, first_random + counts.randoms):
        yield keep(task.random(seed, counts.random_steps))
    for number, expert in enumerate(experts):
        yield from _truncated(expert)
        yield from _near_misses(task, expert, number)
        yield from _exploits(task, expert, counts.exploit_steps)
    for expert, other in zip(experts, experts[1:] + experts[:1], strict=True):
        yield _foreign(expert, other)


def events_of(task: Task, expert: Trajectory) -> list[int]:
    """Frames after an interaction, and the last one."""
    after = [t + 1 for t, action in enumerate(expert.actions.tolist()) if action in task.moves.interactions]
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


def _near_misses(task: Task, expert: Kept, number: int) -> Iterator[Kept]:
    """All that the expert does, but for one event: it walks to the key and does not take it, or does something else.

    What it does instead goes round with the ``number`` of the expert and the event: nothing, or another interaction.
    """
    actions = expert.trajectory.actions.tolist()
    for missing, event in enumerate(expert.events):
        right = actions[event - 1]
        others = sorted(task.moves.interactions - {right}) if right in task.moves.interactions else []
        instead = [task.moves.idle, *others]
        wrong = instead[(number + missing) % len(instead)]
        replayed = task.replay(expert.seed, [*actions[: event - 1], wrong, *actions[event:]], NEAR_MISS)
        yield keep(replayed, expert.events[:missing], missing)


def _exploits(task: Task, expert: Kept, steps: int) -> Iterator[Kept]:
    """Idle, spin and oscillate from the start; and hold what each event gave, turning on the spot."""
    assert task.moves.back_and_forth
    idle, (back, forth) = task.moves.idle, task.moves.back_and_forth
    actions = expert.trajectory.actions.tolist()
    yield keep(task.replay(expert.seed, [idle] * steps, "idle"))
    yield keep(task.replay(expert.seed, [back] * steps, "spin"))
    yield keep(task.replay(expert.seed, [back, forth] * (steps // 2), "oscillate"))
    for number, event in enumerate(expert.events[:-1], start=1):
        held = [*actions[:event], *[back, forth, idle] * (steps // 3)]
        yield keep(task.replay(expert.seed, held, "hold"), expert.events[:number])
