"""``push`` and ``pull``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vlmcar.share import hub
from vlmcar.share.bundle import write
from vlmcar.share.reading import read
from vlmcar.types import Program, Verdict, VlmcarError
from vlmcar.verification.store import SHARED, StoredProgram

PULLED = Path("results/pulled")
"""Where ``pull`` puts programs."""
_HUB = "hf://"


@dataclass(frozen=True)
class PulledProgram:
    """A stranger's program. It is no ``StoredProgram``: nothing trains on it before it was verified here."""

    program: Program
    claimed: Verdict
    """What whoever shared it says was measured."""
    vlm_model: str
    """Who answered, as they say."""
    task: str
    frame_shape: tuple[int, int, int]
    """(height, width, 3) of the frames that it judges."""
    folder: Path
    """``vlm=offline vlm.recordings=<folder>`` replays its conversation."""
    origin: str
    """Where it came from; of the Hub with its commit."""

    verified = False


def push(
    what: StoredProgram | str | Path,
    to: str | Path,
    *,
    task: str | None = None,
    frame_size: Sequence[int] | None = None,
    private: bool = False,
) -> str:
    """Share an accepted program: its source, its verdict, the conversation that it came from, and a page about it.

    Args:
        what: a program of the store, or its folder, such as ``results/programs/minigrid-doorkey_5x5/offline/<key>``.
        to: a folder that is not there yet, or ``hf://owner/name`` of the Hugging Face Hub, where the repository is made
            or its content replaced.
        task: what it is called; ``None``: as the store calls it.
        frame_size: (height, width) of the frames that it judges; ``None``: as the store knows it.
        private: of a repository that is made: only its owner sees it.

    Returns:
        Where it is: the folder, or ``hf://owner/name@commit``.

    Raises:
        VlmcarError: it was not accepted, is not whole, or could not be brought there.
    """
    if str(to).startswith(_HUB):
        hub.parse(str(to))
    elif Path(to).exists():
        raise VlmcarError(f"{to} is there already: give a folder that is not")
    with _scratch(None if str(to).startswith(_HUB) else Path(to).absolute().parent) as scratch:
        write(what, scratch, task, frame_size)
        read(scratch, str(what))  # what could not be pulled is not pushed
        if str(to).startswith(_HUB):
            return hub.upload(scratch, str(to), private)
        _move(scratch, Path(to))
    return str(to)


def pull(from_: str | Path, into: str | Path = PULLED) -> PulledProgram:
    """Take a shared program. Nothing of it is run, and it counts as not verified, whatever it says of itself.

    Args:
        from_: a folder that `push` wrote, ``hf://owner/name``, or ``hf://owner/name@revision``.
        into: the folder under which it gets one of its own, ``<task>-<program hash>``.

    Raises:
        VlmcarError: it is not there, or not as `push` writes it: a file that is not as listed, a link, a name that
            leads elsewhere, more bytes than any program needs, a source that screening refuses.
    """
    with _scratch(None) as scratch:
        origin = hub.download(str(from_), scratch) if str(from_).startswith(_HUB) else str(from_)
        claim = read(scratch if str(from_).startswith(_HUB) else Path(from_), origin)
    folder = Path(into) / f"{claim.manifest.task}-{claim.program.hash}"
    files = {**claim.contents, SHARED: claim.manifest.text().encode()}
    if folder.exists():
        if any(
            read(folder, str(folder)).contents.get(name) != content
            for name, content in claim.contents.items()
        ):
            raise VlmcarError(
                f"{folder} holds the same program with another story: remove it, or give another place as into="
            )
    else:
        with _scratch(Path(into)) as scratch:
            for name, content in files.items():
                (scratch / name).parent.mkdir(exist_ok=True)
                (scratch / name).write_bytes(content)
            _move(scratch, folder)
    return PulledProgram(
        claim.program,
        claim.verdict,
        claim.vlm_model,
        claim.manifest.task,
        claim.manifest.frame_shape,
        folder,
        origin,
    )


@contextmanager
def _scratch(parent: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards, unless it was moved; beside where it is to go, so that it can be."""
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".shared_", dir=parent))
    except OSError as error:
        raise VlmcarError(f"{parent} cannot be written: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(scratch: Path, folder: Path) -> None:
    """Whole or not at all."""
    scratch.chmod(0o755)  # mkdtemp's is for its owner alone
    try:
        os.rename(scratch, folder)
    except OSError as error:
        raise VlmcarError(f"{folder} cannot be written: {error.strerror}") from None
