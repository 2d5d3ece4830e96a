"""What the writers left: every file of every run against what the plan says must be in it."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vlmcar.record.folder import CHECKPOINT, EVAL, LEDGER, MANIFEST, POLICY, RESULT, TRAIN, TRAINED
from vlmcar.scale.fake import METHODS, TURNS, FakeRun, program_of
from vlmcar.types import VlmcarError
from vlmcar.verification.store import ProgramStore, load


@dataclass
class Found:
    """Counts over all runs. Everything but the sizes must be 0."""

    incomplete: int = 0
    """Runs without a result that can be read."""
    rows_lost: int = 0
    rows_too_many: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    """File -> in how many runs it is missing, unreadable, or says something else than it must."""
    programs_missing: int = 0
    """Tasks without the one program that was to be made for them."""
    answers_missing: int = 0
    """Kept answers of the VLM that are not there, or cannot be read."""
    left_over: int = 0
    """Files with half a content under a name of their own, which nobody reads; a killed writer may leave one."""
    examples: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """What must be 0."""
        lost = self.incomplete + self.rows_lost + self.rows_too_many
        return lost + sum(self.broken.values()) + self.programs_missing + self.answers_missing


@dataclass(frozen=True)
class Size:
    """What lies in the folder."""

    files: int
    folders: int
    bytes: int
    blocks: int
    """Bytes on disk."""


def check(runs: Sequence[FakeRun], results: Path, bar: bool | None = None) -> Found:
    """Read everything, with code that shares nothing with what wrote it.

    Args:
        runs: the plan.
        results: where the writers wrote.
        bar: show one; ``None``: if this is a terminal.
    """
    found = Found()
    for run in tqdm(runs, "checking", unit="run", disable=None if bar is None else not bar):
        _check_run(run, results, found)
    for task in dict.fromkeys(run.task for run in runs if run.method == METHODS[0]):
        _check_program(task, results, found)
    found.left_over = sum(1 for _ in results.rglob("*.partial*"))
    return found


def size(folder: Path) -> Size:
    """Count it; each file and each folder takes one inode."""
    files = folders = whole = blocks = 0
    for path, below, names in os.walk(folder):
        folders += len(below)
        for name in names:
            about = os.stat(os.path.join(path, name))
            files, whole, blocks = files + 1, whole + about.st_size, blocks + about.st_blocks * 512
    return Size(files, folders, whole, blocks)


def _check_run(run: FakeRun, results: Path, found: Found) -> None:
    folder = run.folder(results).path
    broken = []
    for name in (TRAIN, EVAL):
        lost, extra, same = _compare(folder / name, run.rows(name))
        found.rows_lost += lost
        found.rows_too_many += extra
        if not same:
            broken.append(name)
    result = _json(folder / RESULT)
    found.incomplete += result is None
    about = {
        "env": f"scale-{run.task}",
        "method": run.method,
        "seed": run.seed,
        "config_hash": run.config_hash(),
    }
    if not _says(result, {**about, **run.numbers()}):
        broken.append(RESULT)
    if not _says(_json(folder / MANIFEST), about):
        broken.append(MANIFEST)
    if not _says(_json(folder / TRAINED), run.numbers()):
        broken.append(TRAINED)
    if _json(folder / LEDGER) is None:
        broken.append(LEDGER)
    last = run.sizes.steps // run.sizes.checkpoint_every * run.sizes.checkpoint_every
    broken += [
        name
        for name, steps in ((CHECKPOINT, last), (POLICY, run.sizes.steps))
        if _steps(folder / name) != steps
    ]
    if run.method == METHODS[0] and _text(folder / "program.py") != program_of(run.task).source:
        broken.append("program.py")
    found.broken.update(broken)
    if broken and len(found.examples) < 10:
        found.examples.append(f"{folder.relative_to(results)}: {', '.join(broken)}")


def _check_program(task: str, results: Path, found: Found) -> None:
    folder = ProgramStore(results / "programs").folder(task, "stand_in", {"task": task})
    try:
        found.programs_missing += load(folder).program != program_of(task)
    except VlmcarError:
        found.programs_missing += 1
    answers = (results / "vlm_cache" / "stand_in").rglob("*.json")
    kept = [
        entry for path in answers if (entry := _json(path)) and f'"{task}"' in json.dumps(entry["request"])
    ]
    found.answers_missing += max(0, len(TURNS) - len(kept))


def _compare(path: Path, expected: Sequence[Mapping[str, float]]) -> tuple[int, int, bool]:
    """Rows lost, rows too many, and whether the file is exactly what it must be."""
    text = _text(path)
    rows = list(csv.reader(io.StringIO(text)))
    wanted = [["" if value != value else str(value) for value in row.values()] for row in expected]
    there, due = Counter(map(tuple, rows[1:])), Counter(map(tuple, wanted))
    same = text.endswith("\n") and rows == [list(expected[0]), *wanted]
    return (due - there).total(), (there - due).total(), same


def _says(content: Mapping[str, Any] | None, expected: Mapping[str, Any]) -> bool:
    return content is not None and all(content.get(name) == value for name, value in expected.items())


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(_text(path))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return ""


def _steps(path: Path) -> int | None:
    """Steps in a model's zip; ``None``: it is missing, cut off, or other bytes than were written."""
    try:
        with zipfile.ZipFile(path) as archive:
            return None if archive.testzip() else int(json.loads(archive.read("data"))["num_timesteps"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
