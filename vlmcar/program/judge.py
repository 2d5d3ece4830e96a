"""The judge made of a program: distinct frames go to the sandbox, everything else is remembered."""

from __future__ import annotations

import time
from collections import OrderedDict
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.program.frames import batches, digest
from vlmcar.program.process import Process
from vlmcar.program.sandbox import Sandbox, Worker
from vlmcar.types import Frame, Frames, Program, VlmcarError

Shape = tuple[int, int, int]


class Judged(NamedTuple):
    """A frame that has been judged before."""

    initial: Frame
    frame: Frame
    answer: NDArray[np.float32]
    """(num_subtasks,), NaN for what was not asked."""


class ProgramJudge:
    """Judges frames with one program; implements `vlmcar.types.Judge`.

    A program is pure, so a pair (initial, frame) seen before is answered from memory. The worker starts
    with the first call, when the frame shape is known; a new shape gets its own. Beside it a spare process waits
    without a program, so that one that is lost is replaced within milliseconds. After `close`, another call
    starts again. Not for use from two threads; a worker ends with the thread that started it.

    Attributes:
        frames_judged: pairs that the program was run on.
        frames_remembered: pairs answered without running it.
        seconds: wall time spent in `progress`.
        cpu_seconds: CPU time that the program's answers took.
    """

    def __init__(
        self,
        program: Program,
        sandbox: Sandbox,
        remember: int = 50_000,
        hot_spare: bool = True,
        workers: int = 1,
    ) -> None:
        """Start nothing yet.

        Args:
            program: what judges.
            sandbox: how it is run.
            remember: answers kept at most; the least recently used leave first.
            hot_spare: keep a spare process; worth it for more than a few seconds of judging.
            workers: how many may judge side by side, for who asks ahead (``vlmcar.program.ahead``).
        """
        self.program = program
        self.sandbox = sandbox
        self.remember = remember
        self.hot_spare = hot_spare
        self.workers = workers
        self.num_subtasks = len(program.subtasks)
        self.frames_judged = 0
        self.frames_remembered = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self._memory: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._workers: dict[tuple[Shape, int], Worker] = {}
        self._spares: dict[Shape, Process] = {}

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """Progress of each sub-task on each frame.

        Args:
            initial: uint8 (batch, height, width, 3) RGB, 0-255: the first frame of each episode.
            frames: uint8 (batch, height, width, 3) RGB, 0-255.

        Returns:
            float32 (batch, num_subtasks) in [0, 1].

        Raises:
            ProgramScreened, ProgramCrashed, ProgramTimedOut: there is no answer for the batch.
            VlmcarError: wrong shape or dtype, or the sandbox cannot start.
        """
        started = time.perf_counter()
        try:
            return self._progress(*batches(initial, frames))
        finally:
            self.seconds += time.perf_counter() - started

    def to_audit(self, count: int) -> NDArray[np.int64]:  # noqa: ARG002
        """Which of so many frames shall be kept; here none."""
        return np.empty(0, dtype=np.int64)

    def keep(self, judged: Judged) -> None:
        """Take what was chosen by `to_audit`."""

    def close(self) -> None:
        """Kill the workers and forget the answers; safe to call twice."""
        for worker in self._workers.values():
            worker.close()
        for spare in self._spares.values():
            spare.close()
        self._workers.clear()
        self._spares.clear()
        self._memory.clear()

    def __enter__(self) -> ProgramJudge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        keys = [digest(first) + digest(frame) for first, frame in zip(initial, frames, strict=True)]
        new: dict[bytes, int] = {}  # key -> the first item that has it
        answers = np.empty((len(frames), self.num_subtasks), np.float32)
        for item, key in enumerate(keys):
            if key in self._memory:
                self._memory.move_to_end(key)
                answers[item] = self._memory[key]
            else:
                new.setdefault(key, item)
        if new:
            judged = dict(zip(new, self._judge(initial, frames, list(new.values())), strict=True))
            for item, key in enumerate(keys):
                if key in judged:
                    answers[item] = judged[key]
            self._keep(judged)
        self.frames_judged += len(new)
        self.frames_remembered += len(frames) - len(new)
        return answers

    def _judge(self, initial: Frames, frames: Frames, items: list[int]) -> NDArray[np.float32]:
        """float32 (items, num_subtasks), from a worker."""
        if len(items) < len(frames):
            initial, frames = initial[items], frames[items]
        try:
            return self._run(initial, frames)
        except ProgramError as error:
            if error.index is not None:
                error.index = items[error.index]
            raise

    def _run(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """Run the batch; where the worker was lost, once more in a fresh one.

        An exception that a healthy worker reports is final, because the program would raise it again.
        """
        height, width, channels = frames.shape[1:]
        shape = (height, width, channels)
        worker = self.worker(shape)
        try:
            return self._timed(worker, initial, frames)
        except ProgramError:
            if worker.alive:
                raise
        return self._timed(self.worker(shape), initial, frames)

    def _timed(self, worker: Worker, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        before = worker.busy
        try:
            return worker.run(initial, frames)
        finally:
            self.cpu_seconds += worker.busy - before

    def worker(self, shape: Shape, number: int = 0) -> Worker:
        """One of the workers for frames of this shape, started if it does not live."""
        worker = self._workers.get((shape, number))
        if worker is None or not worker.alive:
            worker = self._workers[shape, number] = self._started(shape, self._spare(shape))
            if self.hot_spare:
                self._spares[shape] = self.sandbox.spawn(shape)
        return worker

    def _started(self, shape: Shape, spare: Process | None) -> Worker:
        """A worker; where a spare was lost after it had said that it is ready, a fresh one."""
        try:
            return self.sandbox.start(self.program, shape, spare)
        except ProgramError:
            if spare is None:
                raise
        return self.sandbox.start(self.program, shape)

    def _spare(self, shape: Shape) -> Process | None:
        spare = self._spares.pop(shape, None)
        if spare is not None:
            try:
                spare.ready(self.sandbox.startup_seconds)
            except VlmcarError:  # it was lost while it waited; a fresh one may do
                return None
        return spare

    def _keep(self, judged: dict[bytes, NDArray[np.float32]]) -> None:
        self._memory.update(judged)
        while len(self._memory) > self.remember:
            self._memory.popitem(last=False)
