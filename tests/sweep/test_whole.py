"""A sweep as a whole: its table, its exit status, and real ones in which runs fail, are killed, or are stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar.sweep import whole
from vlmcar.sweep.outcome import (
    COMPLETE,
    DIED,
    DONE,
    FAILED,
    FOLDER,
    NOT_BEGUN,
    RESUMED,
    RUNNING,
    STOP,
    STOPPED,
    Outcome,
    begun,
    write,
)
from vlmcar.sweep.whole import Sweep, finish, table, whole_sweep
from vlmcar.types import ConfigError, VlmcarError

QUICK = [
    "env=minigrid/doorkey_5x5",
    "logger=none",
    "method=sparse",
    "training.steps=4096",
    "training.record_every=1024",
    "training.eval_every=2048",
    "training.eval_episodes=3",
    "training.final_eval_episodes=4",
    "training.checkpoint_every=2048",
]
CHOSEN = {"env": "minigrid", "method": "vlmcar", "seed": "0"}


def ended(state: str, *overrides: str, **values: object) -> Outcome:
    return Outcome(overrides, state, **{"seconds": 1.0, **values})  # type: ignore[arg-type]


# The table.


def test_a_row_per_run_with_what_differs_and_why_it_failed() -> None:
    outcomes = [
        ended(DONE, "seed=0", "algorithm.learning_rate=1e-3", "training.steps=9", success=0.256, seconds=200),
        ended(COMPLETE, "seed=1", "algorithm.learning_rate=1e-3", "training.steps=9", success=1.0),
        ended(FAILED, "seed=0", "algorithm.learning_rate=1e-4", "training.steps=9", reason="no key"),
        ended(NOT_BEGUN, "seed=1", "algorithm.learning_rate=1e-4", "training.steps=9", seconds=None),
    ]
    *lines, counts = table(outcomes, CHOSEN, 4000).splitlines()
    assert [line.split() for line in lines] == [
        ["env", "method", "seed", "learning_rate", "outcome", "success", "time", "reason"],
        ["minigrid", "vlmcar", "0", "1e-3", "done", "26%", "3", "min"],
        ["minigrid", "vlmcar", "1", "1e-3", "already", "complete", "100%", "1", "s"],
        ["minigrid", "vlmcar", "0", "1e-4", "failed", "-", "1", "s", "no", "key"],
        ["minigrid", "vlmcar", "1", "1e-4", "not", "begun", "-", "-"],
    ]  # fmt: skip
    assert counts == (
        "4 runs in 1.1 h: 1 done, 1 already complete, 1 failed, 1 not begun. The same command goes on: complete runs "
        "are skipped"
    )


def test_of_many_runs_only_those_that_did_not_end_well_have_rows() -> None:
    outcomes = [ended(DONE, f"seed={seed}") for seed in range(whole.MOST_ROWS)]
    assert len(table(outcomes, CHOSEN, 1).splitlines()) == whole.MOST_ROWS + 2
    outcomes.append(ended(FAILED, "seed=99", reason="lost"))
    _, row, counts = table(outcomes, CHOSEN, 1).splitlines()
    assert row.split() == ["minigrid", "vlmcar", "99", "failed", "-", "1", "s", "lost"]
    assert counts.startswith("41 runs in 1 s: 40 done, 1 failed.")
    many = [ended(FAILED, f"seed={seed}", reason="lost") for seed in range(100)]
    lines = table(many, CHOSEN, 1).splitlines()
    assert len(lines) == whole.MOST_ROWS + 3
    assert lines[-2] == "... and 60 more that did not end well"
    (line,) = table([ended(DONE, f"seed={seed}") for seed in range(100)], CHOSEN, 1).splitlines()
    assert line == "100 runs in 1 s: 100 done"


@pytest.mark.parametrize(
    ("states", "signalled", "status"),
    [
        ([DONE, COMPLETE, RESUMED], None, 0),
        ([DONE, FAILED], None, 1),
        ([STOPPED, FAILED], None, 1),
        ([DONE, NOT_BEGUN], None, 1),
        ([DONE, STOPPED], None, 143),
        ([DONE, STOPPED, FAILED], signal.SIGINT, 130),
        ([STOPPED, NOT_BEGUN], signal.SIGTERM, 143),
    ],
)
def test_the_exit_status_tells_and_one_small_file_stays(
    states: list[str], signalled: int | None, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = [(f"seed={number}",) for number in range(len(states))]
    sweep = Sweep(tmp_path, CHOSEN, planned, signal=signalled)
    for number, state in enumerate(states):
        if state != NOT_BEGUN:  # such a job leaves no file
            write(tmp_path, number, ended(state, *planned[number]))
    if signalled:
        (tmp_path / STOP).touch()
    assert finish(sweep) == status
    assert f"{len(states)} runs" in capsys.readouterr().out
    # A cluster may begin those jobs later, and they ask who was stopped.
    later = signalled is not None and NOT_BEGUN in states
    assert {path.name for path in tmp_path.iterdir()} == {whole.KEPT, *([STOP] if later else [])}
    with (tmp_path / whole.KEPT).open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == states


def test_what_a_second_signal_cut_off_was_stopped_and_did_not_fail_by_itself(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    cut = {**begun(("seed=0",)).__dict__, "pid": 2**22 + 1}
    (tmp_path / FOLDER / "0.json").write_text(json.dumps(cut))
    assert Sweep(tmp_path, CHOSEN, []).outcomes()[0].state == FAILED
    assert Sweep(tmp_path, CHOSEN, [], signal=signal.SIGINT).outcomes()[0].state == STOPPED


def test_runs_that_go_on_elsewhere_keep_their_files(tmp_path: Path) -> None:
    write(tmp_path, 0, Outcome((), RUNNING, host="elsewhere", pid=1))
    assert finish(Sweep(tmp_path, CHOSEN, [])) == 1
    assert (tmp_path / FOLDER / "0.json").is_file()


@pytest.fixture
def begun_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """One whose first job is done and whose second never began."""
    sweep = Sweep(tmp_path, CHOSEN, [("seed=0",), ("seed=1",)])
    write(tmp_path, 0, ended(DONE, "seed=0"))
    monkeypatch.setattr(whole, "_sweeps", [sweep])
    return sweep


def test_a_launcher_that_breaks_ends_with_the_table_and_one_line(
    begun_sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    ended_it = r"^the launcher ended the sweep \(OSError: gone\); the same"
    with pytest.raises(VlmcarError, match=ended_it), whole_sweep():
        raise OSError("gone\nfor good")
    assert "2 runs in 0 s: 1 done, 1 not begun" in capsys.readouterr().out


def test_ctrl_c_ends_with_the_table(begun_sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    begun_sweep.signal = signal.SIGINT
    with pytest.raises(SystemExit) as left, whole_sweep():
        raise KeyboardInterrupt
    assert left.value.code == 130
    assert "1 done, 1 not begun" in capsys.readouterr().out


def test_a_sweep_that_cannot_be_composed_has_no_table(
    begun_sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError), whole_sweep():
        raise ConfigError("wrong")
    assert capsys.readouterr().out == ""


# Real sweeps.


class Real:
    """``python run.py -m`` in a session of its own."""

    def __init__(self, results: Path, *overrides: str) -> None:
        self.results = results
        self.process = subprocess.Popen(
            [sys.executable, "run.py", "-m", *QUICK, f"results={results}", *overrides],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.out = self.err = ""

    def run_folder(self, seed: int) -> Path:
        return self.results / "runs/minigrid-doorkey_5x5/sparse/none/ppo" / f"seed_{seed}"

    def process_of(self, number: int) -> int:
        """The process in which this job's run goes on."""
        (path,) = self.results.glob(f"sweeps/*/{FOLDER}/{number}.json")
        worker = json.loads(path.read_text())["pid"]
        for child in map(int, Path(f"/proc/{worker}/task/{worker}/children").read_text().split()):
            if b"vlmcar.sweep.process" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        raise AssertionError("no run goes on")

    def end(self) -> int:
        self.out, self.err = self.process.communicate(timeout=300)
        return self.process.returncode

    def rows(self) -> dict[str, list[str]]:
        """Seed -> the words of its row in the table."""
        lines = [line.split() for line in self.out.splitlines() if line.startswith("minigrid/doorkey_5x5 ")]
        return {line[2]: line[3:] for line in lines}


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[..., Real]]:
    started = []

    def start(*overrides: str) -> Real:
        started.append(Real(tmp_path, *overrides))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.communicate()


def wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("launcher", ["joblib", "basic"])
def test_complete_failed_and_new_runs_in_one_sweep(sweep: Callable[..., Real], launcher: str) -> None:
    first = sweep("seed=0,1", "hydra/launcher=basic")
    assert first.end() == 0, first.err
    assert "2 runs in" in first.out
    assert first.rows()["0"][0] == "done"
    manifest = first.run_folder(0) / "manifest.json"
    content = json.loads(manifest.read_text())
    content.update(config_hash="other", settings={**content["settings"], "training.steps": 5})
    manifest.write_text(json.dumps(content))

    again = sweep("seed=0,1,2,-1", f"hydra/launcher={launcher}")
    assert again.end() == 1
    rows = again.rows()
    assert rows["0"][0] == "failed"
    assert "other settings (training.steps 5 -> 4096)" in " ".join(rows["0"])
    assert rows["1"][:2] == ["already", "complete"]
    assert rows["2"][0] == "done"
    assert rows["-1"][0] == "failed"
    assert (again.run_folder(2) / "result.json").is_file()
    assert "4 runs in" in again.out
    assert "1 done, 1 already complete, 2 failed. The same command goes on" in again.out
    assert again.err.count("vlmcar: failed (") == 2
    assert "Traceback" not in again.err
    for folder in (again.results / "sweeps").iterdir():
        assert {path.name for path in folder.iterdir()} == {"multirun.yaml", whole.KEPT}


def test_a_run_that_is_killed_has_failed_and_the_others_go_on(sweep: Callable[..., Real]) -> None:
    """Under joblib, a worker that is killed takes the whole sweep along; a run is not its worker."""
    long = ["training.steps=20480", "seed=0,1,2"]
    killed = sweep(*long)
    wait_for((killed.run_folder(0) / "checkpoint.zip").exists)
    os.kill(killed.process_of(0), signal.SIGKILL)
    assert killed.end() == 1, killed.err
    rows = killed.rows()
    assert " ".join(rows["0"]).startswith("failed - ")
    assert " ".join(rows["0"]).endswith(DIED)
    assert (rows["1"][0], rows["2"][0]) == ("done", "done")
    assert f"seed=0): {DIED}" in killed.err

    again = sweep(*long)
    assert again.end() == 0, again.err
    assert " ".join(again.rows()["0"]).startswith("resumed and done")
    assert "1 resumed and done" in again.out
    result = json.loads((again.run_folder(0) / "result.json").read_text())
    assert len(result["sessions"]) == 2


@pytest.mark.parametrize(
    ("launcher", "number", "group"),
    [("joblib", signal.SIGINT, True), ("joblib", signal.SIGTERM, False), ("basic", signal.SIGINT, True)],
    ids=["joblib-ctrl-c", "joblib-term", "basic-ctrl-c"],
)
def test_a_stopped_sweep_stops_its_runs_begins_no_other_and_says_so(
    sweep: Callable[..., Real], launcher: str, number: signal.Signals, group: bool
) -> None:
    stopped = sweep("training.steps=400000", "seed=0,1,2", f"hydra/launcher={launcher}")
    wait_for(
        lambda: stopped.process.poll() is not None or (stopped.run_folder(0) / "checkpoint.zip").exists()
    )
    run = stopped.process_of(0)
    if group:  # as a terminal's Ctrl-C does
        os.killpg(stopped.process.pid, number)
    else:
        os.kill(stopped.process.pid, number)
    assert stopped.end() == 128 + number, stopped.err
    rows = stopped.rows()
    assert rows["0"][0] == "stopped"
    assert rows["2"][:2] == ["not", "begun"]
    assert "stopping: the runs that go on save a checkpoint" in stopped.err
    assert not Path(f"/proc/{run}").exists()
    assert not stopped.run_folder(2).exists()
    assert (stopped.run_folder(0) / "checkpoint.zip").exists()


def test_no_run_goes_on_when_its_worker_is_killed(sweep: Callable[..., Real]) -> None:
    broken = sweep("training.steps=400000", "seed=0,1", "hydra/launcher=basic")
    wait_for((broken.run_folder(0) / "checkpoint.zip").exists)
    run = broken.process_of(0)
    os.kill(broken.process.pid, signal.SIGKILL)  # with this launcher, the sweep is the worker
    broken.end()
    wait_for(lambda: not Path(f"/proc/{run}").exists())
    assert (broken.run_folder(0) / "checkpoint.zip").exists()


def test_a_sweep_over_the_status_shows_it_once(sweep: Callable[..., Real]) -> None:
    shown = sweep("stage=status", "seed=0,1")
    assert shown.end() == 0, shown.err
    assert shown.out == f"no runs under {shown.results}/runs\n"
    assert not list(shown.results.iterdir())
