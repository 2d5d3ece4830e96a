"""Starting a small sweep, waiting for it to get somewhere, and reading what it left."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT
from vlmcar.record.folder import RunFolder

SMALL = [
    "env=minigrid/doorkey_5x5",
    "logger=none",
    "training.record_every=2048",
    "training.eval_every=8192",
    "training.eval_episodes=3",
    "training.final_eval_episodes=4",
    "training.checkpoint_every=4096",
    "audit.episodes=4",
]


class Sweep:
    """``run.py -m`` with a launcher, as a person would start it.

    Args:
        launcher: a choice of ``hydra/launcher``.
        results: the folder that ``results=`` names.
        overrides: the rest of the command line.
    """

    def __init__(self, launcher: str, results: Path, *overrides: str) -> None:
        self.results = results
        self.overrides = ["-m", f"hydra/launcher={launcher}", *SMALL, f"results={results}", *overrides]

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        """The running sweep; whatever is left of it at the end is killed, jobs and all."""
        process = subprocess.Popen(
            [sys.executable, "run.py", *self.overrides],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            kill_tree(process.pid)
            process.communicate()

    def finish(self) -> subprocess.CompletedProcess[str]:
        """The same command, to its end."""
        with self.started() as process:
            out, err = process.communicate(timeout=600)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def folder(self, method: str, seed: int) -> RunFolder:
        vlm = "none" if method == "sparse" else "offline"
        return RunFolder(
            self.results / f"runs/minigrid-doorkey_5x5/{method}/{vlm}/ppo/seed_{seed}"
        )  # fmt: skip

    def wait_for_checkpoint(self, process: subprocess.Popen[str], *folders: RunFolder) -> None:
        """Until each of these runs could be resumed."""
        wait(lambda: all(folder.checkpoint_steps() for folder in folders), process)
        assert not any((folder.path / "result.json").exists() for folder in folders)

    def resumed_at(self, method: str, seed: int) -> list[int]:
        """Steps at which a complete run went on; its curve must have every evaluation once."""
        folder = self.folder(method, seed)
        result = folder.read_json("result.json")
        assert result is not None, f"{folder.path} is not complete"
        with (folder.path / "eval.csv").open(newline="", encoding="utf-8") as file:
            steps = [int(row["steps"]) for row in csv.DictReader(file)]
        assert steps[0] == 0
        assert steps[-1] == result["steps"]
        assert steps == sorted(set(steps))
        assert result["command"].startswith("python run.py -m hydra/launcher=")  # not a worker's own words
        resumed: list[int] = result["resumed_at"]
        return resumed

    def assert_one_program(self) -> None:
        """However many jobs needed it, the program was written in one conversation, and every run has it."""
        programs = [path.parent for path in (self.results / "programs").rglob("program.py")]
        assert len(programs) == 1
        hashes = {json.loads(path.read_text())["program_hash"] for path in self._results("vlmcar")}
        assert len(hashes) == 1
        conversation = (programs[0] / "conversation.jsonl").read_bytes()
        for path in self._results("vlmcar"):
            assert (path.parent / "conversation.jsonl").read_bytes() == conversation

    def _results(self, method: str) -> list[Path]:
        return sorted((self.results / "runs/minigrid-doorkey_5x5" / method).rglob("result.json"))


def wait(condition: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 600) -> None:
    """Until the condition holds; a process that ends before it does is shown."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()}")
        assert time.monotonic() < deadline, f"nothing in {seconds} s"
        time.sleep(0.05)


def kill_tree(pid: int) -> None:
    """Kill a process and all that came from it, as a machine's death would; done when they are gone."""
    try:
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=30)


def jobs(process: subprocess.Popen[str], words: str) -> list[psutil.Process]:
    """The sweep's descendants that have these words in their command lines."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if words in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found
