"""Weights & Biases through its own client, offline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vlmcar.record.wandb import WandB
from vlmcar.types import ConfigError


def test_an_offline_run_keeps_config_curves_images_program_and_result(tmp_path: Path) -> None:
    logger = WandB("wandb", project="test", entity=None, mode="offline")
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
        WandB("wandb", project="test", entity=None, mode="cloud")


def test_a_key_without_a_connection_keeps_the_run_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    logger = WandB("wandb", project="test", entity=None, mode="auto")
    names = ("env", "method", "label", "vlm", "algorithm", "config_hash", "wandb_id")
    logger.start(tmp_path, {**dict.fromkeys(names, "x"), "seed": 0}, {})
    logger.log({"eval/success_rate": 1.0}, 1)
    logger.finish({})
    assert "kept offline" in capsys.readouterr().out
    assert list(tmp_path.rglob("*.wandb"))


def test_the_environment_may_choose_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert WandB("wandb", project="test", entity=None, mode="auto")._mode() == "disabled"
