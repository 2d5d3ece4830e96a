"""``python -m vlmcar.scale.scans WHAT RESULTS``: one reader of all run folders, in its own process."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlmcar.record.folder import MANIFEST, RunFolder


def measure(what: str, results: Path) -> dict[str, float]:
    """Seconds, and the most memory in megabytes, of one of ``SCANS`` in a new process; imports are not timed."""
    command = [sys.executable, "-m", "vlmcar.scale.scans", what, str(results)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _walk(results: Path) -> Callable[[], Any]:
    """Only names: the least that any scan takes."""
    return lambda: sum(len(names) for _, _, names in os.walk(results))


def _states(results: Path) -> Callable[[], Any]:
    """Every run's state, as ``python -m vlmcar.paper --plan`` asks for it."""

    def scan() -> int:
        folders = [Path(path) for path, _, names in os.walk(results / "runs") if MANIFEST in names]
        for folder in folders:
            run = RunFolder(folder)
            run.state((run.read_json(MANIFEST) or {})["config_hash"])
        return len(folders)

    return scan


def _read(results: Path) -> Callable[[], Any]:
    """What the report reads."""
    from vlmcar.report.results import read_runs

    return lambda: len(read_runs(results).runs)


def _report(results: Path) -> Callable[[], Any]:
    """The whole of ``python -m vlmcar.report``."""
    from vlmcar.report.__main__ import main

    def scan() -> None:
        with tempfile.TemporaryDirectory() as out:
            main(["--results", str(results), "--out", out])

    return scan


SCANS: dict[str, Callable[[Path], Callable[[], Any]]] = {
    "walk": _walk,
    "states": _states,
    "read": _read,
    "report": _report,
}


def main() -> None:
    what, results = sys.argv[1], Path(sys.argv[2])
    scan = SCANS[what](results)
    started = time.perf_counter()
    scan()
    seconds = time.perf_counter() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    main()
