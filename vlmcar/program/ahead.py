"""Asks a program about frames without waiting, and no more than the reward needs.

While workers judge, the policy plays on. A pair (initial, frame) is asked once; what is known of it is kept. Where
sub-tasks count in order, only the first that is not done yet matters, and those after it once it is done: programs
are pure, so this changes no reward.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.program.judge import Judged, ProgramJudge
from vlmcar.program.sandbox import Asking, Worker
from vlmcar.program.worker.protocol import ALL
from vlmcar.types import Frame, Picture, Shown

Slots = NDArray[np.int64]


class _Question(NamedTuple):
    slot: int
    first: int
    """Sub-task to begin with, or ``ALL``."""
    initial: Picture
    frame: Picture


class _Flight(NamedTuple):
    """A request on its way."""

    worker: Worker
    asking: Asking
    questions: list[_Question]


class Ahead:
    """Answers of one program by **slot**: a pair's row in a table that fills as the worker gets on.

    Attributes:
        capacity: pairs that are kept; the least recently asked leave first.
    """

    def __init__(self, judge: ProgramJudge, least: int) -> None:
        """Ask nothing yet; ``least`` pairs are kept at any rate."""
        self.judge = judge
        self.capacity = max(judge.remember, least)
        self._slots: OrderedDict[tuple[bytes, bytes], int] = OrderedDict()
        self._answers = np.full((self.capacity, judge.num_subtasks), np.nan, dtype=np.float32)
        self._waiting: dict[tuple[int, int], _Question] = {}
        self._flights: dict[int, _Flight] = {}
        """By the number of the worker, the earliest first."""
        self._picked: list[tuple[Picture, Picture]] = []

    def ask(self, initial: Sequence[Picture], frames: Shown, first: NDArray[np.int64]) -> Slots:
        """See to it that these pairs are judged, and return at once.

        Args:
            initial: the first frame of each episode.
            frames: as many.
            first: int64 (pairs,), the sub-task whose answer is needed first, or ``ALL``.

        Returns:
            int64 (pairs,), for `answers`.
        """
        started = time.perf_counter()
        pairs = zip([picture.key for picture in initial], frames.keys, strict=True)
        slots = np.array([self._slot(pair) for pair in pairs], dtype=np.int64)
        unknown = np.isnan(self._answers[slots, np.maximum(first, 0)])
        unknown |= (first == ALL) & np.isnan(self._answers[slots]).any(axis=1)
        waiting = len(self._waiting)
        for i in np.flatnonzero(unknown).tolist():
            name = int(slots[i]), int(first[i])
            if name not in self._waiting:
                self._waiting[name] = _Question(*name, initial[i], frames.picture(i))
        self.judge.frames_remembered += len(slots) - (len(self._waiting) - waiting)
        for i in self.judge.to_audit(len(slots)).tolist():
            self._picked.append((initial[i], frames.picture(i)))
        self.judge.seconds += time.perf_counter() - started
        return slots

    def answers(self, slots: Slots) -> NDArray[np.float32]:
        """What is known by now: float32 (pairs, num_subtasks), NaN where nothing is."""
        return self._answers[slots]

    @property
    def idle(self) -> bool:
        """Whether nothing is asked that is not answered."""
        return not self._waiting and not self._flights

    def pump(self) -> None:
        """Take what the workers have answered, and give them what waits. Never blocks.

        Raises:
            ProgramError: there is no answer.
        """
        started = time.perf_counter()
        for number, flight in list(self._flights.items()):
            if not flight.worker.waiting(flight.asking):
                self._land(number)
        self._take_off()
        self.judge.seconds += time.perf_counter() - started

    def wait(self) -> None:
        """Until everything that was asked is answered.

        Raises:
            ProgramError: there is no answer.
        """
        started = time.perf_counter()
        while not self.idle:
            self._take_off()
            if self._flights:
                self._land(next(iter(self._flights)))
        self.judge.seconds += time.perf_counter() - started
        self._audit()

    def _slot(self, key: tuple[bytes, bytes]) -> int:
        slot = self._slots.get(key)
        if slot is not None:
            self._slots.move_to_end(key)
            return slot
        if len(self._slots) < self.capacity:
            slot = len(self._slots)
        else:
            _, slot = self._slots.popitem(last=False)
            self._answers[slot] = np.nan
        self._slots[key] = slot
        return slot

    def _take_off(self) -> None:
        """Share what waits among the workers that have nothing to do."""
        free = [number for number in range(self.judge.workers) if number not in self._flights]
        for place, number in enumerate(free):
            if self._waiting:
                self._send(number, -(-len(self._waiting) // (len(free) - place)))

    def _send(self, number: int, most: int) -> None:
        """Send a worker the questions that have waited longest, and are still open."""
        batch: list[_Question] = []
        for name in list(self._waiting)[: min(most, self.judge.sandbox.batch)]:
            question = self._waiting.pop(name)
            known = ~np.isnan(self._answers[question.slot])
            if not (known.all() if question.first == ALL else known[question.first]):
                batch.append(question)
            else:
                self.judge.frames_remembered += 1
        if batch:
            self.judge.frames_judged += len(batch)
            self._flights[number] = self._sent(number, batch)

    def _sent(self, number: int, batch: list[_Question], again: bool = True) -> _Flight:
        worker = self.judge.worker(batch[0].frame.shape, number)
        shared = worker.process.shared
        shared.make_room({question.initial.key for question in batch})
        _draw([question.frame for question in batch], shared.images[: len(batch)])
        for item, question in enumerate(batch):
            slot, new = shared.initial_slot(question.initial.key)
            if new:
                _draw([question.initial], shared.images[slot : slot + 1])
            shared.pairs[item] = slot, item, question.first
        try:
            return _Flight(worker, worker.send(len(batch)), batch)
        except ProgramError:  # it was lost while nobody looked
            if not again:
                raise
        return self._sent(number, batch, again=False)

    def _land(self, number: int) -> None:
        flight = self._flights.pop(number)
        for question, row in zip(flight.questions, self._received(number, flight), strict=True):
            answers = self._answers[question.slot]
            np.copyto(answers, row, where=~np.isnan(row))

    def _received(self, number: int, flight: _Flight, again: bool = True) -> NDArray[np.float32]:
        """The answers; where the worker was lost, those of a fresh one."""
        before = flight.worker.busy
        try:
            return flight.worker.receive(flight.asking)
        except ProgramError as error:
            error.index = None  # of a batch that nobody outside knows
            if flight.worker.alive or not again:
                raise
        finally:
            self.judge.cpu_seconds += flight.worker.busy - before
        return self._received(number, self._sent(number, flight.questions), again=False)

    def _audit(self) -> None:
        """Hand over what was picked, now that it is answered."""
        picked, self._picked = self._picked, []
        for initial, frame in picked:
            slot = self._slots.get((initial.key, frame.key))
            if slot is not None:  # not forgotten since
                self.judge.keep(Judged(_drawn(initial), _drawn(frame), self._answers[slot].copy()))


def _draw(pictures: Sequence[Picture], out: Any) -> None:
    pictures[0].draw_all(pictures, out)


def _drawn(picture: Picture) -> Frame:
    frames = np.empty((1, *picture.shape), dtype=np.uint8)
    _draw([picture], frames)
    return frames[0]
