"""`make wandb-sync`: the right folders, once each, a resumed run as one; and what cannot be sent is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.record.test_wandb import MANIFEST, logger_of
from tests.record.wandb_server import wandb_server
from vlmcar.record.folder import RunFolder
from vlmcar.record.wandb import UNSENT
from vlmcar.record.wandb_sync import find, main


def run_folder(results: Path, seed: int = 0) -> RunFolder:
    folder = RunFolder(results / "runs/env/method/vlm/ppo" / f"seed_{seed}")
    folder.path.mkdir(parents=True, exist_ok=True)
    return folder


def client_folder(run: RunFolder, name: str, *marks: str) -> Path:
    folder = run.path / "wandb" / name
    folder.mkdir(parents=True)
    for mark in ("run-x.wandb", *marks):
        (folder / mark).touch()
    return folder


def test_what_is_there_is_told_apart(tmp_path: Path) -> None:
    offline = client_folder(run_folder(tmp_path), "offline-run-2-x")
    earlier = client_folder(run_folder(tmp_path), "offline-run-1-x")
    sent = client_folder(run_folder(tmp_path), "offline-run-0-x", "run-x.wandb.synced")
    client_folder(run_folder(tmp_path, 1), "run-1-x")  # online, and whole
    broke_off = client_folder(run_folder(tmp_path, 1), "run-2-x", UNSENT)
    running = client_folder(run_folder(tmp_path, 2), "offline-run-1-x")
    with run_folder(tmp_path, 2).lock():
        assert find(tmp_path) == ([earlier, offline, broke_off], [sent], [running])
    assert find(tmp_path).unsent == [earlier, offline, broke_off, running]
    assert find(tmp_path / "nowhere") == ([], [], [])


def sync(results: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vlmcar.record.wandb_sync", "--results", str(results)],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
        env={**os.environ, "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": url},
    )  # fmt: skip


def offline(folder: RunFolder, steps: range, **manifest: str) -> None:
    """A session of a run, through W&B's own client."""
    logger = logger_of("offline")
    logger.start(folder.path, {**MANIFEST, **manifest}, {})
    for at in steps:
        logger.log({"train/x": float(at)}, at)
    logger.finish({})


def test_runs_are_sent_once_and_a_resumed_one_as_one(tmp_path: Path) -> None:
    """By W&B's own `wandb sync`, to a stand-in for its server."""
    offline(run_folder(tmp_path), range(4))
    time.sleep(1.1)  # the client names its folders by the second
    offline(run_folder(tmp_path), range(2, 6))  # goes over 2 and 3 again
    offline(run_folder(tmp_path, 1), range(3), wandb_id="other")
    with wandb_server() as server:
        done = sync(tmp_path, server.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("3 to send, 0 sent before, 0 of runs that are running")
        told = [(line["_step"], line["steps"]) for line in server.history["abc123"]]
        assert told == [(at, at) for at in range(6)]
        assert [line["steps"] for line in server.history["other"]] == [0, 1, 2]
        assert server.settings["abc123"]["tags"] == ["deadbeef"]

        again = sync(tmp_path, server.url)
        assert again.stdout == "0 to send, 3 sent before, 0 of runs that are running\n"
        time.sleep(1.1)
        offline(run_folder(tmp_path), range(4, 8))  # resumed once more, after it was sent
        assert sync(tmp_path, server.url).returncode == 0
        told = [(line["_step"], line["steps"]) for line in server.history["abc123"]]
        assert told == [(at, at) for at in range(8)]


def test_without_a_key_it_is_told_what_was_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(run_folder(tmp_path), range(2))
    monkeypatch.setenv("HOME", str(tmp_path))  # no key of this machine's user
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    done = subprocess.run(
        [sys.executable, "-m", "vlmcar.record.wandb_sync", "--results", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 1
    assert "vlmcar: 1 of 1 were not sent" in done.stderr
    assert find(tmp_path).unsent


def test_nothing_is_sent_by_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = client_folder(run_folder(tmp_path), "offline-run-2-x")
    assert main(["--results", str(tmp_path), "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [str(folder)]
