"""Runs a program in a process of its own, with limits and a deadline.

The trainer never imports, compiles or unpickles anything a VLM wrote. It writes frames into shared memory,
sends a fixed struct over a pipe, and checks every byte of what comes back; anything but a well-formed
answer in time kills the worker and raises. An error is never read as False or 0.
"""

from __future__ import annotations

import math
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlmcar.program import worker as protocol
from vlmcar.program.errors import ProgramCrashed, ProgramError, ProgramScreened, ProgramTimedOut, readable
from vlmcar.program.frames import batches
from vlmcar.program.screening import screen
from vlmcar.program.shared import SharedFrames, SharedMemory
from vlmcar.types import ConfigError, Frames, Program, VlmcarError

GRACE_SECONDS = 1.0
"""Part of every deadline, so that a busy machine is not mistaken for an endless loop."""


@dataclass
class Sandbox:
    """How programs are run: one worker process per program, started clean and limited."""

    startup_seconds: float
    """Wall time from a new process to a loaded program: importing numpy and cv2, the module's body."""
    frame_seconds: float
    """Wall time per frame, all sub-tasks together. A request of n <= `batch` frames must be answered within
    1 s + n * frame_seconds, copying included; one slow frame may use what the others leave."""
    memory_mb: int
    """Address space (MiB) a program may take beyond what its process has once numpy and cv2 are imported."""
    batch: int
    """Most frames per request; a larger batch is judged in chunks. Shared memory holds 2 * batch frames."""

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

    @property
    def level(self) -> str:
        """How far a worker is locked down, for manifests: ``process`` means an own process with limits."""
        return protocol.LEVELS[protocol.PROCESS]

    def start(self, program: Program, shape: tuple[int, int, int]) -> Worker:
        """Screen the program and load it in a new process.

        Args:
            program: what the VLM wrote.
            shape: (height, width, 3) of every frame that this worker will judge.

        Raises:
            ProgramScreened: the source breaks the contract; nothing was started.
            ProgramCrashed, ProgramTimedOut: the module's body raised, or did not end in time.
            VlmcarError: the worker itself could not start.
        """
        if sys.platform != "linux":
            raise VlmcarError(
                f"programs run on Linux only (this is {sys.platform}): the sandbox needs memfd and prctl"
            )
        if problems := screen(program.source, program.subtasks):
            raise ProgramScreened(problems)
        return Worker(self, program, shape)


class Response(NamedTuple):
    status: int
    row: int
    column: int
    payload: bytes


class Worker:
    """One process with one loaded program. Made by `Sandbox.start`; use from one thread of one process."""

    def __init__(self, sandbox: Sandbox, program: Program, shape: tuple[int, int, int]) -> None:
        self.sandbox = sandbox
        self.program = program
        self.shape = shape
        self.alive = True
        self._owner = os.getpid()
        self._names = [subtask.name for subtask in program.subtasks]
        self._cleanup = ExitStack()
        try:
            self._shared = SharedFrames(sandbox.batch, shape)
            self._cleanup.callback(self._shared.close)
            self._position = SharedMemory(protocol.PAGE, writable=True)
            self._cleanup.callback(self._position.close)
            self._spawn()
            self._load()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """Judge each frame.

        Args:
            initial: uint8 (batch, height, width, 3) RGB, 0-255.
            frames: uint8 (batch, height, width, 3) RGB, 0-255.

        Returns:
            float32 (batch, num_subtasks) in [0, 1].

        Raises:
            ProgramCrashed: raised or returned no answer (the worker lives on), or its process ended.
            ProgramTimedOut: missed its deadline; the worker was killed.
            VlmcarError: wrong shape or dtype, or the worker was closed before.
        """
        initial, frames = batches(initial, frames)
        if frames.shape[1:] != self.shape:
            raise VlmcarError(f"this worker judges frames of shape {self.shape}, not {frames.shape[1:]}")
        if not self.alive or os.getpid() != self._owner:
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
        self.alive = False
        if os.getpid() == self._owner:  # a forked copy must not kill what its parent still uses
            self._cleanup.close()

    # Starting

    def _spawn(self) -> None:
        requests, self._requests = self._pipe(keep=1)
        self._responses, responses = self._pipe(keep=0)
        fds = (requests, responses, self._shared.fd, self._position.fd)
        numbers = (*fds, os.getpid(), self.sandbox.memory_mb, self.sandbox.batch, *self.shape)
        try:
            self._process = subprocess.Popen(
                # As isolated as -I, except that -I would ignore PYTHONHASHSEED and vary the order of sets.
                [sys.executable, "-s", "-P", "-B", str(Path(protocol.__file__)), *map(str, numbers)],
                env=environment(),
                cwd="/",
                pass_fds=fds,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        finally:
            os.close(requests)
            os.close(responses)
            self._shared.release_fd()
            self._position.release_fd()
        self._cleanup.callback(self._kill)
        self._poll = select.poll()
        self._poll.register(self._responses, select.POLLIN)

    def _pipe(self, keep: int) -> tuple[int, int]:
        """A pipe (read end, write end) whose end ``keep`` stays with this worker."""
        ends = os.pipe()
        self._cleanup.callback(os.close, ends[keep])
        return ends

    def _load(self) -> None:
        names, source = "\n".join(self._names).encode(), self.program.source.encode()
        self._shared.map[: len(names) + len(source)] = names + source
        deadline = time.monotonic() + self.sandbox.startup_seconds
        limit = f"startup_seconds={self.sandbox.startup_seconds:g}"
        try:
            nonce = self._request(len(names), len(source))
            ready = self._response(nonce, deadline, limit)
        except ProgramError as error:  # nothing of the program has run yet
            raise VlmcarError(f"the sandbox could not start: {error.detail}") from error
        if ready.status != protocol.READY or ready.row != protocol.PROCESS:
            raise VlmcarError(f"the sandbox could not start: {text(ready)}")
        loaded = self._response(nonce, deadline, limit)
        if loaded.status == protocol.FAILED:
            raise ProgramCrashed(text(loaded))
        if loaded.status != protocol.LOADED:
            raise self._broken()

    # Judging

    def _judge(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """float32 (batch, num_subtasks) for at most ``sandbox.batch`` frames."""
        n, k = len(frames), len(self._names)
        seconds = GRACE_SECONDS + self.sandbox.frame_seconds * n
        deadline = time.monotonic() + seconds
        limit = f"1 s + {n} frames * frame_seconds={self.sandbox.frame_seconds:g}"
        try:
            nonce = self._request(n, self._shared.put(initial, frames))
            response = self._response(nonce, deadline, limit)
            if response.status == protocol.FAILED and response.row < n and response.column < k:
                failure = ProgramCrashed(text(response), self._names[response.column], response.row)
            else:
                return self._answers(response, n, k)
        except BaseException:  # also Ctrl-C: the worker's state is unknown
            self.close()
            raise
        raise failure

    def _answers(self, response: Response, n: int, k: int) -> NDArray[np.float32]:
        expected = (protocol.JUDGED, n, k, 4 * n * k)
        if (response.status, response.row, response.column, len(response.payload)) != expected:
            raise self._broken()
        answers = np.frombuffer(response.payload, np.float32).reshape(n, k)
        if not ((answers >= 0) & (answers <= 1)).all():  # False for NaN
            raise self._broken("sent answers outside [0, 1]")
        return answers

    # Protocol

    def _request(self, count: int, size: int) -> int:
        """Send one request. The pipe is empty and holds more than a struct, so this never blocks."""
        protocol.POSITION.pack_into(self._position.map, 0, protocol.NOWHERE, protocol.NOWHERE)
        if self._poll.poll(0):
            raise self._broken("wrote without being asked") if os.read(self._responses, 1) else self._ended()
        nonce = secrets.randbits(64)
        try:
            os.write(self._requests, protocol.REQUEST.pack(nonce, count, size))
        except BrokenPipeError:
            raise self._ended() from None
        return nonce

    def _response(self, nonce: int, deadline: float, limit: str) -> Response:
        header = self._receive(protocol.RESPONSE.size, deadline, limit)
        echo, status, row, column, size = protocol.RESPONSE.unpack(header)
        if echo != nonce or size > max(protocol.TEXT_BYTES, 4 * self.sandbox.batch * len(self._names)):
            raise self._broken()
        return Response(status, row, column, self._receive(size, deadline, limit))

    def _receive(self, size: int, deadline: float, limit: str) -> bytes:
        data = b""
        while len(data) < size:
            if not self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise ProgramTimedOut(f"no answer within {limit}", *self._where())
            received = os.read(self._responses, size - len(data))
            if not received:
                raise self._ended()
            data += received
        return data

    def _where(self) -> tuple[str | None, int | None]:
        """Sub-task and item that were being judged, as the worker last noted; None where out of range."""
        item, subtask = protocol.POSITION.unpack_from(self._position.map, 0)
        if subtask >= len(self._names) or item >= self.sandbox.batch:
            return None, None
        return self._names[subtask], item

    def _broken(self, what: str = "sent something that is not an answer") -> ProgramCrashed:
        return ProgramCrashed(f"its process {what} and was killed")

    def _ended(self) -> ProgramCrashed:
        code = self._kill()
        names = {-member.value: member.name for member in signal.Signals}
        how = f"signal {names.get(code, -code)}" if code < 0 else f"exit code {code}"
        return ProgramCrashed(f"its process ended with {how}", *self._where())

    def _kill(self) -> int:
        """Kill the worker and whatever it started, reap it, return its exit code. Safe to call twice."""
        if self._process.returncode is None:
            # Before reaping, so that the id still is its own. One that ended by itself keeps its exit code.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        return self._process.returncode


def text(response: Response) -> str:
    return readable(response.payload.decode("utf-8", "replace"))


def environment() -> dict[str, str]:
    """The whole environment of a worker: nothing of the trainer's but where to find shared libraries."""
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return {
        **({"LD_LIBRARY_PATH": library_path} if library_path else {}),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "OPENCV_OPENCL_RUNTIME": "disabled",
        "OPENCV_LOG_LEVEL": "SILENT",
        # Keep freed pages: a program's temporaries of 200 kB and more would otherwise be returned to the
        # kernel and faulted in again at every call, 2 to 5 times slower.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_TRIM_THRESHOLD_": "268435456",
        "MALLOC_MMAP_THRESHOLD_": "268435456",
        "MALLOC_TOP_PAD_": "8388608",
    }
