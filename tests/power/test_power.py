"""The power of verification: programs are made as their names say, labelled by the truth, and counted right."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.conftest import ROOT
from vlmcar.env.minigrid import MiniGrid
from vlmcar.power import labels
from vlmcar.power.__main__ import main
from vlmcar.power.corpus import PROGRAMS, TASKS, _written
from vlmcar.power.labels import agreement, episodes, first_frames, label
from vlmcar.power.mutants import LIARS, balanced, liars, mutants
from vlmcar.power.table import by, by_check, page, rate
from vlmcar.program.sandbox import Sandbox
from vlmcar.program.screening import screen
from vlmcar.types import Program, SubTask

SMALL = Program(
    (SubTask("first", "."), SubTask("second", ".")),
    '"""S."""\nimport numpy as np\n\n\ndef first(initial, frame):\n'
    "    return bool(frame.max() > 100 and initial.any())\n\n\n"
    "def second(initial, frame):\n    return not frame.any()\n",
)
TRUTHS = {
    "pick_up_key": "holding_key or locked_door_open",
    "open_door": "locked_door_open",
    "reach_goal": "on_goal",
}


def test_each_operator_changes_what_it_says() -> None:
    made = {(one.operator, one.where): one.program.source for one in mutants(SMALL)}
    original = ast.unparse(ast.parse(SMALL.source)) + "\n"
    assert original not in made.values()
    changes = {
        ("comparison", "line 6: Gt -> Lt"): "bool(frame.max() < 100 and initial.any())",
        ("number", "line 6: 100 -> 200"): "bool(frame.max() > 200 and initial.any())",
        ("and or", "line 6: And -> Or"): "bool(frame.max() > 100 or initial.any())",
        ("dropped condition", "line 6: number 1 of 2"): "bool(initial.any())",
        ("negation", "line 10: not removed"): "return not (not frame.any())",
        ("constant answer", "line 6: return True"): "def first(initial, frame):\n    return True",
        ("swapped pictures", "line 10: frame"): "return not initial.any()",
        ("opposite", "line 6: max -> min"): "bool(frame.min() > 100 and initial.any())",
    }
    for key, text in changes.items():
        assert text.replace("not (not frame.any())", "not not frame.any()") in made[key], key
    assert all(one.program.subtasks == SMALL.subtasks for one in mutants(SMALL))


def test_mutants_are_drawn_from_all_operators_and_the_same_each_time() -> None:
    made = list(mutants(SMALL))
    drawn = balanced(made, 8, seed=0)
    assert len({one.operator for one in drawn}) >= 7
    assert drawn == balanced(made, 8, seed=0)
    assert drawn[:5] == balanced(made, 5, seed=0)
    everything = balanced(made, 10_000, seed=0)
    assert len(everything) == len({one.program.source for one in made})


@pytest.fixture
def doorkey_programs() -> dict[str, Program]:
    names = list(TRUTHS)
    written = {name: program for name, program, _ in _written("minigrid-doorkey_5x5", "right")}
    assert len(written) >= 10
    return {name: program for name, program in written.items() if [s.name for s in program.subtasks] == names}


def test_liars_pass_screening_and_say_what_they_are_called(
    doorkey: MiniGrid, doorkey_programs: dict[str, Program], sandbox: Sandbox
) -> None:
    made = {one.operator: one.program for one in liars(doorkey_programs["shares"])}
    assert made.keys() == LIARS.keys()
    for program in made.values():
        assert screen(program.source, program.subtasks) == ()
    expert = doorkey.expert(5).frames
    initial, last = expert[:1], expert[-1:]

    def says(liar: str, frame: np.ndarray) -> list[float]:
        worker = sandbox.start(made[liar], frame.shape[1:])
        try:
            return worker.run(initial, frame)[0].tolist()
        finally:
            worker.close()

    assert says("always true", initial) == [1, 1, 1]
    assert says("always false", last) == [0, 0, 0]
    assert says("fires at frame 0", initial) == [1, 1, 1]
    assert says("time step counter", last) == [0, 0, 0]
    assert says("other way round", last) == [1, 1, 1]
    assert says("undone by the next", last) == [0, 0, 1]
    assert says("any change", expert[1:2]) == [1, 1, 1]


def test_the_truth_tells_right_from_wrong(
    doorkey: MiniGrid, doorkey_programs: dict[str, Program], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "SEEDS", labels.Seeds.from_levels(labels.SEEDS.levels[:9], experts=6))
    monkeypatch.setattr(labels, "COUNTS", labels.Counts(60, 3, 20))
    subtasks = doorkey_programs["shares"].subtasks
    labelled = episodes(doorkey)
    assert {known.episode.kind for known in labelled} == {"expert", "random", "near_miss", "hold"}
    for name in doorkey_programs.keys() - {"classes"}:  # which takes an open door for a key
        assert agreement(doorkey_programs[name], TRUTHS, sandbox, labelled) == 1.0, name
    for one in liars(doorkey_programs["shares"]):
        assert label(agreement(one.program, TRUTHS, sandbox, labelled)) == "wrong", one.operator
    for name, liar, truths in _written("minigrid-doorkey_5x5", "liars"):
        assert label(agreement(liar, truths, sandbox, labelled)) == "wrong", name
    crashes = Program(subtasks, doorkey_programs["shares"].source.replace("CELL = 32", "CELL = 0"))
    assert agreement(crashes, TRUTHS, sandbox, labelled) == 0.0
    assert [label(value) for value in (1.0, 0.99, 0.98, 0.951, 0.95, 0.0)] == [
        "right", "right", "unclear", "unclear", "wrong", "wrong",
    ]  # fmt: skip


def test_what_is_done_must_stay_done_in_an_experts_episode() -> None:
    truth = np.array([[0], [0], [1], [1], [1], [1]], bool)
    late = np.array([[0], [0], [0], [1], [1], [1]], bool)
    flickers = np.array([[0], [0], [1], [1], [0], [1]], bool)
    assert [labels._right(said, truth, stays=True) for said in (truth, late, flickers)] == [True, True, False]
    assert labels._right(flickers, truth, stays=False)
    too_late = np.array([[0], [0], [0], [0], [1], [1]], bool)
    at_first = np.array([[1], [0], [1], [1], [1], [1]], bool)
    assert not any(labels._right(said, truth, stays=False) for said in (too_late, at_first, ~truth))


def test_written_programs_pass_screening_and_are_what_their_file_says() -> None:
    for listed in PROGRAMS.glob("*/subtasks.yaml"):
        files = sorted(listed.parent.glob("*/*.py"))
        tasks = OmegaConf.load(listed)["tasks"]
        for task in tasks:
            found = [*_written(task, "right"), *_written(task, "liars")]
            assert sorted(name for name, _, _ in found) == sorted(path.stem for path in files)
            for name, program, truths in found:
                assert screen(program.source, program.subtasks) == (), name
                assert {subtask.name for subtask in program.subtasks} <= truths.keys()


def test_first_frames() -> None:
    progress = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    assert first_frames(progress) == (1, 2)
    assert first_frames(progress[:2]) == (1, None)


ROWS = [
    {"task": task, "name": f"{n}", "origin": "o", "program_hash": f"h{n}", "operator": operator, "agreement": "0.5",
     "label": which, "accepted": accepted, "published": published, "failed": failed}
    for n, (task, operator, which, accepted, published, failed) in enumerate(
        [
            ("a", "right", "right", "1", "1", ""),
            ("a", "right", "right", "0", "1", "stays_done"),
            ("a", "number", "wrong", "0", "1", "expert_on_time near_miss_does"),
            ("b", "number", "wrong", "0", "0", "expert_completes"),
            ("b", "number", "wrong", "1", "1", ""),
            ("b", "number", "unclear", "1", "1", ""),
        ]
    )
]  # fmt: skip


def test_rates_by_hand() -> None:
    wrong = [row for row in ROWS if row["label"] == "wrong"]
    right = [row for row in ROWS if row["label"] == "right"]
    text = page(ROWS, "command", {"h4": "because"})
    assert "6 programs on 2 tasks: 2 right, 3 wrong, 1 left out as unclear" in text
    assert (
        "| verification, all checks, both sets | 0.667 [0.208, 0.939] (2 of 3) | 0.500 [0.095, 0.905] (1 of 2) |"
        in text
    )
    assert "0.333 [0.061, 0.792] (1 of 3) | 1.000 [0.342, 1.000] (2 of 2) |" in text
    assert by(ROWS, "task") == [["a", "1", "1", "0", "2", "1"], ["b", "2", "1", "1", "0", "0"]]
    assert ["`expert_completes`", "1", "1", "0", "0"] in by_check(right, wrong)
    assert ["`stays_done`", "0", "0", "1", "1"] in by_check(right, wrong)
    assert ["`near_miss_does`", "1", "0", "0", "0"] in by_check(right, wrong)
    assert (
        "- b: 4 (right in 50% of the episodes): because"
        in text.split("## Wrong programs that were accepted")[1]
    )
    assert (
        "- a: 1 (right in 50% of the episodes; failed stays_done): not looked into"
        in text.split("## Right programs")[1]
    )
    assert rate([], bool) == "–"


def test_the_committed_table_is_that_of_the_committed_rows(tmp_path: Path) -> None:
    committed = ROOT / "results/reference/verification_power"
    (tmp_path / "programs.csv").write_text((committed / "programs.csv").read_text())
    rows = (committed / "programs.csv").read_text().splitlines()
    assert len(rows) > 300
    main(["--out", str(tmp_path), "--redraw"])
    table = (tmp_path / "power.md").read_text()
    wanted = (committed / "power.md").read_text()
    assert [line for line in table.splitlines() if "Made by" not in line] == [
        line for line in wanted.splitlines() if "Made by" not in line
    ]
    assert {row.split(",")[0].replace("-", "/", 1) for row in rows[1:]} <= set(TASKS)
