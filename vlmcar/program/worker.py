"""The other process: it loads one program and judges frames with it.

Started by `vlmcar.program.sandbox` as a script of its own. It imports the standard library, numpy and cv2
and never vlmcar, so nothing of the trainer comes along. The constants at the top are the protocol;
the trainer imports them from here.

Bulk data lies in shared memory, which this process can only read: first the pairs, then the images.
Pipes carry fixed structs. Each request is answered once, `LOAD` twice (`READY`, then `LOADED`):

| request | count | size | shared memory |
|---|---|---|---|
| the first: load | bytes of the function names | bytes of the source | names (one per line), source |
| every other: judge | number of pairs | number of images | int32 (pairs, 2) image indices; images |
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

REQUEST = struct.Struct("<QII")
"""nonce, count, size: see the table above."""
RESPONSE = struct.Struct("<QIIII")
"""nonce, status, row, column, bytes that follow."""
POSITION = struct.Struct("<II")
"""Item and sub-task being judged, in a page the trainer reads after a crash: a hint, never an answer."""

READY, LOADED, JUDGED, FAILED = range(1, 5)
"""READY: row is the lock-down level. JUDGED: float32 (row, column) follows. FAILED: item, sub-task, text."""

NOWHERE = 0xFFFFFFFF
"""Item and sub-task of a failure outside every function."""
TEXT_BYTES = 600
PAGE = 4096

PROCESS = 1
LEVELS = {PROCESS: "process"}
"""Lock-down levels: ``process`` is an own process with limits and no system call filter."""

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38

ALLOWED = "return a bool, or a float in [0, 1]"


def image_offset(batch: int) -> int:
    """Where the images start in shared memory: after room for ``batch`` pairs, on a page of their own."""
    return -(-8 * batch // PAGE) * PAGE


def shared_bytes(batch: int, shape: tuple[int, int, int]) -> int:
    """Size of the shared memory: up to ``2 * batch`` images, and never less than a source needs."""
    return max(image_offset(batch) + 2 * batch * math.prod(shape), 1 << 20)


class Failure(NamedTuple):
    """No answer: where, and why in the program's own words."""

    item: int
    subtask: int
    text: str


def lock_down(parent: int, memory_mb: int) -> int:
    """Give up what judging does not need; return the level reached. Must run before any generated code.

    The room for the uid drop, Landlock and seccomp. A uid drop clears the parent-death signal, so it
    belongs before `prctl`.
    """
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * mmap.PAGESIZE
    limit = used + memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for nothing in ("CORE", "FSIZE", "NPROC", "MEMLOCK", "MSGQUEUE"):
        resource.setrlimit(getattr(resource, f"RLIMIT_{nothing}"), (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in ((PR_SET_PDEATHSIG, signal.SIGKILL), (PR_SET_NO_NEW_PRIVS, 1)):
        if prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")
    if os.getppid() != parent:  # it died before the signal was armed
        os._exit(1)
    return PROCESS


def close_others(keep: Sequence[int]) -> None:
    """Close every inherited descriptor; `mmap` holds a duplicate of each memfd it maps."""
    last = max(keep) + 1
    for fd in range(3, last):
        if fd not in keep:
            os.closerange(fd, fd + 1)
    os.closerange(last, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def load(source: str, names: Sequence[str]) -> list[Callable[..., Any]] | Failure:
    """Run the module once and return the functions of the sub-tasks, in order."""
    namespace: dict[str, Any] = {"__name__": "program"}
    try:
        exec(compile(source, "program.py", "exec", dont_inherit=True), namespace)
    except BaseException as error:
        return Failure(NOWHERE, NOWHERE, f"while loading, {describe_error(error)}")
    functions = [namespace.get(name) for name in names]
    for name, function in zip(names, functions, strict=True):
        if type(function) is not type(load):
            return Failure(NOWHERE, NOWHERE, f"{name!r} is not a function after loading")
    return functions  # type: ignore[return-value]


def describe_error(error: BaseException) -> str:
    """The deepest line of the program, the type and the text of an exception."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "program.py":
            line = trace.tb_lineno
        trace = trace.tb_next
    kind, text = type(error).__name__, ""
    with suppress(BaseException):  # `str` of an exception may itself fail
        text = str(error)
        if reason := getattr(error, "err", None):  # cv2.error: its text starts with paths of OpenCV's sources
            kind, text = "cv2.error", str(reason).lstrip("> ")
    return (f"line {line}: " if line else "") + f"{kind}: {text[:TEXT_BYTES]}"


def describe_answer(answer: Any, np: Any) -> str:
    """What was returned instead of an answer, such as ``int 1`` or ``an array of shape (3,)``."""
    if isinstance(answer, np.ndarray):
        return f"an array of shape {answer.shape} and dtype {answer.dtype}"
    if answer is None or isinstance(answer, (int, float, str, np.generic)):
        return f"{type(answer).__name__} {str(answer)[:80]}"
    return f"a {type(answer).__name__}"


class Judging:
    """The program's functions and the private buffers that they see."""

    def __init__(self, functions: list[Callable[..., Any]], shape: tuple[int, int, int]) -> None:
        import cv2
        import numpy as np

        self.np, self.cv2 = np, cv2
        self.functions = functions
        # Allocated once: fresh 200 kB copies per call make glibc return and refault their pages every time.
        self.initial = np.empty(shape, np.uint8)
        self.frame = np.empty(shape, np.uint8)

    def batch(self, pairs: Any, images: Any, position: mmap.mmap) -> Any:
        """float32 (pairs, num_subtasks), or the first `Failure`."""
        answers = self.np.empty((len(pairs), len(self.functions)), self.np.float32)
        for item, (initial, frame) in enumerate(pairs.tolist()):
            for subtask, function in enumerate(self.functions):
                POSITION.pack_into(position, 0, item, subtask)
                answer = self.one(function, images[initial], images[frame])
                if isinstance(answer, str):
                    return Failure(item, subtask, answer)
                answers[item, subtask] = answer
        return answers

    def one(self, function: Callable[..., Any], initial: Any, frame: Any) -> float | str:
        """The answer, or why there is none."""
        self.np.copyto(self.initial, initial)
        self.np.copyto(self.frame, frame)
        self.cv2.setRNGSeed(0)  # kmeans, grabCut ... start from the same point on every frame
        try:
            # Views: `setflags` or `resize` on an argument ends with the call.
            answer = function(self.initial[:], self.frame[:])
            if type(answer) in (bool, self.np.bool_):
                return float(answer)
            measured = type(answer) is float or isinstance(answer, self.np.floating)
            if measured and 0.0 <= answer <= 1.0:  # False for NaN
                return float(answer)
            return f"returned {describe_answer(answer, self.np)}; {ALLOWED}"
        except BaseException as error:
            return describe_error(error)


def write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def respond(fd: int, nonce: int, outcome: Any) -> None:
    """Write a `Failure` or a float32 (rows, columns) array."""
    if isinstance(outcome, Failure):
        text = outcome.text[:TEXT_BYTES].encode("utf-8", "replace")[:TEXT_BYTES]
        write(fd, RESPONSE.pack(nonce, FAILED, outcome.item, outcome.subtask, len(text)) + text)
    else:
        data = outcome.tobytes()
        write(fd, RESPONSE.pack(nonce, JUDGED, *outcome.shape, len(data)) + data)


def read_request(fd: int) -> tuple[int, int, int]:
    data = os.read(fd, REQUEST.size)
    if len(data) != REQUEST.size:  # the trainer closed its end: nobody is listening
        os._exit(0)
    nonce, count, size = REQUEST.unpack(data)
    return nonce, count, size


def main(requests: int, responses: int, frames_fd: int, position_fd: int, *numbers: int) -> None:
    """Serve until killed: prepare, lock down, load, then judge one request after another."""
    parent, memory_mb, batch, height, width, channels = numbers
    shape = (height, width, channels)
    nonce, names_size, source_size = read_request(requests)
    try:
        import cv2
        import numpy as np

        cv2.setNumThreads(1)
        cv2.ocl.setUseOpenCL(False)
        shared = mmap.mmap(frames_fd, shared_bytes(batch, shape), mmap.MAP_SHARED, mmap.PROT_READ)
        position = mmap.mmap(position_fd, PAGE)
        close_others((requests, responses))
        level = lock_down(parent, memory_mb)
    except Exception as error:
        respond(responses, nonce, Failure(NOWHERE, NOWHERE, describe_error(error)))
        os._exit(1)
    write(responses, RESPONSE.pack(nonce, READY, level, 0, 0))

    names = shared[:names_size].decode().split("\n")
    functions = load(shared[names_size : names_size + source_size].decode(), names)
    if isinstance(functions, Failure):
        respond(responses, nonce, functions)
        os._exit(1)
    write(responses, RESPONSE.pack(nonce, LOADED, 0, 0, 0))

    judging = Judging(functions, shape)
    images = np.frombuffer(shared, np.uint8, 2 * batch * math.prod(shape), image_offset(batch))
    images = images.reshape(2 * batch, *shape)
    while True:
        nonce, count, _ = read_request(requests)
        pairs = np.frombuffer(shared, np.int32, 2 * count).reshape(count, 2)
        respond(responses, nonce, judging.batch(pairs, images, position))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
