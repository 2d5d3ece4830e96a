"""How a judge looks at a vector environment: at once, or ahead of when the reward needs its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.ahead import Ahead
from vlmcar.program.frames import ShownPixels
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.worker.protocol import ALL
from vlmcar.types import Frames, Judge, Picture, Shown, TruthJudge

Mask = NDArray[np.bool_]
"""(num_envs,)"""
TOGETHER = 8
"""Steps of all environments."""


class Look(Protocol):
    """What a judge says of one step of all environments, now or later."""

    def progress(self, count: NDArray[np.int64], wait: bool) -> NDArray[np.float32] | None:
        """float32 (num_envs, num_subtasks), or ``None`` while it is not known.

        Args:
            count: sub-tasks done in order before this step; what is not needed on top of that may be 0.
            wait: until it is known.
        """


class Seen(NamedTuple):
    """Answers that are there."""

    values: NDArray[np.float32]

    def progress(self, count: NDArray[np.int64], wait: bool) -> NDArray[np.float32]:  # noqa: ARG002
        return self.values


class AtOnce:
    """Asks for every answer when the frame is there, every ``ask_every`` steps of an episode and at its end.

    In between the last answer holds.
    """

    def __init__(self, source: Any, judge: Judge | TruthJudge, reward: Any, ask_every: int) -> None:
        self._source = source
        self._judge = judge
        self._ask_every = ask_every
        self._needs_initial_progress = bool(reward.needs_initial_progress)
        self._steps = np.zeros(source.num_envs, dtype=np.int64)  # in the running episode
        self._progress = np.zeros((source.num_envs, judge.num_subtasks), dtype=np.float32)

    def start(self, which: Mask) -> NDArray[np.float32]:
        """Progress at the first frames of new episodes; 0 where the reward does not need it."""
        self._steps[which] = 0
        self._progress[which] = 0.0
        if self._needs_initial_progress:
            self._progress[which] = self._ask("reset_frames", "reset_frames", "reset_truth", which)
        return self._progress.copy()

    def step(self, dones: Mask) -> Look:
        """At where the last actions led to."""
        self._steps += 1
        due = dones | (self._steps % self._ask_every == 0)
        if due.any():
            self._progress[due] = self._ask("initial", "frames", "truth", due)
        return Seen(self._progress.copy())

    def pump(self, steps_left: int) -> None:
        """Nothing is under way."""

    def wait(self) -> None:
        """Nothing is under way."""

    def settled(self, count: NDArray[np.int64], dones: Mask) -> None:
        """Nothing depends on it."""

    def state(self) -> dict[str, Any]:
        """What `set_state` needs."""
        return {"steps": self._steps, "progress": self._progress}

    def set_state(self, state: Mapping[str, Any], count: NDArray[np.int64]) -> None:  # noqa: ARG002
        """Go on in the middle of episodes."""
        self._steps, self._progress = state["steps"], state["progress"]

    def _ask(self, initial: str, frames: str, truth: str, which: Mask) -> NDArray[np.float32]:
        """The judge's answers where ``which``, about arrays of the environment by name."""
        shown = getattr(self._source, initial), getattr(self._source, frames)
        first, now = shown if which.all() else (array[which] for array in shown)
        if isinstance(self._judge, TruthJudge):
            so = {name: values[which] for name, values in getattr(self._source, truth).items()}
            return self._judge.progress_given(first, now, so)
        return self._judge.progress(first, now)


class Early:
    """Asks a program while the policy plays on, in the order in which sub-tasks count unless the reward needs all.

    Steps are looked at a few at a time: what takes a moment per call is then shared by them.
    """

    def __init__(self, source: Any, judge: ProgramJudge, reward: Any) -> None:
        self.ahead = Ahead(judge, least=4 * source.num_envs)
        self.needs_all = bool(reward.needs_all_progress)
        self._source = source if hasattr(source, "look") else _Arrays(source)
        self._needs_initial_progress = bool(reward.needs_initial_progress)
        self._num_subtasks = judge.num_subtasks
        self._initial: list[Picture] = [None] * source.num_envs  # type: ignore[list-item]
        self._count = np.zeros(source.num_envs, dtype=np.int64)
        """The sub-tasks of the running episodes that are known to be done."""
        self._ended, self._settled = np.zeros((2, source.num_envs), dtype=np.int64)
        """Episodes that ended, and those whose end is paid."""
        self._block = Block(self)

    def start(self, which: Mask) -> NDArray[np.float32]:
        """Progress at the first frames of new episodes, waited for; 0 where the reward does not need it."""
        envs = np.flatnonzero(which)
        shown = self._source.shown([self._source.first_look(envs)])
        pictures = [shown.picture(place) for place in range(len(envs))]
        for i, picture in zip(envs.tolist(), pictures, strict=True):
            self._initial[i] = picture
        self._count = np.where(which, 0, self._count)  # not in place: blocks hold the old one
        progress = np.zeros((len(which), self._num_subtasks), dtype=np.float32)
        if self._needs_initial_progress:
            slots = self.ahead.ask(pictures, shown, np.full(len(envs), ALL))
            self.ahead.wait()
            progress[envs] = self.ahead.answers(slots)
        return progress

    def step(self, dones: Mask) -> Look:
        """At where the last actions led to."""
        self._ended += dones
        first = np.full_like(self._count, ALL) if self.needs_all else self._count
        return self._block.add(self._source.look(), list(self._initial), first)

    def pump(self, steps_left: int) -> None:
        """Let the worker get on, without waiting for it; what comes last is asked at once, since it will be awaited."""
        if len(self._block.looks) >= TOGETHER or steps_left < TOGETHER:
            self.flush()
        self.ahead.pump()

    def wait(self) -> None:
        """For all that was asked."""
        self.flush()
        self.ahead.wait()

    def state(self) -> dict[str, Any]:
        """What `set_state` needs beyond the environment and ``count``; everything is answered."""
        return {}

    def set_state(self, state: Mapping[str, Any], count: NDArray[np.int64]) -> None:  # noqa: ARG002
        """Go on in the middle of episodes, in which ``count`` sub-tasks are done in order."""
        everyone = np.arange(len(count))
        shown = self._source.shown([self._source.first_look(everyone)])
        self._initial = [shown.picture(i) for i in everyone.tolist()]
        self.settled(count, np.zeros(len(count), dtype=bool))

    def flush(self) -> None:
        """Ask about the steps that have come together."""
        block = self._block
        if block.looks:
            self._block = Block(self)
            block.ask(self._source.shown(block.looks))

    def settled(self, count: NDArray[np.int64], dones: Mask) -> None:
        """Up to here is paid: ``count`` sub-tasks are done in episodes that did not end since."""
        self._settled += dones
        self._count = np.where(self._settled == self._ended, np.minimum(count, self._num_subtasks - 1), 0)


class _Arrays:
    """Looks at an environment that draws every frame itself."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def look(self) -> Frames:
        return np.array(self._source.frames)  # a copy: it may be drawn over

    def first_look(self, envs: NDArray[np.int64]) -> Frames:
        return np.array(self._source.reset_frames[envs])

    def shown(self, looks: Sequence[Frames]) -> ShownPixels:
        return ShownPixels(np.concatenate(looks))


class Block:
    """Several steps that are asked about together."""

    def __init__(self, early: Early) -> None:
        self.early = early
        self.looks: list[Any] = []
        self.initial: list[Picture] = []
        self._first: list[NDArray[np.int64]] = []
        self.shown: Shown | None = None
        self.slots = np.empty(0, dtype=np.int64)

    def add(self, look: Any, initial: list[Picture], first: NDArray[np.int64]) -> Asked:
        """One more step, of as many environments as there are ``initial`` pictures."""
        begin = len(self.initial)
        self.looks.append(look)
        self.initial += initial
        self._first.append(first)
        return Asked(self, slice(begin, begin + len(initial)))

    def ask(self, shown: Shown) -> None:
        self.shown = shown
        self.slots = self.early.ahead.ask(self.initial, shown, np.concatenate(self._first))

    def ask_again(self, places: NDArray[np.int64], first: NDArray[np.int64]) -> None:
        """About some of its frames, from another sub-task on."""
        assert self.shown
        some = _Some(self.shown, places.tolist())
        self.early.ahead.ask([self.initial[place] for place in places], some, first)


class _Some:
    """Some of what is shown."""

    def __init__(self, shown: Shown, places: list[int]) -> None:
        self.keys = [shown.keys[place] for place in places]
        self._shown = shown
        self._places = places

    def picture(self, i: int) -> Picture:
        return self._shown.picture(self._places[i])


class Asked:
    """One step of a block, whose answers come when they come."""

    def __init__(self, block: Block, part: slice) -> None:
        self._block = block
        self._part = part

    def progress(self, count: NDArray[np.int64], wait: bool) -> NDArray[np.float32] | None:
        block, ahead = self._block, self._block.early.ahead
        if block.shown is None:
            if not wait:
                return None
            block.early.flush()
        while True:
            answers = ahead.answers(block.slots[self._part])
            missing, first = self._missing(answers, count)
            if not missing.any():
                return np.where(np.isnan(answers), np.float32(0), answers)
            if wait or ahead.idle:  # nobody knew that it would be needed
                block.ask_again(self._part.start + np.flatnonzero(missing), first[missing])
            if not wait:
                return None
            ahead.wait()

    def _missing(
        self, answers: NDArray[np.float32], count: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Where an answer is needed that is not there, and from which sub-task on."""
        unknown = np.isnan(answers)
        if self._block.early.needs_all:
            return unknown.any(axis=1), np.full(len(answers), ALL)
        column = np.arange(answers.shape[1])
        reached = np.logical_and.accumulate((column < count[:, None]) | (answers >= 1), axis=1).sum(axis=1)
        last = np.minimum(reached, answers.shape[1] - 1)
        return (reached < answers.shape[1]) & unknown[np.arange(len(answers)), last], last
