"""Small programs and frames with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Frames, Program, SubTask

SHAPE = (32, 32, 3)
HONEST = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted(Path(__file__).with_name("honest").glob("*.py"))
}
"""What a VLM would write in good faith, all kinds of it: name -> source with sub-tasks ``first`` and ``second``."""


def program(*bodies: str, head: str = "") -> Program:
    """One sub-task ``first``, ``second``, ... per function body; each body is one or more lines."""
    names = ("first", "second", "third")[: len(bodies)]
    lines = ['"""Sees coloured squares."""', "import cv2", "import numpy as np", head]
    for name, body in zip(names, bodies, strict=True):
        lines += [f"def {name}(initial, frame):", *("    " + line for line in body.splitlines())]
    return Program(tuple(SubTask(name, f"The {name} thing.") for name in names), "\n".join(lines) + "\n")


def grey(*levels: int, shape: tuple[int, int, int] = SHAPE) -> Frames:
    """uint8 (len(levels), *shape): one plain frame per level."""
    frames = np.empty((len(levels), *shape), np.uint8)
    frames[:] = np.array(levels, np.uint8)[:, None, None, None]
    return frames


def sandbox(**changes: Any) -> Sandbox:
    values = {"startup_seconds": 30.0, "frame_seconds": 0.02, "memory_mb": 512, "batch": 64}
    return Sandbox(**{**values, "allow_weak": False, **changes})


BRIGHT = "return bool(frame.mean() > 100)"
LEVEL = "return float(frame.mean()) / 255"
CHANGED = "return bool((initial != frame).any())"
