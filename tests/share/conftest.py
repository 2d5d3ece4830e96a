"""A program of the store, made without any verification: what sharing needs is the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import flat
from vlmcar.types import Check, Message, Program, Reply, SubTask, Verdict
from vlmcar.verification.store import ProgramStore, StoredProgram
from vlmcar.vlm.conversation import save, write_png

SOURCE = '''"""Sees grey pictures."""
import numpy as np


def brighten_up(initial, frame):
    return bool(frame.mean() > initial.mean())
'''
WHO = "a person | who *answers* <b>"


def stored_in(folder: Path, source: str = SOURCE, accepted: bool = True) -> StoredProgram:
    """An entry of the store with a conversation of two turns."""
    initial, goal = flat(10), flat(200)
    folder.mkdir(parents=True)
    messages = [
        Message("system", "You write programs."),
        Message("user", "What is there?", (initial, goal)),
        Message("assistant", "Grey."),
        Message("user", "Write it."),
        Message("assistant", f"Here:\n```python\n{source}```\n"),
    ]
    replies = [Reply(message.text, WHO) for message in messages if message.role == "assistant"]
    save(folder, messages, replies)
    write_png(folder / "initial.png", initial)
    write_png(folder / "goal.png", goal)
    checks = (
        Check("expert_completes", None, "feedback/expert", 40, 1.0, ">= 1", True),
        Check("does", "brighten_up", "held_out/random", 30, 1 / 3, "reported", True),
    )
    program = Program((SubTask("brighten_up", "The picture is brighter."),), source)
    made = StoredProgram(program, Verdict(accepted, checks), 1, 2, WHO, folder, {}, (4, 4, 3))
    ProgramStore.put(made)
    return made


@pytest.fixture
def stored(tmp_path: Path) -> StoredProgram:
    return stored_in(tmp_path / "programs" / "grey-room" / "manual" / "0123456789ab")
