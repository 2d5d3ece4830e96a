"""The run folder: everything a run leaves, and how far it got."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vlmcar.types import VlmcarError

MANIFEST, RESULT, CONFIG = "manifest.json", "result.json", "config.yaml"
CHECKPOINT, POLICY = "checkpoint.zip", "policy.zip"
TRAIN, EVAL = "train.csv", "eval.csv"
LEDGER, ANSWERS = "ledger.json", "answers.npz"
REFINEMENTS = "refinements.json"
ASIDE = "exploited_"
TRAINED = "trained.json"
_ROWS = "rows.json"
"""In a checkpoint: how far the csv files were."""
_OF_A_TRAINING = (
    TRAINED,
    CHECKPOINT,
    POLICY,
    TRAIN,
    EVAL,
    ANSWERS,
    "checkpoint.partial.zip",
    "policy.partial.zip",
)


class OtherConfig(VlmcarError):
    """The folder belongs to a run with other settings."""


def how_far(done: float, of: int) -> str:
    """A mean number of sub-tasks, as people are told it."""
    return f"{done:.1f} of {of}"


class RunFolder:
    """``<results>/runs/<env>/<method>/<vlm>/<algorithm>/seed_<n>/``.

    ``result.json`` is written last and atomically: its presence means that the run is complete.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim(self, config_hash: str, settings: Mapping[str, Any], overwrite: bool) -> str:
        """Make the folder this run's.

        Args:
            config_hash: of ``settings``.
            settings: what the run's numbers depend on.
            overwrite: replace a run that was made with other settings.

        Returns:
            ``new``, ``resume`` (a checkpoint is there), ``trained`` (its training is over) or ``complete``.

        Raises:
            OtherConfig: it was made with other settings and ``overwrite`` is false.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        state = self.state(config_hash)
        if state == "other" and not overwrite:
            raise OtherConfig(self._what_is_there(settings))
        if state in ("other", "new"):
            self.clear(same_run=state == "new" and self.read_json(MANIFEST) is not None)
            return "new"
        return state

    def state(self, config_hash: str) -> str:
        """What a run with these settings would find here; nothing is touched.

        Returns:
            ``new``, ``resume`` (a checkpoint is there), ``trained`` (its training is over), ``complete``, or ``other``:
            a run made with other settings, or one whose manifest is broken, or gone beside a result.
        """
        manifest = self.read_json(MANIFEST)
        finished = self.read_json(RESULT) is not None
        if manifest is None:  # a broken one may have belonged to a long run
            return "other" if finished or (self.path / MANIFEST).exists() else "new"
        if manifest.get("config_hash") != config_hash:
            return "other"
        if finished:
            return "complete"
        if self.read_json(TRAINED) is not None and (self.path / POLICY).is_file():
            return "trained"
        return "new" if self.checkpoint_steps() is None else "resume"

    def _what_is_there(self, settings: Mapping[str, Any]) -> str:
        """Why a run with these settings cannot have this folder."""
        manifest = self.read_json(MANIFEST)
        if manifest is None:
            state = "cannot be read" if (self.path / MANIFEST).exists() else "is missing beside a result"
            return (
                f"{self.path / MANIFEST} {state}, so nobody knows which run this was; add overwrite=true to replace "
                "it, or label=<name> for a run beside it"
            )
        differ = _differences(manifest.get("settings", {}), settings)
        return (
            f"{self.path} holds a run made with other settings ({differ}); add label=<name> for a variant "
            "beside it, results=<folder> for another place, or overwrite=true to replace it"
        )

    def clear(self, same_run: bool = False) -> None:
        """Remove what an earlier run wrote; ``result.json`` first, so that no half is read as whole.

        Args:
            same_run: it begins again; what it has spent stays spent, and what its manifest says stands until
                it writes another.
        """
        others = (RESULT,) if same_run else (RESULT, MANIFEST, LEDGER, REFINEMENTS)
        for name in (*others, *_OF_A_TRAINING):
            (self.path / name).unlink(missing_ok=True)
        if not same_run:
            for aside in self.path.glob(f"{ASIDE}*"):
                shutil.rmtree(aside)

    def put_aside(self, number: int) -> None:
        """Keep a training that is not the last one in a folder ``exploited_<number>``, its picture and program, too.

        The folder has that name when all is in it; again after a kill, this does what is left.
        """
        whole = self.path / f"{ASIDE}{number}"
        if whole.is_dir():
            return
        aside = self.path / f"{ASIDE}{number}.partial"
        aside.mkdir(exist_ok=True)
        for name in (*_OF_A_TRAINING, "program.py", "verdict.json", "conversation.jsonl", "audit.png"):
            if (self.path / name).exists():
                os.replace(self.path / name, aside / name)
        for name in ("images", "episodes"):
            if (self.path / name).is_dir():
                shutil.copytree(self.path / name, aside / name, dirs_exist_ok=True)
        os.replace(aside, whole)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one process.

        Raises:
            VlmcarError: another process holds it, or this file system has no locks.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.path}.lock", fallback_to_soft=False)  # the fallback lets two in at once
        try:
            lock.acquire(timeout=1)  # `stage=status` looks at it for an instant
        except Timeout:
            raise VlmcarError(f"this run is going on in another process: {self.path}") from None
        except OSError as error:
            raise VlmcarError(
                f"{self.path} cannot be locked ({error.strerror}), and two processes might write it at once; give "
                "results=<folder> on a file system with locks (docs/scale.md)"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def read_json(self, name: str) -> dict[str, Any] | None:
        """The file's content, or ``None`` if it is missing or broken."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def write_json(self, name: str, content: Mapping[str, Any], durable: bool = True) -> None:
        """Whole or not at all; ``durable``: also if the machine goes down, which takes a moment."""
        temporary = self.path / f"{name}.partial"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, indent=1) + "\n")
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, self.path / name)

    def append(self, name: str, row: Mapping[str, float]) -> None:
        """Add a csv row, with the header if it is the first."""
        with (self.path / name).open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if file.tell() == 0:  # also of a run that was killed between making the file and writing into it
                writer.writeheader()
            writer.writerow(
                {key: "" if value != value else value for key, value in row.items()}
            )  # nan: empty

    def save_checkpoint(self, checkpoint: Any) -> None:
        """What can ``save`` itself to a path, with word of the csv rows that it goes with; as `save`."""

        def save(path: Path) -> None:
            checkpoint.save(path)
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(_ROWS, json.dumps({name: self._rows(name) for name in (TRAIN, EVAL)}))

        self._save(CHECKPOINT, save)

    def save(self, name: str, what: Any) -> None:
        """What can ``save`` itself to a path, as a zip, whole or not at all, also if the machine goes down."""
        self._save(name, what.save)

    def _save(self, name: str, save: Callable[[Path], None]) -> None:
        temporary = self.path / f"{Path(name).stem}.partial.zip"
        save(temporary)
        _sync(temporary)
        os.replace(temporary, self.path / name)

    def _rows(self, name: str) -> dict[str, Any]:
        """Bytes of a csv file and their hash; they are on the disk after this."""
        path = self.path / name
        if not path.exists():
            return {"bytes": 0, "sha256": _hash(b"")}
        _sync(path)
        content = path.read_bytes()
        return {"bytes": len(content), "sha256": _hash(content)}

    def checkpoint_steps(self) -> int | None:
        """Environment steps that the checkpoint has learned from; ``None``: no readable checkpoint."""
        try:
            with zipfile.ZipFile(self.path / CHECKPOINT) as archive:
                return int(json.loads(archive.read("data"))["num_timesteps"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def rewind(self) -> None:
        """Drop the csv rows that came after the checkpoint.

        Raises:
            VlmcarError: those before it are not what they were: what is computed from the curve would be wrong.
        """
        with zipfile.ZipFile(self.path / CHECKPOINT) as archive:
            written = json.loads(archive.read(_ROWS)) if _ROWS in archive.namelist() else {}
        for name in (TRAIN, EVAL):
            path = self.path / name
            content = path.read_bytes() if path.exists() else b""
            before = written.get(name, {"bytes": -1})
            kept = content[: before["bytes"]]
            if len(kept) != before["bytes"] or _hash(kept) != before["sha256"]:
                raise VlmcarError(
                    f"{path} is not as it was when {CHECKPOINT} was written: put it back, or remove "
                    f"{self.path / CHECKPOINT} to train anew"
                )
            if len(kept) < len(content):
                temporary = self.path / f"{name}.partial"
                temporary.write_bytes(kept)
                os.replace(temporary, path)

    def subtasks_done(self, of: int) -> str:
        """How far training's latest episodes got on average, as ``1.0 of 3``; empty where nobody knows.

        Args:
            of: number of sub-tasks; 0: there are none.
        """
        known = ""
        if of and (self.path / TRAIN).exists():
            with (self.path / TRAIN).open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    known = row.get("subtasks_done") or known
        return how_far(float(known), of) if known else ""

    def first_step_with_success(self, rate: float, column: str) -> int | None:
        """Steps at the first evaluation with at least this rate in ``column``; ``None``: it never came."""
        with (self.path / EVAL).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if float(row[column]) >= rate:
                    return int(row["steps"])
        return None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sync(path: Path) -> None:
    """Wait until it is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], most: int = 3) -> str:
    """``group.key old -> new`` for the settings that differ, ``most`` of them."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    shown = [f"{key} {before.get(key)} -> {now.get(key)}" for key in keys[:most]]
    return ", ".join(shown) + (f" and {len(keys) - most} more" if len(keys) > most else "")
