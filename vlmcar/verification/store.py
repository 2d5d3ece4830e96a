"""The store of accepted programs: made once, shared by every seed and every parallel job."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vlmcar.types import Check, Program, SubTask, Verdict, VlmcarError

SHARED = "shared.json"
"""Beside a program that was shared: its verdict is somebody's claim. ``vlmcar.share`` reads it."""
_SECONDS_BETWEEN_TRIES = (0.5, 1.5)
"""Of those who wait for a program, which takes minutes. Filelock's own 0.05 is hard on the server of a network file
system; and where all try at the same moments, all but one of them wait once more."""


@dataclass(frozen=True)
class StoredProgram:
    """An accepted program with its story."""

    program: Program
    verdict: Verdict
    attempts: int
    """Programs verified until this one was accepted."""
    vlm_calls: int
    vlm_model: str
    folder: Path
    ledger: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What making it took, as ``vlmcar.vlm.ledger.Ledger.entries`` gives it; empty in older entries."""
    frame_shape: tuple[int, ...] | None = None
    """(height, width, 3) of the frames that it judges; ``None`` in older entries."""

    @property
    def subtasks(self) -> tuple[SubTask, ...]:
        return self.program.subtasks


class ProgramStore:
    """``<root>/<task>/<vlm>/<key>/``: ``program.py``, ``verdict.json`` and the conversation.

    ``verdict.json`` is written last: its presence means the entry is complete.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, task: str, vlm: str, ingredients: Mapping[str, Any]) -> Path:
        """Where a program made of these ingredients lives; equal ingredients give an equal folder."""
        text = json.dumps(ingredients, sort_keys=True)
        return self.root / task / vlm / hashlib.sha256(text.encode()).hexdigest()[:12]

    @contextmanager
    def lock(self, folder: Path, say: Callable[[str], None]) -> Iterator[bool]:
        """Hold the entry while it is made; others wait, are told that they did, and then find it there.

        Raises:
            VlmcarError: this file system has no locks.
        """
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{folder}.lock", fallback_to_soft=False)  # the fallback lets two in at once
        waited = False
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waited = True
            say("another run is making this program; waiting for it")
            lock.acquire(poll_interval=random.Random().uniform(*_SECONDS_BETWEEN_TRIES))
        except OSError as error:
            raise VlmcarError(
                f"{folder} cannot be locked ({error.strerror}), and two runs might make this program; give "
                "results=<folder> on a file system with locks (docs/scale.md)"
            ) from None
        try:
            yield waited
        finally:
            lock.release()

    def get(self, folder: Path) -> StoredProgram | None:
        """The complete entry, or ``None``.

        Raises:
            VlmcarError: the program was changed after it was verified.
        """
        return load(folder) if (folder / "verdict.json").is_file() else None

    @staticmethod
    def put(stored: StoredProgram) -> None:
        """Complete an entry whose conversation already lies in its folder."""
        _write_whole(stored.folder / "program.py", stored.program.source)  # others may be reading it
        entry = {
            "accepted": stored.verdict.accepted,
            "program_hash": stored.program.hash,
            "attempts": stored.attempts,
            "vlm_calls": stored.vlm_calls,
            "vlm_model": stored.vlm_model,
            "vlm_ledger": dict(stored.ledger),
            "frame_shape": stored.frame_shape,
            "subtasks": [dataclasses.asdict(subtask) for subtask in stored.program.subtasks],
            "checks": [dataclasses.asdict(check) for check in stored.verdict.checks],
        }
        _write_whole(stored.folder / "verdict.json", json.dumps(entry, indent=1))

    @staticmethod
    def reject(stored: StoredProgram, check: Check) -> None:
        """Take back that the program was accepted: ``check`` failed afterwards."""
        verdict = Verdict(False, (*stored.verdict.checks, check))
        ProgramStore.put(dataclasses.replace(stored, verdict=verdict))

    @staticmethod
    def copy(stored: StoredProgram, run_folder: Path) -> None:
        """Put the program, its verdict and its conversation beside the run that uses it."""
        try:
            for name in ("program.py", "verdict.json", "conversation.jsonl"):
                shutil.copyfile(stored.folder / name, run_folder / name)
            shutil.copytree(stored.folder / "images", run_folder / "images", dirs_exist_ok=True)
        except FileNotFoundError as error:
            raise VlmcarError(
                f"{error.filename} is missing from the accepted program's folder: put it back, or remove "
                f"{stored.folder} to have the program made again"
            ) from None


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def load(folder: str | Path) -> StoredProgram:
    """An accepted program with its story, from a folder of the store.

    Raises:
        VlmcarError: it is not there, the program was changed after it was verified, or it is one that was shared, whose
            verdict is a claim.
    """
    folder = Path(folder)
    if (folder / SHARED).exists():
        raise VlmcarError(
            f"{folder} is a shared program, and not verified here: vlm=offline vlm.recordings={folder} verifies it anew"
        )
    try:
        entry = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        source = (folder / "program.py").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise VlmcarError(
            f"{folder} holds no accepted program that can be read: {error}; {_again(folder)}"
        ) from None
    try:
        return _stored(folder, entry, source)
    except (KeyError, TypeError, AttributeError) as error:
        raise VlmcarError(
            f"{folder / 'verdict.json'} is not as it was written ({type(error).__name__}: {error}); {_again(folder)}"
        ) from None


def _stored(folder: Path, entry: Mapping[str, Any], source: str) -> StoredProgram:
    program = Program(tuple(SubTask(**row) for row in entry["subtasks"]), source)
    if program.hash != entry["program_hash"]:
        raise VlmcarError(
            f"{folder / 'program.py'} is not the program that was verified ({entry['program_hash']}); {_again(folder)}"
        )
    checks = tuple(Check(**row) for row in entry["checks"])
    return StoredProgram(
        program,
        Verdict(entry["accepted"], checks),
        entry["attempts"],
        entry["vlm_calls"],
        entry["vlm_model"],
        folder,
        entry.get("vlm_ledger", {}),
        tuple(entry["frame_shape"]) if entry.get("frame_shape") else None,
    )


def _again(folder: Path) -> str:
    return f"remove {folder} to have it made again"
