"""Serve until killed: prepare, lock down, load one program, judge one request after another."""

from __future__ import annotations

import builtins
import math
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from . import protocol
from .lockdown import lock_down
from .protocol import NOWHERE, TEXT_BYTES

CONTRACT = "return a bool, or a float in [0, 1]"


class Failure(NamedTuple):
    """No answer: which kind, where, and why in the program's own words."""

    status: int
    item: int
    subtask: int
    text: str


class Loaded:
    """A program that is compiled, and run anew for every frame: no name of it outlives the frame."""

    def __init__(self, code: CodeType, names: Sequence[str]) -> None:
        self.code = code
        self.names = names

    def functions(self, namespace: dict[str, Any]) -> list[Callable[..., Any]] | str:
        """Run the module in an empty namespace; its sub-tasks' functions in order, or why there are none."""
        namespace.update(__name__="program", __builtins__=builtins)
        try:
            exec(self.code, namespace)
        except BaseException as error:
            return f"while loading, {describe_error(error)}"
        functions = [namespace.get(name) for name in self.names]
        for name, function in zip(self.names, functions, strict=True):
            if type(function) is not FunctionType:
                return f"{name!r} is not a function after loading"
        return functions  # type: ignore[return-value]


def load(source: str, names: Sequence[str]) -> Loaded | Failure:
    """Compile the module and run it once, to see that it runs."""
    try:
        loaded = Loaded(compile(source, "program.py", "exec", dont_inherit=True), names)
    except BaseException as error:
        return Failure(protocol.CRASHED, NOWHERE, NOWHERE, f"while loading, {describe_error(error)}")
    functions = loaded.functions({})
    if isinstance(functions, str):
        return Failure(protocol.CRASHED, NOWHERE, NOWHERE, functions)
    return loaded


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
    """A loaded program and the private buffers that it sees."""

    def __init__(self, program: Loaded, shape: tuple[int, int, int]) -> None:
        import cv2
        import numpy as np

        self.np, self.cv2 = np, cv2
        self.floating_point_errors = np.geterr()
        self.program = program
        # Allocated once: fresh 200 kB copies per call make glibc return and refault their pages every time.
        self.initial = np.empty(shape, np.uint8)
        self.frame = np.empty(shape, np.uint8)

    def batch(self, pairs: Any, images: Any, position: mmap.mmap) -> Any:
        """float32 (pairs, num_subtasks), NaN for what was not asked; or the first `Failure`."""
        answers = self.np.full((len(pairs), len(self.program.names)), math.nan, self.np.float32)
        for item, (initial, frame, first) in enumerate(pairs.tolist()):
            protocol.POSITION.pack_into(position, 0, item, NOWHERE)
            self.np.seterr(
                **self.floating_point_errors
            )  # what `np.seterr` of an earlier frame may have changed
            namespace: dict[str, Any] = {}
            functions = self.program.functions(namespace)
            if isinstance(functions, str):
                return Failure(protocol.CRASHED, item, NOWHERE, functions)
            for subtask, function in enumerate(functions):
                if subtask < first:
                    continue
                protocol.POSITION.pack_into(position, 0, item, subtask)
                answer = self.one(function, images[initial], images[frame])
                if not isinstance(answer, float):
                    return Failure(answer[0], item, subtask, answer[1])
                answers[item, subtask] = answer
                if first != protocol.ALL and answer < 1.0:
                    break
            namespace.clear()  # functions and their globals hold each other: do not leave that to the collector
        return answers

    def one(self, function: Callable[..., Any], initial: Any, frame: Any) -> float | tuple[int, str]:
        """The answer, or the kind of failure and its text."""
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
            return protocol.WRONG, f"returned {describe_answer(answer, self.np)}; {CONTRACT}"
        except BaseException as error:
            return protocol.CRASHED, describe_error(error)


def prepare() -> None:
    """Import what programs import, and what numpy imports late: afterwards no file can be opened."""
    import __future__  # noqa: F401

    import warnings

    import cv2
    import numpy.fft
    import numpy.lib.stride_tricks
    import numpy.linalg
    import numpy.ma
    import numpy.polynomial
    import numpy.random
    import numpy.typing

    # numpy keeps small arrays for itself, which MALLOC_PERTURB_ does not reach.
    numpy.empty, numpy.empty_like = numpy.zeros, numpy.zeros_like  # type: ignore[assignment]
    warnings.simplefilter("ignore")  # nobody reads them, and showing one imports modules
    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)


def write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def respond(fd: int, nonce: int, outcome: Any) -> None:
    """Write a `Failure` or a float32 (rows, columns) array."""
    if isinstance(outcome, Failure):
        status, item, subtask, text = outcome
        data = text[:TEXT_BYTES].encode("utf-8", "replace")[:TEXT_BYTES]
        write(fd, protocol.RESPONSE.pack(nonce, status, item, subtask, len(data)) + data)
    else:
        data = outcome.tobytes()
        write(fd, protocol.RESPONSE.pack(nonce, protocol.JUDGED, *outcome.shape, len(data)) + data)


def read_request(fd: int) -> tuple[int, int, int]:
    data = os.read(fd, protocol.REQUEST.size)
    if len(data) != protocol.REQUEST.size:  # the trainer closed its end: nobody is listening
        os._exit(0)
    nonce, count, size = protocol.REQUEST.unpack(data)
    return nonce, count, size


def main(requests: int, responses: int, frames_fd: int, position_fd: int, *numbers: int) -> None:
    layers, parent, memory_mb, batch, height, width, channels = numbers
    shape = (height, width, channels)
    nonce, _, _ = read_request(requests)
    try:
        prepare()
        shared = mmap.mmap(frames_fd, protocol.shared_bytes(batch, shape), mmap.MAP_SHARED, mmap.PROT_READ)
        position = mmap.mmap(position_fd, protocol.PAGE)
        held = lock_down(protocol.layers_of(layers), parent, memory_mb, (requests, responses))
    except Exception as error:
        respond(responses, nonce, Failure(protocol.CRASHED, NOWHERE, NOWHERE, describe_error(error)))
        os._exit(1)
    write(responses, protocol.RESPONSE.pack(nonce, protocol.READY, protocol.layer_bits(held), 0, 0))

    nonce, names_size, source_size = read_request(requests)
    names = shared[:names_size].decode().split("\n")
    program = load(shared[names_size : names_size + source_size].decode(), names)
    if isinstance(program, Failure):
        respond(responses, nonce, program)
        os._exit(1)
    write(responses, protocol.RESPONSE.pack(nonce, protocol.LOADED, 0, 0, 0))

    import numpy as np

    judging = Judging(program, shape)
    images = np.frombuffer(shared, np.uint8, 2 * batch * math.prod(shape), protocol.image_offset(batch))
    images = images.reshape(2 * batch, *shape)
    while True:
        nonce, count, _ = read_request(requests)
        pairs = np.frombuffer(shared, np.int32, 3 * count).reshape(count, 3)
        respond(responses, nonce, judging.batch(pairs, images, position))


if __name__ == "__main__":
    sys.path.remove(os.environ.pop("PYTHONPATH"))  # where this package lies, among the trainer's modules
    main(*map(int, sys.argv[1:]))
