"""The simulation loses nothing with the real store and record code, and says so when that code is broken."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from vlmcar.record.folder import LEDGER, MANIFEST, RESULT, TRAIN, TRAINED, RunFolder
from vlmcar.report.results import read_runs
from vlmcar.scale.__main__ import main, summed_up
from vlmcar.scale.check import Found, check
from vlmcar.scale.crew import Crew, Study
from vlmcar.scale.fake import FakeRun, Sizes, Worker, plan, readable
from vlmcar.types import VlmcarError
from vlmcar.verification.store import ProgramStore

SMALL = Sizes(steps=20_000, checkpoint_every=10_000, checkpoint_bytes=2_000, generation_seconds=0.3)


def study(results: Path, runs: int = 60, writers: int = 8, kills: int = 12) -> tuple[Study, Found]:
    planned = plan(runs, SMALL)
    return Crew(planned, results, writers, kills, 4, 0).work(bar=False), check(planned, results, bar=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study, Found]:
    results = tmp_path_factory.mktemp("scale")
    return results, *study(results)


def test_nothing_is_lost_though_writers_are_killed(whole: tuple[Path, Study, Found]) -> None:
    results, seen, found = whole
    assert seen.killed >= 1
    assert seen.makers_killed >= 1
    assert seen.failed == []
    assert found.wrong == 0
    assert summed_up(seen, found)["wrong"] == 0
    assert sum(seen.states.values()) == 60
    # The same once more without the simulation's own check: every row of every file, and every result.
    folders = [path.parent for path in (results / "runs").rglob(RESULT)]
    assert len(folders) == 60
    for folder in folders:
        with (folder / TRAIN).open(newline="") as file:
            assert [int(row["steps"]) for row in csv.DictReader(file)] == list(range(2_000, 20_001, 2_000))
        assert json.loads((folder / RESULT).read_text())["steps"] == 20_000


def test_the_report_reads_all_runs_without_a_problem(whole: tuple[Path, Study, Found]) -> None:
    read = read_runs(whole[0])
    assert read.problems == ()
    assert len(read.runs) == 60
    assert read.runs["finished"].all()
    assert len(read.evaluations) == 60 * 3


def test_a_program_is_made_once_for_all_who_ask(whole: tuple[Path, Study, Found]) -> None:
    results, seen, _ = whole
    assert set(seen.made.values()) == {1}
    assert sum(seen.making.values()) == len(seen.made) + seen.makers_killed  # others made those anew
    assert max(seen.asked.values()) >= 2
    assert len(list((results / "programs").rglob("verdict.json"))) == len(seen.made) == 3


def test_of_two_that_claim_a_run_one_is_told_that_another_has_it(whole: tuple[Path, Study, Found]) -> None:
    seen = whole[1]
    assert (seen.duels, seen.won_by_both) == (4, 0)
    assert len(seen.refusals) == 4
    assert all(told.startswith("this run is going on in another process: ") for told in seen.refusals)


def test_intervals_are_those_of_a_real_run(config: Callable[..., DictConfig]) -> None:
    real = config().training
    for name in ("record_every", "eval_every", "checkpoint_every"):
        assert getattr(Sizes(), name) == real[name]


def test_a_lock_that_does_nothing_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFolder, "lock", lambda self: contextlib.nullcontext())
    seen, found = study(tmp_path, kills=0)
    assert seen.won_by_both == 4
    assert summed_up(seen, found)["wrong"] >= 4


def test_a_store_that_does_not_lock_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def unlocked(self: ProgramStore, folder: Path, say: Any) -> Iterator[bool]:
        yield False

    monkeypatch.setattr(ProgramStore, "lock", unlocked)
    seen, found = study(tmp_path, kills=0)
    assert max(seen.made.values()) > 1
    assert summed_up(seen, found)["wrong"] >= 1


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_without_locks_of_the_file_system_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def none_here(file: Any, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none_here)
    seen, found = study(tmp_path, runs=10, kills=0)
    assert seen.won_by_both == 0
    assert len(seen.failed) == found.incomplete == 10
    assert all(os.strerror(number) in told and "results=<folder>" in told for told in seen.refusals)
    with pytest.raises(VlmcarError, match="cannot be locked .* give results=<folder>"):
        Worker(tmp_path).program(plan(10, SMALL)[0])


def _in_two_halves(self: RunFolder, name: str, content: Mapping[str, Any], durable: bool = True) -> None:
    text = json.dumps(content)
    with (self.path / name).open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(0.005)
        file.write(text[len(text) // 2 :])


def test_a_file_that_is_not_written_whole_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFolder, "write_json", _in_two_halves)
    seen, found = study(tmp_path, kills=0)
    half = sum(seen.half_read[name] for name in (MANIFEST, LEDGER, TRAINED, RESULT))
    assert half > 0
    assert summed_up(seen, found)["wrong"] >= half


def test_rows_that_are_not_rewound_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = plan(1, SMALL)[0]
    _killed_after(run, tmp_path, rows=8)  # three rows after its checkpoint
    Worker(tmp_path).do(run)
    assert check([run], tmp_path, bar=False).wrong == 0

    other = dataclasses.replace(run, seed=1)
    _killed_after(other, tmp_path, rows=8)
    monkeypatch.setattr(RunFolder, "rewind", lambda self: None)
    assert Worker(tmp_path).do(other)["state"] == "resume"
    found = check([other], tmp_path, bar=False)
    assert (found.rows_lost, found.rows_too_many) == (0, 3)


def _killed_after(run: FakeRun, results: Path, rows: int) -> None:
    """A run that stops when it writes its row number ``rows + 1``."""

    class Killed(Exception):
        pass

    append = RunFolder.append
    written = []

    def stops(self: RunFolder, name: str, row: Mapping[str, float]) -> None:
        if name == TRAIN:
            if len(written) == rows:
                raise Killed
            written.append(row)
        append(self, name, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "append", stops)
        with pytest.raises(Killed):
            Worker(results).do(run)


@pytest.mark.parametrize(
    ("spoil", "counted"),
    [
        (lambda folder: (folder / RESULT).unlink(), "incomplete"),
        (lambda folder: (folder / RESULT).write_text('{"env": '), "incomplete"),
        (lambda folder: _drop_last_line(folder / TRAIN), "rows_lost"),
        (lambda folder: _repeat_last_line(folder / TRAIN), "rows_too_many"),
    ],
)
def test_what_is_spoiled_afterwards_is_found(
    tmp_path: Path, spoil: Callable[[Path], None], counted: str
) -> None:
    run = plan(1, SMALL)[0]
    Worker(tmp_path).do(run)
    assert check([run], tmp_path, bar=False).wrong == 0
    spoil(run.folder(tmp_path).path)
    found = check([run], tmp_path, bar=False)
    assert getattr(found, counted) == 1


@pytest.mark.parametrize("name", ["checkpoint.zip", "policy.zip"])
def test_a_byte_that_changed_in_a_model_is_found(tmp_path: Path, name: str) -> None:
    run = plan(1, SMALL)[0]
    Worker(tmp_path).do(run)
    path = run.folder(tmp_path).path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert check([run], tmp_path, bar=False).broken == {name: 1}


def test_half_a_file_is_not_readable(tmp_path: Path) -> None:
    path = tmp_path / MANIFEST
    assert readable(path) is None
    path.write_text('{"a": 1}')
    assert readable(path) is True
    path.write_text('{"a": ')
    assert readable(path) is False
    table = tmp_path / TRAIN
    table.write_text("steps\n12")
    assert readable(table) is False
    table.write_text("steps\n12\n")
    assert readable(table) is True


def test_the_command_writes_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, figure = tmp_path / "scale.json", tmp_path / "scale.svg"
    share = tmp_path / "share"
    share.mkdir()
    arguments = ["--runs", "20", "--writers", "4", "--growth", "2", "--folder", str(share), "--out", str(out)]
    assert main([*arguments, "--checkpoint-kb", "2", "--figure", str(figure)]) == 0
    found = json.loads(out.read_text())
    assert found["main"]["runs"] == 20
    assert found["main"]["wrong"] == 0
    assert [study["runs"] for study in found["growth"]] == [2]
    assert [scan["runs"] for scan in found["scans"]] == [2, 20]
    assert (
        found["main"]["size"]["inodes"] == found["main"]["size"]["files"] + found["main"]["size"]["folders"]
    )
    assert list(share.iterdir()) == []
    assert "nothing lost, nothing broken" in capsys.readouterr().out
    assert figure.read_text().count('<g id="axes_') == 3


def test_a_folder_that_is_held_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hold", "0", "--folder", str(tmp_path)]) == 0
    with RunFolder(tmp_path / "seed_0").lock():
        assert main(["--hold", "0", "--folder", str(tmp_path)]) == 1
    assert "this run is going on in another process" in capsys.readouterr().err


def test_hold_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hold", "1"]) == 1
    assert "--folder" in capsys.readouterr().err


def _drop_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _repeat_last_line(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]))
