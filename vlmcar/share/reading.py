"""A stranger's folder, read with care: nothing of it is run, and nothing is taken that it does not list.

Names, sizes and hashes first, then what the files say. Whoever wrote the folder wrote the hashes, too: these find
damage, and not deceit. What is claimed of the program stays a claim.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlmcar.program.screening import MAX_BYTES, screen
from vlmcar.share.bundle import FORMAT, MAX_FRAME_SIDE, NAME, REQUIRED, TASK, Manifest, SharedFile, digest
from vlmcar.types import Check, Program, SubTask, Verdict, VlmcarError
from vlmcar.verification.store import SHARED

MAX_LIST = 200_000
"""Bytes of ``shared.json``."""
MAX_FILES = 500
MAX_FILE = 4_000_000
"""Bytes."""
MAX_ALL = 64_000_000
"""Bytes of all files together."""
_SUBTASK = re.compile(r"[a-z][a-z0-9_]{0,59}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PNG = b"\x89PNG\r\n\x1a\n"
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Claim:
    """What a shared folder says."""

    manifest: Manifest
    program: Program
    verdict: Verdict
    vlm_model: str
    contents: Mapping[str, bytes]
    """Of each listed file."""


def read(folder: Path, origin: str) -> Claim:
    """Read a shared program, and check all that can be checked without running it.

    Args:
        folder: where it lies.
        origin: what an error calls it.

    Raises:
        VlmcarError: says which file is not as it should be.
    """
    try:
        manifest = read_manifest(folder)
        contents = {name: _content(folder, name, file.bytes) for name, file in manifest.files.items()}
        for name, content in contents.items():
            _check(digest(content) == manifest.files[name], f"{name} is not the file that {SHARED} lists")
            if name.endswith(".png"):
                _check_picture(name, content)
        return _claim(manifest, contents)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        what = (
            str(error) if isinstance(error, _Refused) else f"{type(error).__name__}: {printable(str(error))}"
        )
        raise VlmcarError(f"{printable(origin)} is no shared program that can be taken: {what}") from None


def read_manifest(folder: Path) -> Manifest:
    """The list alone: every name, size and value in it is as it may be.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError: it is not there, or not so.
    """
    entry = json.loads(_content(folder, SHARED))
    told = printable(str(entry["format"]))
    _check(entry["format"] == FORMAT, f"its format is {told}, and this vlmcar reads {FORMAT}")
    files = {name: SharedFile(file["bytes"], file["sha256"]) for name, file in entry["files"].items()}
    for name, file in files.items():
        _check(NAME.fullmatch(name) is not None, f"a file may not be called {printable(name)!r}")
        limit = MAX_BYTES if name == "program.py" else MAX_FILE
        _check(type(file.bytes) is int and 0 < file.bytes <= limit, f"{name} may have 1 to {limit:,} bytes")
        _check(_DIGEST.fullmatch(file.sha256) is not None, f"{name} has no SHA-256")
    missing = [name for name in REQUIRED if name not in files]
    _check(not missing, f"it lists no {', '.join(missing)}")
    _check(len(files) <= MAX_FILES, f"it lists more than {MAX_FILES} files")
    _check(
        sum(file.bytes for file in files.values()) <= MAX_ALL, f"its files have more than {MAX_ALL:,} bytes"
    )
    _check(
        TASK.fullmatch(entry["task"]) is not None, "its task's name holds more than letters, digits, - and _"
    )
    height, width, channels = entry["frame_shape"]
    sides = all(type(side) is int and 1 <= side <= MAX_FRAME_SIDE for side in (height, width))
    _check(sides and channels == 3, "frame_shape must be [height, width, 3]")
    version, program_hash = printable(entry["vlmcar"]), printable(entry["program_hash"])
    return Manifest(version, entry["task"], program_hash, (height, width, 3), files)


def printable(text: str, length: int = 200) -> str:
    """A stranger's text as it may reach a terminal: one line, cut, without control characters."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: length + 1])
    return line if len(line) <= length else f"{line[: length - 3]}..."


class _Refused(ValueError):
    """Says itself what is wrong."""


def _check(right: bool, wrong: str) -> None:
    if not right:
        raise _Refused(wrong)


def _content(folder: Path, name: str, size: int | None = None) -> bytes:
    """A regular file of this size, read through no link; ``None``: of at most ``MAX_LIST`` bytes."""
    path = folder / name
    linked = path.is_symlink() or (path.parent != folder and path.parent.is_symlink())
    _check(not linked, f"{name} is a link")
    # NONBLOCK: a pipe of that name would be waited for.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        told = os.fstat(file.fileno())
        _check(stat.S_ISREG(told.st_mode), f"{name} is no file")
        limit = MAX_LIST if size is None else size
        content = file.read(limit + 1)
    _check(len(content) <= limit, f"{name} is larger than {limit:,} bytes")
    return content


def _check_picture(name: str, content: bytes) -> None:
    """By its head alone: nothing is decoded that would not fit."""
    _check(content[:8] == _PNG and content[12:16] == b"IHDR" and len(content) >= 24, f"{name} is no PNG")
    sides = struct.unpack(">II", content[16:24])
    _check(max(sides) <= MAX_FRAME_SIDE, f"{name} has more than {MAX_FRAME_SIDE} pixels a side")


def _claim(manifest: Manifest, contents: Mapping[str, bytes]) -> Claim:
    entry = json.loads(contents["verdict.json"])
    subtasks = tuple(_subtask(**row) for row in entry["subtasks"])
    program = Program(subtasks, contents["program.py"].decode("utf-8"))
    _check(
        manifest.program_hash == entry["program_hash"] == program.hash,
        "program.py has another hash than is said",
    )
    if problems := screen(program.source, subtasks):
        raise _Refused(
            f"program.py breaks the rules: {'; '.join(printable(problem) for problem in problems)}"
        )
    _check(type(entry["accepted"]) is bool, "verdict.json does not say whether it was accepted")
    verdict = Verdict(entry["accepted"], tuple(_row(**row) for row in entry["checks"]))
    replies = _replies(contents)
    _check(
        any(program.source.strip() in reply for reply in replies),
        "program.py is no answer of its conversation",
    )
    return Claim(manifest, program, verdict, printable(entry["vlm_model"]), contents)


def _subtask(name: str, description: str) -> SubTask:
    _check(_SUBTASK.fullmatch(name) is not None, f"a sub-task may not be called {printable(name)!r}")
    return SubTask(name, printable(description, 1000))


def _row(**values: Any) -> Check:
    check = Check(**values)
    types = (str, str | None, str, int, int | float, str, bool)
    right = all(isinstance(value, kind) for value, kind in zip(vars(check).values(), types, strict=True))
    _check(right, "verdict.json has a check that is none")
    texts: dict[str, Any] = {
        n: printable(value) for n, value in vars(check).items() if isinstance(value, str)
    }
    return replace(check, **texts)


def _replies(contents: Mapping[str, bytes]) -> list[str]:
    """What the VLM said, in a conversation that shows pictures of its own folder only."""
    replies = []
    for line in filter(None, contents["conversation.jsonl"].decode("utf-8").split("\n")):
        row = json.loads(line)
        _check(
            row["role"] in _ROLES and isinstance(row["text"], str),
            "conversation.jsonl has a turn that is none",
        )
        for image in row.get("images", ()):
            shown = f"images/{image}"
            _check(shown in contents, f"conversation.jsonl shows {printable(shown)!r}, which is not listed")
        if row["role"] == "assistant":
            model = row["reply"]["model"]
            _check(
                model == printable(model), "conversation.jsonl has a reply by somebody who cannot be named"
            )
            replies.append(row["text"].replace("\r\n", "\n").replace("\r", "\n"))
    return replies
