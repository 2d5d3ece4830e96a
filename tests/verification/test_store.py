"""Accepted programs are made once, whoever asks at the same time, and an unfinished entry is no entry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
