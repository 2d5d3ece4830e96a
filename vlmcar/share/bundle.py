"""A shared program: a folder with the program, what was found of it, who wrote it, and a list of all with their hashes.

shared.json          format, vlmcar's version, task, program hash, frame shape, and size and SHA-256 of each file
program.py           the source
verdict.json         what whoever shares it measured: a claim to everybody else
conversation.jsonl   every turn with the VLM, as ``vlm=offline`` replays it, with images/
initial.png goal.png what the VLM was first shown
README.md            all of that in words
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import vlmcar
from vlmcar.share.card import card
from vlmcar.types import VlmcarError
from vlmcar.verification.store import SHARED, StoredProgram, load

FORMAT = 1
REQUIRED = ("program.py", "verdict.json", "conversation.jsonl", "initial.png", "goal.png", "README.md")
NAME = re.compile(rf"{'|'.join(map(re.escape, REQUIRED))}|images/[0-9a-f]{{16}}\.png")
"""Of a file; no other is shared or taken."""
TASK = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_FRAME_SIDE = 4096
"""Pixels."""


@dataclass(frozen=True)
class SharedFile:
    """One line of the list."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """``shared.json``."""

    vlmcar: str
    task: str
    program_hash: str
    frame_shape: tuple[int, int, int]
    """(height, width, 3) of the frames that the program judges."""
    files: Mapping[str, SharedFile]

    def text(self) -> str:
        """As it is written."""
        files = {name: vars(file) for name, file in sorted(self.files.items())}
        return json.dumps({"format": FORMAT, **vars(self), "files": files}, indent=1)


def write(
    what: str | Path | StoredProgram, folder: Path, task: str | None, frame_size: Sequence[int] | None
) -> Manifest:
    """Put a program of the store into an empty folder, as it is shared.

    Args:
        what: a folder of the store, or what is in it.
        folder: is there, and empty.
        task: what it is called; ``None``: as the store calls it.
        frame_size: (height, width) of the frames it judges; ``None``: as the store knows it.

    Raises:
        VlmcarError: it was not accepted, or something of it is not known or not there.
    """
    stored = what if isinstance(what, StoredProgram) else load(what)
    if not stored.verdict.accepted:
        raise VlmcarError(
            f"program {stored.program.hash} in {stored.folder} is not accepted: only verified programs are shared"
        )
    name = task or stored.folder.absolute().parent.parent.name  # <root>/<task>/<vlm>/<key>
    if not TASK.fullmatch(name):
        raise VlmcarError(f"task={name} may hold letters, digits, - and _ only, 64 at most")
    shape = _frame_shape(stored, frame_size)
    for path in _sources(stored.folder):
        target = folder / path.relative_to(stored.folder)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "README.md").write_text(card(stored, name, shape), encoding="utf-8")
    manifest = Manifest(vlmcar.__version__, name, stored.program.hash, shape, _listed(folder))
    (folder / SHARED).write_text(manifest.text(), encoding="utf-8")
    return manifest


def digest(content: bytes) -> SharedFile:
    """Its line of the list."""
    return SharedFile(len(content), hashlib.sha256(content).hexdigest())


def _frame_shape(stored: StoredProgram, frame_size: Sequence[int] | None) -> tuple[int, int, int]:
    size = stored.frame_shape[:2] if frame_size is None and stored.frame_shape else frame_size
    if size is None:
        raise VlmcarError(
            f"{stored.folder} does not say how large the frames are that its program judges: give "
            "frame_size=(height, width)"
        )
    height, width = (int(side) for side in size)
    if not 1 <= min(height, width) <= max(height, width) <= MAX_FRAME_SIDE:
        raise VlmcarError(f"frame_size=({height}, {width}) must be from 1 to {MAX_FRAME_SIDE} pixels a side")
    return height, width, 3


def _sources(folder: Path) -> list[Path]:
    """The store's files that are shared."""
    paths = [folder / name for name in REQUIRED if name != "README.md"]
    if missing := [path for path in paths if not path.is_file()]:
        raise VlmcarError(f"{missing[0]} is missing: only whole entries of results/programs can be shared")
    return [*paths, *sorted((folder / "images").glob("*.png"))]


def _listed(folder: Path) -> dict[str, SharedFile]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in paths}
