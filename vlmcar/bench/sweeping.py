"""How much more a sweep gets done on all cores than on one, and the memory of its runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlmcar.bench.training import components, spread
from vlmcar.cli import environment
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.record.processes import below
from vlmcar.types import VlmcarError

_SECONDS_BETWEEN_LOOKS = 0.2


def sweeping(env: str, methods: Sequence[str], rounds: int, steps: int) -> dict[str, Any]:
    """The same sweep on one core and on all, in turns; two runs per core and method.

    Returns:
        Per method seconds on one core and on all, and how many times faster the latter is; and in MB the most that a
        run's process had, and one of its sandbox workers, libraries shared with others included.
    """
    obtain_program(components(env), Console("bench"))
    cores = sorted(os.sched_getaffinity(0))
    seeds = ",".join(str(seed) for seed in range(2 * len(cores)))
    memory = {"run": 0.0, "worker": 0.0}
    measured = {}
    for method in methods:
        times: dict[str, list[float]] = {"one_core": [], "all_cores": []}
        for _ in range(rounds):
            for name, given in (("one_core", cores[:1]), ("all_cores", cores)):
                with tempfile.TemporaryDirectory() as folder:
                    (Path(folder) / "programs").symlink_to(Path("results/programs").resolve())
                    sweep = [f"env={env}", f"method={method}", f"seed={seeds}", f"training.steps={steps}"]
                    times[name].append(_seconds([*sweep, f"results={folder}", "logger=none"], given, memory))
        ratios = [one / all_ for one, all_ in zip(times["one_core"], times["all_cores"], strict=True)]
        measured[method] = {name: spread(values) for name, values in times.items()} | {
            "ratio": spread(ratios)
        }
    return {"env": env, "cores": len(cores), "steps": steps, "methods": measured, "memory_mb": memory}


def _seconds(arguments: Sequence[str], cores: Iterable[int], memory: dict[str, float]) -> float:
    """That the sweep takes on these cores; ``memory`` grows to the most that its processes had."""
    given = set(cores)
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "run.py", "-m", *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, given),
    ) as process:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_BETWEEN_LOOKS)
                break
            for name, mark in (("run", "-m vlmcar.sweep.process"), ("worker", "-m worker ")):
                memory[name] = max([memory[name], *map(_most, below(process.pid, mark))])
        seconds = time.perf_counter() - started
        assert process.stderr is not None
        if process.returncode:
            raise VlmcarError(f"the sweep {' '.join(arguments)} failed: {process.stderr.read().strip()}")
    return seconds


def _most(pid: int) -> float:
    """MB that a process has had at most; 0 where it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
