"""Weights & Biases through its own client, offline."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import wandb

from tests.record.wandb_server import wandb_server
from vlmcar.record import wandb as module
from vlmcar.record.wandb import SENT, UNSENT, WandB
from vlmcar.types import ConfigError


@pytest.fixture(autouse=True)
def fresh_client() -> Iterator[None]:
    """It reads its settings once per process, and keeps runs that were not finished."""
    wandb.teardown()
    yield
    wandb.teardown()


MANIFEST = {
    "env": "e", "method": "m", "label": "", "vlm": "v", "algorithm": "a", "seed": 0, "config_hash": "deadbeef",
    "wandb_id": "abc123",
}  # fmt: skip


def logger_of(mode: str, **values: float) -> WandB:
    limits = {"init_seconds": 2.0, "finish_seconds": 5.0, **values}
    return WandB("wandb", project="vlmcar", entity=None, mode=mode, **limits)


def test_an_offline_run_keeps_config_curves_images_program_and_result(tmp_path: Path) -> None:
    logger = logger_of("offline")
    manifest = {
        "env": "e",
        "method": "m",
        "label": "x",
        "vlm": "v",
        "algorithm": "a",
        "seed": 0,
        "config_hash": "abc",
        "wandb_id": "abc-1",
    }
    logger.start(tmp_path, manifest, {"training": {"steps": 5}})
    logger.log({"eval/success_rate": 0.5, "train/subtasks_done": float("nan")}, 5)
    logger.images({"task/initial": np.zeros((4, 4, 3), dtype=np.uint8)})
    logger.text("program/source", "def f(): return 1 < 2")
    assert logger._run.group == "e/m/x/v/a"
    assert logger._run.tags == ("abc",)
    assert dict(logger._run.config)["training"] == {"steps": 5}
    assert logger._run.summary["eval/success_rate"] == 0.5
    assert "train/subtasks_done" not in dict(logger._run.summary)
    logger.finish({"final_success": np.float64(1.0), "steps_to_90": None})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert any(path.suffix == ".png" for path in files)
    assert "1 &lt; 2" in next(path for path in files if path.suffix == ".html").read_text()


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"logger.mode=cloud"):
        logger_of("cloud")


def test_a_key_without_a_connection_keeps_the_run_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    logger = logger_of("auto")
    names = ("env", "method", "label", "vlm", "algorithm", "config_hash", "wandb_id")
    logger.start(tmp_path, {**dict.fromkeys(names, "x"), "seed": 0}, {})
    logger.log({"eval/success_rate": 1.0}, 1)
    logger.finish({})
    assert "kept offline, for `make wandb-sync`" in capsys.readouterr().out
    assert list(tmp_path.rglob("*.wandb"))


def test_a_mode_that_is_asked_for_falls_back_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "online")
    logger = logger_of("auto")
    logger.start(tmp_path, MANIFEST, {})
    logger.log({"eval/success_rate": 1.0}, 1)
    logger.finish({})
    assert capsys.readouterr().out.count("\n") == 1
    wandb.teardown()  # it writes the file in the background
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"eval/success_rate" in file.read_bytes()


def test_a_service_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"], executable="/bin/sleep") as other:
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # wandb-core"]) as service:
            monkeypatch.setattr(wandb, "teardown", service.wait)
            logger_of("offline", init_seconds=1)._end_service()
            assert service.returncode == -signal.SIGKILL
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize(("name", "value"), [("init_seconds", 0), ("finish_seconds", -1)])
def test_waiting_has_a_limit(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"logger.{name}={value} must be above 0"):
        logger_of("auto", **{name: value})


class Breaking:
    """A run of W&B's client that fails from the n-th call on."""

    def __init__(self, good: int, folder: Path) -> None:
        self.left, self.told, self.tags, self.dir = good, [], (), str(folder / "wandb/run-1/files")
        Path(self.dir).mkdir(parents=True, exist_ok=True)
        self.summary: dict = {}

    def _call(self, *told: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError("broken pipe\nand more")
        self.told.append(told)

    def define_metric(self, *names: object, **_: object) -> None:
        self._call(*names)

    def log(self, values: dict) -> None:
        self._call(*values)

    def finish(self, exit_code: int) -> None:
        self._call("finish", exit_code)


@pytest.mark.parametrize("good", range(8))
def test_a_failure_in_the_middle_is_one_line_and_ends_no_run(
    good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Breaking(good, tmp_path)
    monkeypatch.setattr("wandb.init", lambda **_: run)
    logger = logger_of("online")
    logger.start(tmp_path, MANIFEST, {})
    logger.log({"train/x": 1.0}, 1)
    logger.log({"eval/x": 1.0}, 1)
    logger.images({"task/initial": np.zeros((4, 4, 3), dtype=np.uint8)})
    logger.text("program/source", "def f(): ...")
    logger.finish({"final_success": 1.0})
    said = capsys.readouterr().out
    assert len(run.told) == min(good, 7)
    if good < 7:
        assert said == (
            "W&B failed (broken pipe): the csv files go on; `make wandb-sync` sends later what it had\n"
        )
    else:
        assert said == ""
    assert (tmp_path / "wandb/run-1" / UNSENT).exists() == (good < 7)


def test_a_client_that_cannot_start_at_all_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def init(**_: object) -> None:
        raise ValueError("no service")

    monkeypatch.setattr("wandb.init", init)
    logger = logger_of("offline")
    logger.start(tmp_path, MANIFEST, {})
    logger.log({"train/x": 1.0}, 1)
    logger.finish(None)
    assert "W&B failed (no service)" in capsys.readouterr().out.splitlines()[-1]


def session(folder: Path, steps: range, **manifest: str) -> Breaking:
    run = Breaking(1000, folder / f"session_{steps.start}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wandb.init", lambda **_: run)
        logger = logger_of("offline")
        logger.start(folder, {**MANIFEST, **manifest}, {})
        logger.text("program/source", "def f(): ...")
        logger.images({"task/initial": np.zeros((4, 4, 3), dtype=np.uint8)})
        for at in steps:
            logger.log({"train/x": 1.0}, at)
            if at % 2 == 0:
                logger.log({"eval/x": 1.0}, at)
    return run


def test_a_resumed_run_tells_nothing_twice(tmp_path: Path) -> None:
    session(tmp_path, range(5))
    told = session(tmp_path, range(2, 7)).told[2:]  # from its checkpoint on: 2, 3 and 4 once more
    assert told == [("train/x", "steps"), ("train/x", "steps"), ("eval/x", "steps")]  # 5, 6 and 6
    assert len(session(tmp_path, range(2, 7), wandb_id="another").told) == 2 + 2 + 5 + 3
    (tmp_path / "wandb" / SENT).write_text('{"id": "anoth')
    assert len(session(tmp_path, range(3), wandb_id="another").told) == 2 + 2 + 3 + 2


def test_a_text_that_changed_is_told(tmp_path: Path) -> None:
    sent = module._Sent(tmp_path / "wandb" / SENT, "x")
    sent.add({"program/error": "1"})
    assert module._Sent(tmp_path / "wandb" / SENT, "x").others({"program/error": "1", "b": "2"}) == {"b": "2"}
    assert sent.others({"program/error": "3"}) == {"program/error": "3"}


def test_what_a_real_client_tells_a_server_that_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Online, through W&B's own client, to a stand-in for its server: the run ends all the same."""
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        logger = logger_of("online", init_seconds=30, finish_seconds=2)
        logger.start(tmp_path, MANIFEST, {})
        assert server.settings["abc123"]["tags"] == ["deadbeef"]
        logger.log({"eval/x": 0.5}, 100)
    logger.log({"eval/x": 0.6}, 200)
    logger.finish({"final_success": 0.6})
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert said.startswith("W&B failed (Timed out finishing run.): the csv files go on")
    assert list(tmp_path.glob(f"wandb/run-*/{UNSENT}"))


def test_the_environment_may_choose_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert logger_of("auto")._mode() == "disabled"
