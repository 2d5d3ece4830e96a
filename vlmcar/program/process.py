"""One worker process, from its start to its end, and the bytes that go to and fro.

Every byte that comes back is checked; anything but a well-formed response in time kills the process and raises.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from vlmcar.program.errors import ProgramCrashed, ProgramTimedOut, readable
from vlmcar.program.shared import SharedFrames, SharedMemory
from vlmcar.program.worker import protocol
from vlmcar.types import VlmcarError

WALL_TIMES = 5
"""A request may take this many times its CPU time on the wall: other jobs may share the machine, but a program that
waits for ever uses no CPU time."""


class Response(NamedTuple):
    status: int
    row: int
    column: int
    payload: bytes

    @property
    def text(self) -> str:
        return readable(self.payload.decode("utf-8", "replace"))


class Deadline(NamedTuple):
    """When a response is late."""

    seconds: float
    """Of CPU time that the process has used since it was asked; on systems that cannot tell, of wall time."""
    wall: float
    """Seconds since it was asked."""
    why: str
    """How the seconds come about."""


class Process:
    """A worker that is locked down and has loaded nothing yet, or one program. For one thread of one process."""

    def __init__(
        self, shape: tuple[int, int, int], batch: int, memory_mb: int, layers: frozenset[str]
    ) -> None:
        """Start it and return at once; `ready` waits until it is locked down.

        Args:
            shape: (height, width, 3) of every frame that it will judge.
            batch: most frames per request.
            memory_mb: MiB that a program may take.
            layers: what to lock it down with, where the system has it.
        """
        self.shape = shape
        self.batch = batch
        self.alive = True
        self.busy = 0.0
        """Seconds of CPU time (of wall time, on systems that cannot tell) that its answers took so far."""
        self._owner = os.getpid()
        self._max_payload = protocol.TEXT_BYTES
        self._held: frozenset[str] | None = None
        self._cleanup = ExitStack()
        try:
            self.shared = SharedFrames(batch, shape)
            self._cleanup.callback(self.shared.close)
            self._position = SharedMemory(protocol.PAGE, writable=True)
            self._cleanup.callback(self._position.close)
            self._spawn(memory_mb, protocol.layer_bits(layers))
            self._hello = self._send(0, 0)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Alive, and started by this process: a forked copy must leave it alone."""
        return self.alive and os.getpid() == self._owner

    def close(self) -> None:
        """Kill and reap it, unmap the memory. Safe to call twice."""
        self.alive = False
        if os.getpid() == self._owner:
            self._cleanup.close()

    def ready(self, seconds: float) -> frozenset[str]:
        """Wait until it is locked down; the layers that hold.

        Raises:
            VlmcarError: it did not start within ``seconds``.
        """
        if self._held is None:
            limit = Deadline(seconds, seconds, f"startup_seconds={seconds:g}")
            try:
                response = self.receive(Asked(self._hello, Clock(self.pid, limit)))
            except (ProgramCrashed, ProgramTimedOut) as error:  # nothing of a program has run yet
                self.close()
                hint = (
                    "; a busy machine needs a higher sandbox.startup_seconds"
                    if error.kind == "timed_out"
                    else ""
                )
                raise VlmcarError(f"the sandbox could not start: {error.detail}{hint}") from error
            if response.status != protocol.READY:
                self.close()
                raise VlmcarError(f"the sandbox could not start: {response.text}")
            self._held = protocol.layers_of(response.row)
        return self._held

    def load(self, source: str, names: list[str], limit: Deadline) -> None:
        """Load the one program that this process will ever see.

        Raises:
            ProgramCrashed, ProgramTimedOut: the module's body raised, or did not end in time.
        """
        self._max_payload = max(protocol.TEXT_BYTES, 4 * self.batch * len(names))
        head, body = "\n".join(names).encode(), source.encode()
        self.shared.map[: len(head) + len(body)] = head + body
        response = self.ask(len(head), len(body), limit)
        if response.status == protocol.CRASHED:
            raise ProgramCrashed(response.text)
        if response.status != protocol.LOADED:
            raise broken()

    def ask(self, count: int, size: int, limit: Deadline) -> Response:
        """Send a request and wait for its response. After an error the process is of no use."""
        return self.receive(self.send(count, size, limit))

    def send(self, count: int, size: int, limit: Deadline) -> Asked:
        """Send a request and return at once; what comes back is for `receive`."""
        return Asked(self._send(count, size), Clock(self.pid, limit))

    def waiting(self, asked: Asked) -> bool:
        """Whether there is nothing yet to `receive`: neither a response nor an end, and time is left."""
        return not self._poll.poll(0) and asked.clock.milliseconds_left() > 0

    def where(self) -> tuple[int, int]:
        """Item and sub-task that were being judged, as the worker last noted: any numbers, or `NOWHERE`."""
        item, subtask = protocol.POSITION.unpack_from(self._position.map, 0)
        return item, subtask

    # Starting

    def _spawn(self, memory_mb: int, layers: int) -> None:
        requests, self._requests = self._pipe(keep=1)
        self._responses, responses = self._pipe(keep=0)
        fds = (requests, responses, self.shared.fd, self._position.fd)
        numbers = (*fds, layers, os.getpid(), memory_mb, self.batch, *self.shape)
        try:
            self._process = subprocess.Popen(
                # As isolated as -I, except that -I would ignore PYTHONHASHSEED and vary the order of sets.
                [sys.executable, "-s", "-P", "-B", "-m", "worker", *map(str, numbers)],
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
            self.shared.release_fd()
            self._position.release_fd()
        self._cleanup.callback(self._kill)
        self._poll = select.poll()
        self._poll.register(self._responses, select.POLLIN)

    def _pipe(self, keep: int) -> tuple[int, int]:
        """A pipe (read end, write end) whose end ``keep`` stays here."""
        ends = os.pipe()
        self._cleanup.callback(os.close, ends[keep])
        return ends

    # Protocol

    def _send(self, count: int, size: int) -> int:
        """Send one request. The pipe is empty and holds more than a struct, so this never blocks."""
        protocol.POSITION.pack_into(self._position.map, 0, protocol.NOWHERE, protocol.NOWHERE)
        if self._poll.poll(0):
            raise broken("wrote without being asked") if os.read(self._responses, 1) else self._ended()
        nonce = secrets.randbits(64)
        try:
            os.write(self._requests, protocol.REQUEST.pack(nonce, count, size))
        except BrokenPipeError:
            raise self._ended() from None
        return nonce

    def receive(self, asked: Asked) -> Response:
        """Wait for the response to a request."""
        header = self._read(protocol.RESPONSE.size, asked.clock)
        echo, status, row, column, size = protocol.RESPONSE.unpack(header)
        if echo != asked.nonce or size > self._max_payload:
            raise broken()
        response = Response(status, row, column, self._read(size, asked.clock))
        self.busy += asked.clock.used()
        return response

    def _read(self, size: int, clock: Clock) -> bytes:
        data = b""
        while len(data) < size:
            if not self._poll.poll(clock.milliseconds_left()):
                if clock.milliseconds_left() > 0:
                    continue
                raise ProgramTimedOut(clock.late())
            received = os.read(self._responses, size - len(data))
            if not received:
                raise self._ended()
            data += received
        return data

    def _ended(self) -> ProgramCrashed:
        code = self._kill()
        if code == -signal.SIGSYS:
            return ProgramCrashed("it made a system call that programs may not make, and was killed")
        names = {-member.value: member.name for member in signal.Signals}
        how = f"signal {names.get(code, -code)}" if code < 0 else f"exit code {code}"
        return ProgramCrashed(f"its process ended with {how}")

    def _kill(self) -> int:
        """Kill the process and whatever it started, reap it, return its exit code. Safe to call twice."""
        if self._process.returncode is None:
            # Before reaping, so that the id still is its own. One that ended by itself keeps its exit code.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        return self._process.returncode


class Clock:
    """How much of a deadline is left to a process."""

    def __init__(self, pid: int, limit: Deadline) -> None:
        # The kernel's name for the CPU-time clock of another process: its complement, and 2 for "scheduled".
        self._clock = (~pid << 3) | 2
        try:
            time.clock_gettime(self._clock)
        except OSError:  # not Linux, or not quite
            self._clock = time.CLOCK_MONOTONIC
        self._limit = limit
        self._cpu, self._wall = time.clock_gettime(self._clock), time.monotonic()

    def milliseconds_left(self) -> float:
        """Until it can be late at the earliest; 0 if it is."""
        wall = self._limit.wall - (time.monotonic() - self._wall)
        return max(0.0, 1000 * min(self._cpu_left(), wall))

    def late(self) -> str:
        if self._cpu_left() <= 0:
            return f"no answer within {self._limit.why} of CPU time"
        return f"no answer within {self._limit.wall:g} s, of which it worked for {self.used():.1f} s"

    def _cpu_left(self) -> float:
        return self._limit.seconds - self.used()

    def used(self) -> float:
        """Seconds of CPU time since the start."""
        return time.clock_gettime(self._clock) - self._cpu


class Asked(NamedTuple):
    """A request on its way."""

    nonce: int
    clock: Clock


def broken(what: str = "sent something that is not an answer") -> ProgramCrashed:
    return ProgramCrashed(f"its process {what} and was killed")


def environment() -> dict[str, str]:
    """The whole environment of a worker: nothing of the trainer's but where to find shared libraries."""
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return {
        **({"LD_LIBRARY_PATH": library_path} if library_path else {}),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parent),  # where the package `worker` is; it leaves the path at once
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "OPENCV_OPENCL_RUNTIME": "disabled",
        "OPENCV_IPP": "disabled",  # some of its routines round by how memory is aligned: not twice the same
        "OPENCV_LOG_LEVEL": "SILENT",
        # Keep freed pages: a program's temporaries of 200 kB and more would otherwise be returned to the
        # kernel and faulted in again at every call, 2 to 5 times slower.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_TRIM_THRESHOLD_": "268435456",
        "MALLOC_MMAP_THRESHOLD_": "268435456",
        "MALLOC_TOP_PAD_": "8388608",
        # And hand them out filled with zeros: memory that nobody has set is what an earlier frame left.
        "MALLOC_PERTURB_": "255",
    }
