"""``stage=status``: each state is recognised from what is on disk, the time left is right, and nothing is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar.record import status as module
from vlmcar.record.folder import RunFolder
from vlmcar.record.status import MOST_ROWS, held, status_text, statuses

NOW = 1_800_000_000.0
TABLE = ["env", "method", "vlm", "algorithm", "seed", "state", "steps", "of", "success", "written", "left"]


class Model:
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def save(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data", json.dumps({"num_timesteps": self.steps}))


def run(
    results: Path, seed: int = 0, method: str = "vlmcar", began: float = 100.0, first: int = 0
) -> RunFolder:
    """A run whose training of 1,000 steps began ``began`` seconds ago at step ``first``; its last row is at 400."""
    folder = RunFolder(results / "runs/env-task" / method / "offline/ppo" / f"seed_{seed}")
    folder.path.mkdir(parents=True)
    started = datetime.fromtimestamp(NOW - began, UTC).isoformat()
    sessions = [{"first_step": 0, "started": "2020-01-01T00:00:00+00:00"}] * (first > 0)
    sessions.append({"first_step": first, "started": started})
    folder.write_json("manifest.json", {"steps": 1000, "sessions": sessions, "program_error": None})
    for steps in (0, 200, 400):
        folder.append("train.csv", {"steps": steps, "reward_return": 1.0})
        folder.append("eval.csv", {"steps": steps, "episodes": 3, "success_rate": steps / 800})
    for name in ("train.csv", "eval.csv", "manifest.json"):
        os.utime(folder.path / name, (NOW - 20, NOW - 20))
    return folder


def the_one(results: Path) -> module.Status:
    (status,) = statuses(results)
    return status


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "time", lambda: NOW)


def complete(folder: RunFolder) -> None:
    folder.write_json("trained.json", {})
    (folder.path / "policy.zip").touch()
    folder.write_json("result.json", {"final_success": 0.9})


def trained(folder: RunFolder) -> None:
    folder.save_checkpoint(Model(300))
    folder.write_json("trained.json", {})
    (folder.path / "policy.zip").touch()


def without_manifest(folder: RunFolder) -> None:
    for path in folder.path.iterdir():
        path.unlink()


def program_failed(folder: RunFolder) -> None:
    folder.save_checkpoint(Model(300))
    folder.write_json("manifest.json", {**(folder.read_json("manifest.json") or {}), "program_error": "pure"})


@pytest.mark.parametrize(
    ("change", "state", "steps", "success"),
    [
        (complete, "complete", 1000, 0.9),
        (trained, "trained, without its audit", 1000, 0.5),
        (lambda folder: folder.save_checkpoint(Model(300)), "stopped", 300, 0.5),
        (lambda folder: None, "stopped before a checkpoint", 400, 0.5),
        (program_failed, "stopped, its program failed", 400, 0.5),
        (without_manifest, "stopped before training", None, None),
    ],
    ids=["complete", "trained", "checkpoint", "no-checkpoint", "program", "nothing"],
)
def test_what_a_run_left_says_how_far_it_is(
    change: Callable[[RunFolder], None], state: str, steps: int | None, success: float | None, tmp_path: Path
) -> None:
    change(run(tmp_path, seed=3))
    status = the_one(tmp_path)
    assert (status.env, status.method, status.vlm, status.algorithm, status.seed) == (
        "env-task", "vlmcar", "offline", "ppo", "3",
    )  # fmt: skip
    assert (status.state, status.steps, status.success) == (state, steps, success)
    assert status.left is None


def test_a_running_run_says_how_long_it_takes_at_its_speed_so_far(tmp_path: Path) -> None:
    folder = run(tmp_path)  # 400 steps in 80 s, 20 s ago; 600 steps more take 120 s
    with folder.lock():
        status = the_one(tmp_path)
        assert (status.state, status.steps, status.total) == ("running", 400, 1000)
        assert (status.written, status.left) == (20.0, 100.0)
    assert the_one(tmp_path).left is None


def test_a_resumed_run_is_as_fast_as_its_last_session(tmp_path: Path) -> None:
    with run(tmp_path, began=40, first=300).lock():  # 100 steps in 20 s; 600 more take 120 s
        assert the_one(tmp_path).left == 100.0


@pytest.mark.parametrize("first", [400, 500])
def test_of_a_session_without_rows_the_time_is_not_known(tmp_path: Path, first: int) -> None:
    with run(tmp_path, first=first).lock():
        assert the_one(tmp_path).left is None
        assert status_text(tmp_path).endswith("1 runs: 1 running")


def test_a_run_that_has_not_begun_to_train_or_is_audited_runs(tmp_path: Path) -> None:
    folder = run(tmp_path)
    trained(folder)
    with folder.lock():
        assert (the_one(tmp_path).state, the_one(tmp_path).steps) == ("running, training is over", 1000)
    fresh = RunFolder(tmp_path / "other/runs/e/m/v/a/seed_0")
    with fresh.lock():  # its program is made or verified: there is a lock file and no folder
        status = the_one(tmp_path / "other")
        assert (status.state, status.steps, status.total, status.written) == (
            "running, before training", None, None, None,
        )  # fmt: skip


def test_a_half_written_row_is_not_read(tmp_path: Path) -> None:
    folder = run(tmp_path)
    for name in ("train.csv", "eval.csv"):
        with (folder.path / name).open("a") as file:
            file.write("99999,1")
    assert the_one(tmp_path).steps == 400
    (folder.path / "eval.csv").write_text("steps,epi")
    (folder.path / "train.csv").write_text("steps,reward_return\n")
    assert (the_one(tmp_path).steps, the_one(tmp_path).success) == (None, None)


def test_a_long_file_is_read_from_its_end(tmp_path: Path) -> None:
    folder = run(tmp_path)
    with (folder.path / "eval.csv").open("a") as file:
        file.writelines(f"{steps},3,0.25\n" for steps in range(500, 5000))
    assert (the_one(tmp_path).steps, the_one(tmp_path).success) == (4999, 0.25)


def test_the_table_and_the_line_below_it(tmp_path: Path) -> None:
    complete(run(tmp_path, seed=10))
    running = [run(tmp_path, seed=2), run(tmp_path, seed=9, began=60)]  # 100 s and 40 s left
    with running[0].lock(), running[1].lock():
        header, *rows, blank, summary = status_text(tmp_path).splitlines()
    assert header.split() == TABLE
    assert [row.split()[4:6] for row in rows] == [["2", "running"], ["9", "running"], ["10", "complete"]]
    assert rows[0].split()[6:] == ["400", "1,000", "50%", "20", "s", "ago", "100", "s"]
    assert blank == ""
    assert (
        summary
        == "3 runs: 2 running, 1 complete; the running ones have 100 s left, 2 min if one after the other"
    )


def test_many_complete_runs_are_counted(tmp_path: Path) -> None:
    for seed in range(MOST_ROWS + 1):
        complete(run(tmp_path, seed=seed))
    run(tmp_path, method="sparse")
    lines = [line.split() for line in status_text(tmp_path).splitlines()]
    assert lines[:3] == [
        ["env", "method", "complete", "of"],
        ["env-task", "sparse", "0", "1"],
        ["env-task", "vlmcar", "41", "41"],
    ]
    assert [line[1] for line in lines if line[:1] == ["env-task"]] == ["sparse", "vlmcar", "sparse"]


def test_looking_changes_nothing_and_stops_no_run_from_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(tmp_path)
    with folder.lock():
        assert held(folder.path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    status_text(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert not held(folder.path)

    # A look that happens to be there when a run begins, for longer than any does.
    looking, looked = threading.Event(), threading.Event()
    close = os.close

    def slow_close(descriptor: int) -> None:
        if threading.current_thread() is looker:
            looking.set()
            looked.wait(0.3)
        close(descriptor)

    looker = threading.Thread(target=held, args=(folder.path,))
    monkeypatch.setattr(module.os, "close", slow_close)
    looker.start()
    looking.wait()
    with folder.lock():
        pass
    looker.join()


def test_the_command_line_shows_it_at_once_for_any_method_and_makes_no_folder(tmp_path: Path) -> None:
    """Without PyTorch, and a mistyped results folder is not made."""
    folder = run(tmp_path)
    command = [sys.executable, "-X", "importtime", "run.py", "stage=status", "method=sparse"]
    with folder.lock():
        done = subprocess.run(
            [*command, f"results={tmp_path}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    assert "1 runs: 1 running" in done.stdout
    imported = {
        line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time")
    }
    assert "vlmcar.record.status" in imported
    assert not {"torch", "stable_baselines3", "pandas", "wandb"} & imported
    done = subprocess.run([*command, f"results={tmp_path}/no"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"no runs under {tmp_path}/no/runs\n"
    assert not (tmp_path / "no").exists()


def test_a_table_is_made_of_texts() -> None:
    bare = module.Status("e", "m", "v", "a", "0", "running", None, None, None, None, None)
    assert module._table([bare]).splitlines()[1].split() == ["e", "m", "v", "a", "0", "running", *["-"] * 5]
    known = replace(bare, steps=0, total=10, success=0.0, written=0.0, left=0.0)
    shown = module._table([known]).splitlines()[1].split()
    assert shown[6:] == ["0", "10", "0%", "0", "s", "ago", "0", "s"]
