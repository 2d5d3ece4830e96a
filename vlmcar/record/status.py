"""``stage=status``: how far all runs under a results folder are. Small files are read, and nothing is changed."""

from __future__ import annotations

import csv
import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vlmcar.record.folder import CHECKPOINT, EVAL, MANIFEST, POLICY, RESULT, TRAIN, TRAINED, RunFolder
from vlmcar.record.plain import NOTHING, columns, duration, percent

RUNNING = "running"
COMPLETE = "complete"
PREPARING = "running, before training"
AUDITING = "running, training is over"
UNAUDITED = "trained, without its audit"
STOPPED = "stopped"
NO_CHECKPOINT = "stopped before a checkpoint"
PROGRAM_FAILED = "stopped, its program failed"
NOT_BEGUN = "stopped before training"
STATES = (
    RUNNING, PREPARING, AUDITING, STOPPED, UNAUDITED, NO_CHECKPOINT, PROGRAM_FAILED, NOT_BEGUN, COMPLETE
)  # fmt: skip
GOES_ON = (RUNNING, PREPARING, AUDITING)
MOST_ROWS = 40
"""Past so many runs, those that are complete are counted by environment and method."""
_TAIL = 4096
"""Bytes; more than the last row of a csv file."""


@dataclass(frozen=True)
class Status:
    """One run."""

    env: str
    method: str
    vlm: str
    algorithm: str
    seed: str
    state: str
    """One of ``STATES``."""
    steps: int | None
    """Environment steps: of a running run those in its csv files, of a stopped one those of its checkpoint."""
    total: int | None
    """That it is trained for; ``None``: it has not said so."""
    success: float | None
    """Of the last evaluation, in [0, 1]."""
    written: float | None
    """Seconds since a file of it was written."""
    left: float | None
    """Seconds until a running run's training is over, at its speed so far; ``None``: not known, or not running."""


def status_text(results: Path) -> str:
    """The table, and a line with counts and the time that is left."""
    runs = list(statuses(results))
    if not runs:
        return f"no runs under {results / 'runs'}"
    shown = [run for run in runs if run.state != COMPLETE] if len(runs) > MOST_ROWS else runs
    blocks = [_complete(runs)] if shown is not runs else []
    if shown:
        blocks.append(_table(shown))
    return "\n\n".join([*filter(None, blocks), _summary(runs)])


def statuses(results: Path) -> Iterator[Status]:
    """Of every run that has a folder or a lock file, in the order of their paths."""
    depth = "/".join(["*"] * 4)  # env, method, vlm, algorithm
    runs = results / "runs"
    paths = {path.with_suffix("") for path in runs.glob(f"{depth}/seed_*.lock")}
    paths |= {path for path in runs.glob(f"{depth}/seed_*") if path.is_dir()}
    for path in sorted(paths, key=lambda path: (path.parent, _number(path.name), path.name)):
        yield _status(path, time.time())


def held(path: Path) -> bool:
    """Whether a process works in this run's folder, on this machine or, where the file system tells, on another.

    The lock is shared for an instant: a run that begins just then waits for it, up to a second.
    """
    try:
        file = os.open(f"{path}.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(file)  # which lets go of it


def _status(path: Path, now: float) -> Status:
    folder = RunFolder(path)
    env, method, vlm, algorithm, name = path.parts[-5:]
    manifest = folder.read_json(MANIFEST)
    state = _state(folder, manifest)
    running = state in GOES_ON
    done, total = _steps(folder, state), (manifest or {}).get("steps")
    if state == COMPLETE:
        success = (folder.read_json(RESULT) or {}).get("final_success")
    else:
        success = _number_or_none(_last_row(path / EVAL).get("success_rate"))
    return Status(
        env=env,
        method=method,
        vlm=vlm,
        algorithm=algorithm,
        seed=name.removeprefix("seed_"),
        state=state,
        steps=total if state in (COMPLETE, UNAUDITED, AUDITING) else done,
        total=total,
        success=success,
        written=_since(path, now),
        left=_left(path, manifest, done, now) if running and state != PREPARING else None,
    )


def _state(folder: RunFolder, manifest: dict[str, Any] | None) -> str:
    path = folder.path
    if (path / RESULT).is_file() and manifest is not None:
        return COMPLETE
    trained = (path / TRAINED).is_file() and (path / POLICY).is_file()
    if held(path):
        if trained:
            return AUDITING
        return RUNNING if manifest is not None and (path / EVAL).is_file() else PREPARING
    if manifest is None:
        return NOT_BEGUN
    if manifest.get("program_error"):
        return PROGRAM_FAILED
    if trained:
        return UNAUDITED
    return STOPPED if (path / CHECKPOINT).is_file() else NO_CHECKPOINT


def _steps(folder: RunFolder, state: str) -> int | None:
    if state == STOPPED:
        return folder.checkpoint_steps()
    rows = [_last_row(folder.path / name).get("steps") for name in (TRAIN, EVAL)]
    known = [int(steps) for steps in rows if steps and steps.isdigit()]
    return max(known, default=None)


def _left(path: Path, manifest: dict[str, Any] | None, done: int | None, now: float) -> float | None:
    """From the steps of this session and the time until its last row, evaluations included."""
    try:
        assert manifest is not None
        session = manifest["sessions"][-1]
        began = datetime.fromisoformat(session["started"]).timestamp()
        last = max((path / name).stat().st_mtime for name in (TRAIN, EVAL) if (path / name).exists())
        since = int(done or 0) - int(session["first_step"])
        total = int(manifest["steps"])
    except (AssertionError, KeyError, IndexError, TypeError, ValueError, OSError):
        return None
    if since <= 0 or last <= began:
        return None
    whole = (total - int(done or 0)) * (last - began) / since
    return max(whole - (now - last), 0.0)


def _since(path: Path, now: float) -> float | None:
    """Since the newest of the files that a run writes as it goes on."""
    times = []
    for name in (MANIFEST, TRAIN, EVAL, CHECKPOINT, TRAINED, RESULT):
        try:
            times.append((path / name).stat().st_mtime)
        except OSError:
            continue
    return max(now - max(times), 0.0) if times else None


def _last_row(path: Path) -> dict[str, str]:
    """Of a csv file, read from its ends; empty where there is none. A half-written last line is left out."""
    try:
        with path.open("rb") as file:
            header = file.readline().decode()
            file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - _TAIL))
            tail = file.read().decode(errors="replace")
    except OSError:
        return {}
    rows = tail[: tail.rfind("\n") + 1].splitlines()
    if not rows:
        return {}
    values = next(csv.reader([rows[-1]]))
    return dict(zip(next(csv.reader([header])), values, strict=False))


def _number(name: str) -> int:
    digits = name.removeprefix("seed_")
    return int(digits) if digits.isdigit() else -1


def _number_or_none(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _table(runs: Iterable[Status]) -> str:
    rows = [
        [
            run.env, run.method, run.vlm, run.algorithm, run.seed, run.state,
            NOTHING if run.steps is None else f"{run.steps:,}",
            NOTHING if run.total is None else f"{run.total:,}",
            percent(run.success),
            NOTHING if run.written is None else f"{duration(run.written)} ago",
            duration(run.left),
        ]
        for run in runs
    ]  # fmt: skip
    header = [
        "env",
        "method",
        "vlm",
        "algorithm",
        "seed",
        "state",
        "steps",
        "of",
        "success",
        "written",
        "left",
    ]
    return columns(header, rows)


def _complete(runs: Sequence[Status]) -> str:
    counts = Counter((run.env, run.method) for run in runs if run.state == COMPLETE)
    all_runs = Counter((run.env, run.method) for run in runs)
    rows = [[*key, str(counts[key]), str(number)] for key, number in all_runs.items()]
    return columns(["env", "method", "complete", "of"], rows)


def _summary(runs: Sequence[Status]) -> str:
    counts = Counter(run.state for run in runs)
    line = f"{len(runs)} runs: " + ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    known = [run.left for run in runs if run.left is not None]
    if not known:
        return line
    left = f"the running ones have {duration(max(known))} left"
    if len(known) > 1:
        left += f", {duration(sum(known))} if one after the other"
    unknown = sum(run.state in GOES_ON and run.left is None for run in runs)
    return f"{line}; {left}" + (f" (of {unknown} more it is not known yet)" if unknown else "")
