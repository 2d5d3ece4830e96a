"""What stands around training: start-up, verification and the report, in seconds."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vlmcar.bench.training import components, spread
from vlmcar.cli import environment
from vlmcar.obtain import obtain_program, verify_program
from vlmcar.record.console import Console
from vlmcar.types import VlmcarError

REFERENCE = Path("results/reference/paper")
_SMALL = (
    "training.steps=2048", "training.record_every=16", "training.eval_episodes=1", "training.final_eval_episodes=1",
    "audit.episodes=1", "logger=none",
)  # fmt: skip
_REPORT = """
import sys
from pathlib import Path
from vlmcar.report.__main__ import main
status = main(sys.argv[1:])
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
sys.exit(status)
"""  # getrusage would count what the process had before it became this one


def starting(env: str, rounds: int) -> dict[str, Any]:
    """Seconds until help and a config error are there, and until a run has trained.

    ``first_training`` ends when the run's first rows are on disk: imports, the environments, the worker, the evaluation
    of the untrained policy, and a rollout of 2,048 steps. Its program is in the store already.
    """
    obtain_program(components(env), Console("bench"))
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        (results / "programs").symlink_to(Path("results/programs").resolve())
        train = [f"env={env}", *_SMALL, f"results={folder}", "overwrite=true"]

        def rows() -> bool:
            return any(results.glob("runs/*/vlmcar/*/*/seed_*/train.csv"))

        measured: dict[str, list[float]] = {"help": [], "config_error": [], "first_training": []}
        for number in range(rounds):
            measured["help"].append(_seconds(["--help"], 0))
            measured["config_error"].append(_seconds(["env=minigird"], 2))
            measured["first_training"].append(_seconds([*train, f"seed={number}"], 0, until=rows))
            for left in results.glob("runs/*/vlmcar/*/*/seed_*/train.csv"):
                left.unlink()
    return {"env": env, **{name: spread(values) for name, values in measured.items()}}


def _seconds(arguments: Sequence[str], status: int, until: Callable[[], bool] | None = None) -> float:
    """That ``run.py`` takes to end, or, with ``until``, that it takes until this is so; it always ends.

    Raises:
        VlmcarError: it did not end with this status, or ended before it was so.
    """
    command = [sys.executable, "run.py", *arguments]
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        while until and not until() and process.poll() is None:
            time.sleep(0.01)
        seconds = time.perf_counter() - started
        errors = process.communicate()[1]
    if process.returncode != status or (until and not until()):
        raise VlmcarError(f"run.py {' '.join(arguments)} ended with {process.returncode}: {errors.strip()}")
    return seconds if until else time.perf_counter() - started


def verification(env: str, rounds: int) -> dict[str, Any]:
    """Seconds to verify the accepted program: the first time in a process, and again, with its trajectories made."""
    built = components(env, "method=vlmcar")
    program = obtain_program(built, Console("bench")).program
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        verdict = verify_program(built, program, Console("bench"))
        seconds.append(time.perf_counter() - started)
        if not verdict.accepted:
            raise VlmcarError(f"{env}: the accepted program is not accepted here")
    return {"env": env, "first": seconds[0], "again": spread(seconds[1:])}


def reporting(rounds: int, reference: Path = REFERENCE) -> dict[str, Any]:
    """Seconds of the report on the reference runs, from their csv files, and the memory of its main process."""
    seconds, most = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _REPORT, "--from-csv", str(reference), "--out", folder]
        for _ in range(rounds):
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True)
            seconds.append(time.perf_counter() - started)
            if done.returncode:
                raise VlmcarError(f"the report on {reference} ended with {done.returncode}: {done.stderr}")
            most = max(most, float(done.stdout.split()[-1]) / 1024)
    with (reference / "runs.csv").open(newline="", encoding="utf-8") as file:
        runs = sum(1 for _ in csv.DictReader(file))
    return {"runs": runs, "seconds": spread(seconds), "memory_mb": most}
