"""Accepted programs are made once, whoever asks at the same time, and an unfinished entry is no entry."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar.types import Check, Program, SubTask, Verdict
from vlmcar.verification.store import ProgramStore, StoredProgram

PROGRAM = Program((SubTask("get_key", "The key is gone."),), '"""A key."""\n')


def entry(folder: Path) -> StoredProgram:
    row = Check("expert_completes", None, "held_out/expert", 20, 1.0, ">= 1", True)
    return StoredProgram(PROGRAM, Verdict(True, (row,)), 2, 5, "a person", folder)


def test_what_is_put_is_what_is_got(tmp_path: Path) -> None:
    store = ProgramStore(tmp_path)
    folder = store.folder("task", "vlm", {"prompts": "v1"})
    folder.mkdir(parents=True)
    assert store.get(folder) is None
    store.put(entry(folder))
    assert store.get(folder) == entry(folder)


def test_equal_ingredients_share_an_entry_and_others_do_not(tmp_path: Path) -> None:
    store = ProgramStore(tmp_path)
    one = store.folder("task", "vlm", {"a": 1, "b": [2]})
    assert store.folder("task", "vlm", {"b": [2], "a": 1}) == one
    assert store.folder("task", "vlm", {"a": 1, "b": [3]}) != one


def test_an_entry_without_verdict_is_not_there(tmp_path: Path) -> None:
    store = ProgramStore(tmp_path)
    folder = store.folder("task", "vlm", {})
    folder.mkdir(parents=True)
    (folder / "program.py").write_text("half")
    (folder / "verdict.json.partial").write_text("{")
    assert store.get(folder) is None


def test_who_reads_an_entry_while_it_is_rejected_reads_one_version(tmp_path: Path) -> None:
    store = ProgramStore(tmp_path)
    folder = store.folder("task", "vlm", {})
    folder.mkdir(parents=True)
    store.put(entry(folder))
    before = {name: (folder / name).read_text() for name in ("program.py", "verdict.json")}
    open_files = {name: (folder / name).open() for name in before}
    store.reject(entry(folder), Check("replay_audit", None, "training", 500, 0.9, ">= 1", False))
    for name, file in open_files.items():
        with file:
            assert file.read() == before[name]  # the old file, not a new one half-written in its place
            assert os.fstat(file.fileno()).st_nlink == 0
    stored = store.get(folder)
    assert stored is not None
    assert stored.program == PROGRAM
    assert [check.passed for check in stored.verdict.checks] == [True, False]


def test_who_waits_for_a_program_does_not_try_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    folder = ProgramStore(tmp_path).folder("task", "vlm", {})

    def pause(seconds: float) -> None:  # the maker is done while the other sleeps
        pauses.append(seconds)
        os.close(maker)

    folder.parent.mkdir(parents=True)
    maker = os.open(f"{folder}.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(maker, fcntl.LOCK_EX)
    monkeypatch.setattr(time, "sleep", pause)
    with ProgramStore(tmp_path).lock(folder, lambda text: None) as waited:
        assert waited
    assert len(pauses) == 1
    assert 0.5 <= pauses[0] <= 1.5


MAKER = """
import sys, time
from pathlib import Path
from tests.verification.test_store import entry
from vlmcar.verification.store import ProgramStore

store = ProgramStore(Path(sys.argv[1]))
folder = store.folder("task", "vlm", {})
with store.lock(folder, lambda text: None):
    if store.get(folder) is None:
        with open(Path(sys.argv[1]) / "made", "a") as file:
            file.write("x")
        folder.mkdir(parents=True)
        time.sleep(0.5)
        store.put(entry(folder))
"""


def test_parallel_jobs_make_a_program_once(tmp_path: Path) -> None:
    jobs = [subprocess.Popen([sys.executable, "-c", MAKER, str(tmp_path)], cwd=ROOT) for _ in range(4)]
    assert [job.wait(timeout=60) for job in jobs] == [0] * 4
    assert (tmp_path / "made").read_text() == "x"
