"""Programs from files and folders, which load without being run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import vlmcar
from tests.library.corridor import PROGRAM, SOURCE
from vlmcar.types import Check, Program, SubTask, Verdict, VlmcarError
from vlmcar.verification.store import ProgramStore, StoredProgram

CHECK = Check("expert_completes", None, "held_out/expert", 20, 1.0, ">= 1", True)


@pytest.fixture
def stored(tmp_path: Path) -> StoredProgram:
    subtasks = (PROGRAM.subtasks[0], SubTask("reach_the_end", "As the VLM described it."))
    program = Program(subtasks, SOURCE)
    stored = StoredProgram(program, Verdict(True, (CHECK,)), 1, 3, "nobody", tmp_path, {}, (8, 8, 3))
    ProgramStore.put(stored)
    return stored


def test_a_file_has_its_functions_in_order_each_described_by_its_first_sentence(tmp_path: Path) -> None:
    path = tmp_path / "walk.py"
    path.write_text(SOURCE, encoding="utf-8")
    program = vlmcar.load(path)
    assert program == PROGRAM  # "It does not matter when." is no part of it
    assert program.frame_size is None
    assert vlmcar.load(str(path)).hash == PROGRAM.hash


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "walk.py"
    path.write_text(f"open({str(trace)!r}, 'w')\n{SOURCE}raise SystemExit\n", encoding="utf-8")
    assert [subtask.name for subtask in vlmcar.load(path).subtasks] == ["half_way", "reach_the_end"]
    assert not trace.exists()


def test_a_folder_has_what_was_verified_and_on_frames_of_which_size(stored: StoredProgram) -> None:
    program = vlmcar.load(stored.folder)
    assert program == stored.program
    assert program.frame_size == (8, 8)
    assert vlmcar.load(stored.folder / "program.py") == program  # its verdict lies beside it
    assert vlmcar.load(stored.folder / "program.py").frame_size == (8, 8)


def test_entries_of_before_do_not_say_the_size(stored: StoredProgram) -> None:
    path = stored.folder / "verdict.json"
    entry = json.loads(path.read_text(encoding="utf-8"))
    del entry["frame_shape"]
    path.write_text(json.dumps(entry), encoding="utf-8")
    assert vlmcar.load(stored.folder).frame_size is None


def test_a_folder_whose_program_was_changed_is_refused_and_the_file_is_not(stored: StoredProgram) -> None:
    path = stored.folder / "program.py"
    path.write_text(SOURCE.replace("150", "100"), encoding="utf-8")
    with pytest.raises(VlmcarError, match="is not the program that was verified"):
        vlmcar.load(stored.folder)
    changed = vlmcar.load(path)
    assert "100" in changed.source
    assert changed.frame_size is None
    assert changed.subtasks == PROGRAM.subtasks  # its own docstrings


def test_a_folder_whose_program_was_rejected_is_refused_and_the_file_is_not(stored: StoredProgram) -> None:
    ProgramStore.reject(stored, dataclasses.replace(CHECK, name="replay_audit", passed=False))
    with pytest.raises(VlmcarError, match="has been rejected since: replay_audit"):
        vlmcar.load(stored.folder)
    ProgramStore.put(dataclasses.replace(stored, verdict=Verdict(False, ())))
    with pytest.raises(VlmcarError, match=r"was not accepted; .*program\.py loads it all the same"):
        vlmcar.load(stored.folder)
    assert vlmcar.load(stored.folder / "program.py") == stored.program


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VlmcarError, match=r"nowhere\.py cannot be read"):
        vlmcar.load(tmp_path / "nowhere.py")
    with pytest.raises(VlmcarError, match="holds no accepted program"):
        vlmcar.load(tmp_path)
