"""How one run of a sweep ended: a small file per run, so that every launcher can tell, also from another machine."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vlmcar.installation import program

FOLDER = "outcomes"
"""Of these files, in the sweep's folder."""
SWEEP = "sweep.json"
"""Which process is the sweep's own."""
STOP = "stop"
"""A file in the sweep's folder: its runs save a checkpoint and end, and no other begins."""

DONE, COMPLETE, RESUMED = "done", "already complete", "resumed and done"
STOPPED, FAILED, RUNNING, NOT_BEGUN = "stopped", "failed", "still running", "not begun"
STATES = (DONE, COMPLETE, RESUMED, STOPPED, FAILED, RUNNING, NOT_BEGUN)
GOOD = (DONE, COMPLETE, RESUMED)
DIED = "died without a word: killed, or out of memory"


@dataclass(frozen=True)
class Outcome:
    """One run of a sweep."""

    overrides: tuple[str, ...]
    """What the sweep chose for it, as ``key=value``."""
    state: str
    """One of ``STATES``."""
    success: float | None = None
    """Final success rate in [0, 1]; ``None``: the run has none."""
    seconds: float | None = None
    """That it took in this sweep."""
    reason: str = ""
    """Of what did not end well, in one line."""
    host: str = ""
    pid: int = 0
    """Of the process that waits for it."""


def say_begun(sweep: Path) -> None:
    """Leave word in the sweep's folder that this process is the sweep's own."""
    sweep.mkdir(parents=True, exist_ok=True)
    temporary = sweep / f"{SWEEP}.partial"
    me = {"host": _where(), "pid": os.getpid(), "began": _began(os.getpid())}
    temporary.write_text(json.dumps(me) + "\n", encoding="utf-8")
    os.replace(temporary, sweep / SWEEP)


def abandoned(sweep: Path) -> bool:
    """Whether the sweep's own process is gone; of one on another machine nothing is known, and it counts as there."""
    try:
        who = json.loads((sweep / SWEEP).read_text(encoding="utf-8"))
    except OSError:  # begun by other means, or at its end
        return False
    if "SLURM_JOB_ID" in os.environ:  # a cluster's jobs go on without who gave them
        return False
    here = who["host"] == _where()
    return here and (not _alive(who["pid"]) or _began(who["pid"]) != who["began"])


def begun(overrides: tuple[str, ...]) -> Outcome:
    """A run that this process begins now."""
    return Outcome(overrides, RUNNING, host=socket.gethostname(), pid=os.getpid())


def write(sweep: Path, number: int, outcome: Outcome) -> None:
    """Keep it as that of the sweep's job ``number``, whole or not at all."""
    folder = sweep / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{number}.partial"
    temporary.write_text(json.dumps(asdict(outcome)) + "\n", encoding="utf-8")
    os.replace(temporary, folder / f"{number}.json")


def read_all(sweep: Path) -> dict[int, Outcome]:
    """Job number -> outcome, of the jobs that have begun; one whose process is gone without an end has failed."""
    found = {}
    for path in (sweep / FOLDER).glob("*.json"):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["overrides"] = tuple(content["overrides"])
        found[int(path.stem)] = _as_it_is(Outcome(**content))
    return found


def _as_it_is(outcome: Outcome) -> Outcome:
    if outcome.state != RUNNING:
        return outcome
    if outcome.host != socket.gethostname():
        return replace(outcome, reason=f"no word from {outcome.host} yet; {program()} stage=status")
    return outcome if _alive(outcome.pid) else replace(outcome, state=FAILED, reason=DIED)


def _where() -> str:
    """Where a process's number means something: the machine, and the container."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _alive(pid: int) -> bool:
    """Whether there is such a process, and not only its exit status."""
    return _stat(pid, 0) not in ("", "Z", "X")


def _began(pid: int) -> str:
    """When it did, in the kernel's ticks: numbers of processes come again."""
    return _stat(pid, 19)


def _stat(pid: int, field: int) -> str:
    """A field of ``/proc/<pid>/stat``, counted from the state; empty: there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[field]
    except (OSError, IndexError):
        return ""
