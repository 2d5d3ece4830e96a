"""Runs a program in a locked-down process of its own, with limits and a deadline.

The trainer never imports, compiles or unpickles anything a VLM wrote. It writes frames into shared memory, sends a
fixed struct over a pipe, and checks every byte of what comes back. An error is never read as False or 0.
What is promised, and what is not, stands in SECURITY.md.
"""

from __future__ import annotations

import functools
import math
import platform
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramAnsweredWrongly, ProgramCrashed, ProgramError, ProgramScreened
from vlmcar.program.frames import batches
from vlmcar.program.process import WALL_TIMES, Asked, Deadline, Process, Response, broken
from vlmcar.program.screening import screen
from vlmcar.program.worker import protocol
from vlmcar.types import ConfigError, Frames, Program, VlmcarError

LAYERS = frozenset(protocol.LAYERS)
"""What workers are locked down with, where the system has it."""
REQUIRED = frozenset({"limits", "seccomp"})
"""Without these no program runs, unless ``allow_weak``."""
GRACE_SECONDS = 1.0
"""Part of every deadline: the first call of many a function of OpenCV takes longer."""

FAILURES = {protocol.CRASHED: ProgramCrashed, protocol.WRONG: ProgramAnsweredWrongly}


@dataclass
class Sandbox:
    """How programs are run: one worker process per program, started clean, limited and locked down."""

    startup_seconds: float
    """Wall time from a new process to one that is locked down: importing numpy and cv2."""
    frame_seconds: float
    """CPU time per frame, all sub-tasks together. A request of n <= `batch` frames must be answered within
    1 s + n * frame_seconds, copying included, and within five times that on the wall; one slow frame may use what
    the others leave."""
    memory_mb: int
    """Address space (MiB) a program may take beyond what its process has once numpy and cv2 are imported."""
    batch: int
    """Most frames per request; a larger batch is judged in chunks. Shared memory holds 2 * batch frames."""
    allow_weak: bool
    """Run programs even where the system cannot lock their processes down: no seccomp, or not Linux."""

    def __post_init__(self) -> None:
        for name, value in (("startup_seconds", self.startup_seconds), ("frame_seconds", self.frame_seconds)):
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"sandbox.{name}={value} must be a positive, finite number of seconds")
        if self.memory_mb < 64:
            raise ConfigError(f"sandbox.memory_mb={self.memory_mb} must be at least 64, or cv2 cannot work")
        if not 1 <= self.batch <= 4096:
            raise ConfigError(
                f"sandbox.batch={self.batch} must be 1 to 4096: that many frames lie in shared memory"
            )

    def level(self) -> str:
        """How far a worker is locked down here, measured once: such as ``seccomp+landlock``, or ``process``.

        Raises:
            VlmcarError: no worker can start, or less than required holds and `allow_weak` is false.
        """
        return _measured_level(self.startup_seconds, self.memory_mb, self.allow_weak, LAYERS)

    def spawn(self, shape: tuple[int, int, int]) -> Process:
        """Start a process that has no program yet, without waiting for it: a spare for `start`."""
        return Process(shape, self.batch, self.memory_mb, LAYERS)

    def start(self, program: Program, shape: tuple[int, int, int], spare: Process | None = None) -> Worker:
        """Screen the program and load it in a process of its own.

        Args:
            program: what the VLM wrote.
            shape: (height, width, 3) of every frame that this worker will judge.
            spare: from `spawn`, for the same shape, never used; ``None``: start one.

        Raises:
            ProgramScreened: the source breaks the contract; nothing was started.
            ProgramCrashed, ProgramTimedOut: the module's body raised, or did not end in time.
            VlmcarError: the worker could not start, or cannot be locked down as required.
        """
        if problems := screen(program.source, program.subtasks):
            raise ProgramScreened(problems)
        return Worker(self, program, spare or self.spawn(shape))

    def admit(self, process: Process) -> str:
        """Wait for a process; its level, if that will do.

        Raises:
            VlmcarError: as `level`.
        """
        held = process.ready(self.startup_seconds)
        if not (held >= REQUIRED or self.allow_weak):
            process.close()
            raise VlmcarError(
                f"programs are not run here: {_missing(held)}, so that a program could read your files, use your "
                "network and signal your processes. sandbox.allow_weak=true runs them all the same, in a plain "
                "process of their own: only for programs that you have read. SECURITY.md says more"
            )
        return level_name(held)


def level_name(held: frozenset[str]) -> str:
    """What filters hold; ``process`` is an own process with limits and no filter."""
    return "+".join(name for name in ("seccomp", "landlock") if name in held) or "process"


def _missing(held: frozenset[str]) -> str:
    if platform.system() != "Linux":
        return f"{platform.system()} has no seccomp, which filters what a process may ask of the system"
    lacking = " and ".join(sorted(REQUIRED - held))
    return f"{lacking} did not hold on this kernel ({platform.machine()}, Linux {platform.release()})"


@functools.cache
def _measured_level(startup_seconds: float, memory_mb: int, allow_weak: bool, layers: frozenset[str]) -> str:
    sandbox = Sandbox(startup_seconds, 1.0, memory_mb, 1, allow_weak)
    process = Process((8, 8, 3), 1, memory_mb, layers)
    try:
        return sandbox.admit(process)
    finally:
        process.close()


class Asking(NamedTuple):
    """Frames that a worker is looking at."""

    n: int
    asked: Asked


class Worker:
    """One process with one loaded program. Made by `Sandbox.start`; use from one thread of one process."""

    def __init__(self, sandbox: Sandbox, program: Program, process: Process) -> None:
        self.sandbox = sandbox
        self.program = program
        self.process = process
        self._names = [subtask.name for subtask in program.subtasks]
        try:
            self.level = sandbox.admit(process)
            process.load(program.source, self._names, self._limit(1))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.alive

    @property
    def busy(self) -> float:
        """Seconds of CPU time that its answers took so far."""
        return self.process.busy

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.process.shape

    def run(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """Judge each frame.

        Args:
            initial: uint8 (batch, height, width, 3) RGB, 0-255.
            frames: uint8 (batch, height, width, 3) RGB, 0-255.

        Returns:
            float32 (batch, num_subtasks) in [0, 1].

        Raises:
            ProgramCrashed: raised (the worker lives on), or its process ended.
            ProgramAnsweredWrongly: returned something that is no answer; the worker lives on.
            ProgramTimedOut: missed its deadline; the worker was killed.
            VlmcarError: wrong shape or dtype, or the worker was closed before.
        """
        initial, frames = batches(initial, frames)
        if frames.shape[1:] != self.shape:
            raise VlmcarError(f"this worker judges frames of shape {self.shape}, not {frames.shape[1:]}")
        if not self.process.usable:
            raise VlmcarError("this worker was closed, or belongs to the process that forked this one")
        answers = np.empty((len(frames), len(self._names)), np.float32)
        for start in range(0, len(frames), self.sandbox.batch):
            chunk = slice(start, start + self.sandbox.batch)
            try:
                answers[chunk] = self._judge(initial[chunk], frames[chunk])
            except ProgramError as error:
                if error.index is not None:
                    error.index += start
                raise
        return answers

    def close(self) -> None:
        """Kill and reap the process, unmap the memory. Safe to call twice."""
        self.process.close()

    def _judge(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """float32 (batch, num_subtasks) for at most ``sandbox.batch`` frames."""
        self.process.shared.put(initial, frames)
        return self.receive(self.send(len(frames)))

    def send(self, n: int) -> Asking:
        """Ask about the first `n` pairs in shared memory, and return at once."""
        try:
            return Asking(n, self.process.send(n, 0, self._limit(n)))
        except BaseException:
            self.close()
            raise

    def waiting(self, asking: Asking) -> bool:
        """Whether `receive` would have to wait."""
        return self.process.waiting(asking.asked)

    def receive(self, asking: Asking) -> NDArray[np.float32]:
        """Wait for the answers: float32 (n, num_subtasks), NaN for what was not asked."""
        n = asking.n
        try:
            outcome = self._outcome(self.process.receive(asking.asked), n)
        except BaseException as error:  # also Ctrl-C: the worker's state is unknown
            if isinstance(error, ProgramError):
                error.index, error.subtask = self._place(*self.process.where(), n)
            self.close()
            raise
        if isinstance(outcome, ProgramError):
            raise outcome
        return outcome

    def _outcome(self, response: Response, n: int) -> NDArray[np.float32] | ProgramError:
        """The answers, or what a healthy worker says went wrong."""
        k = len(self._names)
        if response.status in FAILURES and response.row < n:
            index, subtask = self._place(response.row, response.column, n)
            return FAILURES[response.status](response.text, subtask, index)
        expected = (protocol.JUDGED, n, k, 4 * n * k)
        if (response.status, response.row, response.column, len(response.payload)) != expected:
            raise broken()
        answers = np.frombuffer(response.payload, np.float32).reshape(n, k)
        asked = _asked(answers, self.process.shared.pairs[:n, 2])
        if not np.where(asked, (answers >= 0) & (answers <= 1), np.isnan(answers)).all():  # False for NaN
            raise broken("sent answers outside [0, 1]")
        return answers

    def _place(self, item: int, subtask: int, n: int) -> tuple[int | None, str | None]:
        """Which item and sub-task; None where the numbers are out of range."""
        known = subtask < len(self._names)
        return (item if item < n else None), (self._names[subtask] if known and item < n else None)

    def _limit(self, n: int) -> Deadline:
        seconds = GRACE_SECONDS + self.sandbox.frame_seconds * n
        frames = f"{n} frame{'s' * (n != 1)}"
        why = f"1 s + {frames} * frame_seconds={self.sandbox.frame_seconds:g}"
        return Deadline(seconds, WALL_TIMES * seconds, why)


def _asked(answers: NDArray[np.float32], first: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which answers were due: all, or from the first sub-task asked to the first that is not done."""
    column = np.arange(answers.shape[1])
    done = (column < first[:, None]) | (answers >= 1)
    due = np.ones_like(done)
    due[:, 1:] = np.logical_and.accumulate(done, axis=1)[:, :-1]
    return (first[:, None] == protocol.ALL) | (due & (column >= first[:, None]))
