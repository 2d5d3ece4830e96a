"""Ctrl-C and SIGTERM: runs end their update, keep a checkpoint and leave; the same command ends as if nothing was."""

from __future__ import annotations

import csv
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar import stopping
from vlmcar.record.folder import RunFolder
from vlmcar.types import Stopped

SMALL = [
    "env=minigrid/doorkey_5x5", "algorithm.hidden=[16]", "algorithm.n_steps=32", "training.record_every=500",
    "training.eval_every=3000", "training.eval_episodes=2", "training.final_eval_episodes=2", "audit.episodes=2",
    "logger=none",
]  # fmt: skip


def start(results: Path, *arguments: str) -> subprocess.Popen[str]:
    flags = [argument for argument in arguments if argument == "-m"]  # argparse wants it before the rest
    rest = [argument for argument in arguments if argument != "-m"]
    command = [sys.executable, "run.py", *flags, *SMALL, f"results={results}", *rest]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def folder(results: Path, method: str, seed: int = 0) -> RunFolder:
    vlm = "none" if method == "sparse" else "offline"
    return RunFolder(results / f"runs/minigrid-doorkey_5x5/{method}/{vlm}/ppo/seed_{seed}")


def steps(run: RunFolder) -> int:
    """Of the last row; 0: there is none yet."""
    try:
        with (run.path / "train.csv").open() as file:
            return max((int(row["steps"]) for row in csv.DictReader(file)), default=0)
    except FileNotFoundError:
        return 0


def wait_for(so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finish(results: Path, *arguments: str) -> str:
    process = start(results, *arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize("method", ["sparse", "vlmcar"])
def test_a_run_that_is_told_to_stop_keeps_a_checkpoint_and_goes_on_as_if_never_stopped(
    tmp_path: Path, method: str
) -> None:
    command = [f"method={method}", "training.steps=40000"]
    stopped, undisturbed = folder(tmp_path / "stopped", method), folder(tmp_path / "undisturbed", method)
    signals = [signal.SIGTERM, signal.SIGINT]
    for number, at_least in zip(signals, (1500, 12_000), strict=True):
        process = start(tmp_path / "stopped", *command)
        wait_for(lambda at=at_least: steps(stopped) >= at, process)
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert "Traceback" not in err
        assert "stopping at the end of this update" in err
        assert "the same command goes on" in err
        kept = stopped.checkpoint_steps()
        assert kept is not None
        assert kept >= at_least  # none was due before step 50,000: this one is of the stop
        assert kept % 512 == 0
        assert not (stopped.path / "result.json").exists()
    assert f"on from {kept:,}, as if never stopped" in finish(tmp_path / "stopped", *command)
    finish(tmp_path / "undisturbed", *command)
    for name in ("train.csv", "eval.csv"):
        assert (stopped.path / name).read_bytes() == (undisturbed.path / name).read_bytes()
    result = stopped.read_json("result.json")
    assert result is not None
    assert len(result["resumed_at"]) == 2
    assert result["resumed_exactly"]
    assert result["final_success"] == (undisturbed.read_json("result.json") or {})["final_success"]


def test_asked_twice_it_leaves_at_once(tmp_path: Path) -> None:
    """An update of half a million steps would not end in time."""
    run = folder(tmp_path, "sparse")
    process = start(
        tmp_path,
        "method=sparse",
        "training.steps=1000000",
        "algorithm.n_steps=32768",
        "algorithm.batch_size=2048",
    )
    wait_for(lambda: (run.path / "eval.csv").exists(), process)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert run.checkpoint_steps() is None


@pytest.mark.parametrize("launcher", ["joblib", "basic"])
def test_a_sweep_that_is_told_to_stop_stops_all_its_runs(tmp_path: Path, launcher: str) -> None:
    """The signal is for the main process alone, as from a scheduler; it passes it on."""
    sweep = ["-m", "method=sparse", "seed=0,1,2", "training.steps=60000", f"hydra/launcher={launcher}"]
    runs = [folder(tmp_path / "stopped", "sparse", seed) for seed in range(3)]
    process = start(tmp_path / "stopped", *sweep)
    first = runs[:2] if launcher == "joblib" else runs[:1]
    wait_for(lambda: all(steps(run) > 1000 for run in first), process)
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "Traceback" not in err
    for run in first:
        assert run.checkpoint_steps() is not None
        assert not (run.path / "result.json").exists()
    assert not any((run.path / "train.csv").exists() for run in runs if run not in first)
    finish(tmp_path / "stopped", *sweep)
    finish(tmp_path / "undisturbed", *sweep)
    for seed, run in enumerate(runs):
        other = folder(tmp_path / "undisturbed", "sparse", seed)
        assert (run.path / "train.csv").read_bytes() == (other.path / "train.csv").read_bytes()


def test_a_second_signal_interrupts_also_where_one_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_asked", None)
    with stopping.polled():
        stopping._handle(signal.SIGTERM, None)
        with pytest.raises(Stopped, match="same command") as caught:
            stopping.check()
        assert caught.value.signal == signal.SIGTERM
        assert pickle.loads(pickle.dumps(caught.value)).signal == signal.SIGTERM
        with pytest.raises(stopping.StopNow):
            stopping._handle(signal.SIGINT, None)


@pytest.mark.parametrize("variable", ["0", "1"])
def test_it_listens_with_tracebacks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", variable)
    process = start(tmp_path, "method=sparse", "training.steps=400000")
    run = folder(tmp_path, "sparse")
    wait_for(lambda: steps(run) > 1000, process)
    os.kill(process.pid, signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == (129 if variable == "0" else 1)
    assert run.checkpoint_steps() is not None


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.listening():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_nobody_polls_a_signal_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_asked", None)

    def wait() -> None:
        with stopping.listening():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(stopping.StopNow):
        wait()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
