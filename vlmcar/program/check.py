"""A program file run in the sandbox by hand: ``python -m vlmcar.program check``."""

from __future__ import annotations

import ast
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Frame, Frames, Program, SubTask, VlmcarError

EXAMPLE = '''"""What the program sees."""
import numpy as np

def reach_the_goal(initial, frame):
    return bool(frame.mean() > 100)  # or a float in [0, 1]'''


@dataclass(frozen=True)
class Checked:
    """What a program answered, how long it took, and behind which walls."""

    program: Program
    level: str
    answers: NDArray[np.float32]
    """float32 (frames, num_subtasks) in [0, 1]."""
    same: bool
    """Whether every repetition gave the same answers."""
    load_milliseconds: float
    """From a process that is locked down to a loaded program."""
    frame_milliseconds: tuple[float, ...]
    """One per repetition and frame: the way to the sandbox and back included."""


def read_program(path: Path) -> Program:
    """The text of a file, and as its sub-tasks the functions in it that take ``(initial, frame)``. Nothing is run.

    The first sentence of a function's docstring describes its sub-task.

    Raises:
        VlmcarError: there is no such file, or no such function in it.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VlmcarError(f"{path} cannot be read: {error}") from None
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Program((), source)  # screening says what is wrong
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and _is_subtask(node)]
    if not functions:
        raise VlmcarError(
            f"{path} has no function with the parameters (initial, frame), such as def reach_the_goal(initial, frame): "
            "python -m vlmcar.program check --help shows a program"
        )
    subtasks = [
        SubTask(node.name, _first_sentence(ast.get_docstring(node) or node.name)) for node in functions
    ]
    return Program(tuple({subtask.name: subtask for subtask in subtasks}.values()), source)


def _first_sentence(docstring: str) -> str:
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) ", paragraph)[0]


def _is_subtask(node: ast.FunctionDef) -> bool:
    return [arg.arg for arg in node.args.args] == ["initial", "frame"] and not node.name.startswith("_")


def read_image(path: Path) -> Frame:
    """uint8 (height, width, 3) RGB, 0-255.

    Raises:
        VlmcarError: it is not there, or no picture.
    """
    if not path.is_file():
        raise VlmcarError(f"{path} does not exist")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise VlmcarError(f"{path} is not a picture that OpenCV can read; PNG and JPEG are")
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def read_frames(initial: Path, frames: Sequence[Path]) -> tuple[Frame, Frames]:
    """The initial picture and the others, which must be of its size.

    Raises:
        VlmcarError: a picture cannot be used.
    """
    first = read_image(initial)
    read = [read_image(path) for path in frames]
    for path, frame in zip(frames, read, strict=True):
        if frame.shape != first.shape:
            raise VlmcarError(
                f"{path} is {_size(frame)}, but {initial} is {_size(first)}: a program compares frames of one size"
            )
    return first, np.stack(read)


def _size(frame: Frame) -> str:
    return f"{frame.shape[1]} x {frame.shape[0]}"


def check(program: Program, sandbox: Sandbox, initial: Frame, frames: Frames, repeat: int) -> Checked:
    """Judge every frame, ``repeat`` times.

    Raises:
        ProgramError: the program was screened out, crashed, timed out or answered wrongly; its ``index`` is the frame.
    """
    height, width, channels = initial.shape
    spare = sandbox.spawn((height, width, channels))
    try:
        spare.ready(sandbox.startup_seconds)
        started = time.perf_counter()
        worker = sandbox.start(program, (height, width, channels), spare)
        loaded = 1000 * (time.perf_counter() - started)
        answers = worker.run(np.broadcast_to(initial, frames.shape), frames)
        same, milliseconds = True, []
        for number in [n for _ in range(repeat) for n in range(len(frames))]:
            started = time.perf_counter()
            try:
                again = worker.run(initial[None], frames[number : number + 1])
            except ProgramError as error:
                error.index = number
                raise
            milliseconds.append(1000 * (time.perf_counter() - started))
            same &= np.array_equal(again[0], answers[number])
    finally:
        spare.close()
    return Checked(program, worker.level, answers, same, loaded, tuple(milliseconds))


def as_json(checked: Checked, frames: Sequence[Path]) -> Mapping[str, Any]:
    names = [subtask.name for subtask in checked.program.subtasks]
    return {
        "program": checked.program.hash,
        "sandbox": checked.level,
        "answers": {
            str(path): dict(zip(names, map(float, row), strict=True))
            for path, row in zip(frames, checked.answers, strict=True)
        },
        "same_answers": checked.same,
        "load_milliseconds": checked.load_milliseconds,
        "frame_milliseconds": {
            "median": statistics.median(checked.frame_milliseconds),
            "max": max(checked.frame_milliseconds),
        },
    }


def as_text(checked: Checked, frames: Sequence[Path]) -> str:
    lines = [["", *(subtask.name for subtask in checked.program.subtasks)]]
    lines += [[str(path), *map(_said, row)] for path, row in zip(frames, checked.answers, strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    middle, most = statistics.median(checked.frame_milliseconds), max(checked.frame_milliseconds)
    return "\n".join(
        [
            f"program {checked.program.hash}, sandbox level: {checked.level}",
            "",
            *table,
            "",
            f"loaded in {checked.load_milliseconds:.1f} ms; per frame {middle:.2f} ms (median of "
            f"{len(checked.frame_milliseconds)}, most {most:.2f}), the way to the sandbox and back included",
        ]
    )


def _said(answer: np.float32) -> str:
    return "done" if answer >= 1 else "not done" if answer == 0 else f"{answer:.2f}"
