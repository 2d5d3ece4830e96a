"""The run folder: nothing half-written is read as whole, nothing of other settings is overwritten."""

from __future__ import annotations

import csv
import json
import os
import zipfile
from pathlib import Path

import pytest

from vlmcar.record.folder import (
    CHECKPOINT,
    EVAL,
    LEDGER,
    MANIFEST,
    POLICY,
    RESULT,
    TRAIN,
    TRAINED,
    OtherConfig,
    RunFolder,
)  # fmt: skip
from vlmcar.types import VlmcarError


class Model:
    """Saves as Stable-Baselines3 does: a zip with the number of steps in it."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def save(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data", json.dumps({"num_timesteps": self.steps}))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "seed_0")
    assert run.claim("abc", {"a.b": 1}, overwrite=False) == "new"
    run.write_json(MANIFEST, {"config_hash": "abc", "settings": {"a.b": 1}})
    return run


def rows(folder: RunFolder, name: str) -> list[dict[str, str]]:
    with (folder.path / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_complete_run_is_recognised(folder: RunFolder) -> None:
    folder.write_json(RESULT, {"final_success": 1.0})
    assert folder.claim("abc", {"a.b": 1}, overwrite=False) == "complete"
    assert not list(folder.path.glob("*.partial"))


def test_a_run_without_checkpoint_starts_again_with_empty_csv_files(folder: RunFolder) -> None:
    folder.append(EVAL, {"steps": 0, "success_rate": 0.5})
    assert folder.claim("abc", {"a.b": 1}, overwrite=False) == "new"
    assert not (folder.path / EVAL).exists()


def test_a_killed_run_goes_on_from_its_checkpoint_and_drops_later_rows(folder: RunFolder) -> None:
    for steps in (0, 100, 200, 300):
        folder.append(EVAL, {"steps": steps, "success_rate": steps / 400})
        folder.append(TRAIN, {"steps": steps, "reward_return": float("nan")})
        if steps == 200:
            folder.save_checkpoint(Model(200))
    with (folder.path / EVAL).open("a") as file:
        file.write("40")  # killed in the middle of a line
    assert folder.claim("abc", {"a.b": 1}, overwrite=False) == "resume"
    assert folder.checkpoint_steps() == 200
    folder.rewind()
    assert [row["steps"] for row in rows(folder, EVAL)] == ["0", "100", "200"]
    assert [row["reward_return"] for row in rows(folder, TRAIN)] == ["", "", ""]
    assert (folder.path / EVAL).read_text().endswith("\n")
    assert not list(folder.path.glob("*.partial*"))


def test_a_run_with_other_settings_is_refused_unless_told(folder: RunFolder) -> None:
    folder.write_json(RESULT, {"final_success": 1.0})
    with pytest.raises(OtherConfig, match=r"a.b 1 -> 2.*label=<name>.*overwrite=true"):
        folder.claim("other", {"a.b": 2}, overwrite=False)
    assert (folder.path / RESULT).exists()
    assert folder.claim("other", {"a.b": 2}, overwrite=True) == "new"
    assert not (folder.path / RESULT).exists()


def test_a_broken_manifest_or_checkpoint_is_not_trusted(folder: RunFolder) -> None:
    (folder.path / CHECKPOINT).write_text("half a zip")
    assert folder.claim("abc", {"a.b": 1}, overwrite=False) == "new"
    folder.save_checkpoint(Model(200))
    (folder.path / MANIFEST).write_text("[]")
    with pytest.raises(OtherConfig, match=r"manifest.json cannot be read.*overwrite=true"):
        folder.claim("abc", {"a.b": 1}, overwrite=False)
    assert folder.checkpoint_steps() == 200  # hours may lie there
    assert folder.claim("abc", {"a.b": 1}, overwrite=True) == "new"


def test_a_broken_result_is_not_a_complete_run(folder: RunFolder) -> None:
    folder.save_checkpoint(Model(200))
    (folder.path / RESULT).write_text('{"final_succ')
    assert folder.state("abc") == "resume"


@pytest.mark.parametrize("text", ["", "steps,succ"])
def test_a_csv_without_even_a_header_begins_again(folder: RunFolder, text: str) -> None:
    folder.append(EVAL, {"steps": 0, "success_rate": 0.5})
    folder.save_checkpoint(Model(200))
    (folder.path / TRAIN).write_text(text)
    folder.rewind()
    folder.append(TRAIN, {"steps": 300, "reward_return": 1.0})
    assert [row["steps"] for row in rows(folder, TRAIN)] == ["300"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "steps,success_rate\r\n",
        "steps,success_rate\r\n100,0.5\r\n",
        "steps,success_rate\r\n0,0.5\r\n100,0.6\r\n",
    ],
)
def test_a_curve_that_is_not_what_it_was_is_not_gone_on_with(folder: RunFolder, text: str | None) -> None:
    for steps in (0, 100):
        folder.append(EVAL, {"steps": steps, "success_rate": 0.5})
    folder.save_checkpoint(Model(200))
    (folder.path / EVAL).unlink()
    if text is not None:
        (folder.path / EVAL).write_text(text, newline="")
    with pytest.raises(
        VlmcarError, match=r"eval.csv is not as it was when checkpoint.zip.*remove .*checkpoint.zip"
    ):
        folder.rewind()


def test_a_checkpoint_without_word_of_the_rows_is_not_gone_on_from(folder: RunFolder) -> None:
    Model(200).save(folder.path / CHECKPOINT)
    with pytest.raises(VlmcarError, match="is not as it was"):
        folder.rewind()


def test_a_result_without_manifest_is_not_thrown_away(folder: RunFolder) -> None:
    folder.write_json(RESULT, {"final_success": 1.0})
    (folder.path / MANIFEST).unlink()
    with pytest.raises(OtherConfig, match="manifest.json is missing beside a result"):
        folder.claim("abc", {"a.b": 1}, overwrite=False)
    assert (folder.path / RESULT).exists()


def test_a_folder_is_held_by_one_process_at_a_time(folder: RunFolder) -> None:
    with folder.lock(), pytest.raises(VlmcarError, match="another process"), RunFolder(folder.path).lock():
        pass
    with folder.lock():
        pass


def test_first_step_with_success(folder: RunFolder) -> None:
    for steps, success in ((0, 0.1), (100, 0.9), (200, 0.8), (300, 1.0)):
        folder.append(EVAL, {"steps": steps, "success_rate": success, "train_success_rate": success**2})
    assert folder.first_step_with_success(0.9, "success_rate") == 100
    assert folder.first_step_with_success(0.95, "success_rate") == 300
    assert folder.first_step_with_success(0.9, "train_success_rate") == 300
    assert folder.first_step_with_success(1.01, "success_rate") is None


def test_subtasks_done_are_those_of_the_latest_episodes(folder: RunFolder) -> None:
    assert folder.subtasks_done(3) == ""
    folder.append(TRAIN, {"steps": 100, "subtasks_done": float("nan"), "length": 7.0})  # no episode ended
    assert folder.subtasks_done(3) == ""
    for steps, done in ((200, 0.25), (300, 1.04), (400, float("nan"))):
        folder.append(TRAIN, {"steps": steps, "subtasks_done": done, "length": 7.0})
    assert folder.subtasks_done(3) == "1.0 of 3"
    assert folder.subtasks_done(0) == ""


def test_json_is_written_whole(folder: RunFolder) -> None:
    folder.write_json("x.json", {"a": [1, 2]})
    assert json.loads((folder.path / "x.json").read_text()) == {"a": [1, 2]}


def test_what_a_run_has_spent_survives_its_new_beginning_and_not_another_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.claim("hash", {}, overwrite=False)
    folder.write_json(MANIFEST, {"config_hash": "hash", "settings": {}})
    folder.write_json(LEDGER, {"decisions": {}})
    assert folder.claim("hash", {}, overwrite=False) == "new"  # killed before its first checkpoint
    assert folder.read_json(LEDGER) == {"decisions": {}}
    folder.write_json(MANIFEST, {"config_hash": "hash", "settings": {}})
    folder.claim("other", {}, overwrite=True)
    assert folder.read_json(LEDGER) is None


def test_looking_at_a_folder_touches_nothing(folder: RunFolder) -> None:
    folder.append(EVAL, {"steps": 0, "success_rate": 0.5})
    assert folder.state("abc") == "new"
    assert folder.state("another") == "other"
    assert (folder.path / EVAL).exists()
    folder.save_checkpoint(Model(200))
    assert folder.state("abc") == "resume"
    folder.write_json(RESULT, {})
    assert folder.state("abc") == "complete"
    (folder.path / MANIFEST).unlink()
    assert folder.state("abc") == "other"
    assert RunFolder(folder.path / "nowhere").state("abc") == "new"


@pytest.mark.parametrize("moved", range(4))
def test_a_training_is_put_aside_whole_also_if_a_kill_came_between(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    names = (TRAINED, POLICY, EVAL)
    for name in names:
        (folder.path / name).write_text(name)
    replace, left = os.replace, iter(range(moved))

    def killed(source: Path, target: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.put_aside(1)
    assert not (folder.path / "exploited_1").exists()
    folder.put_aside(1)
    for name in names:
        assert (folder.path / "exploited_1" / name).read_text() == name
        assert not (folder.path / name).exists()
    (folder.path / EVAL).write_text("of the next training")
    folder.put_aside(1)
    assert (folder.path / EVAL).read_text() == "of the next training"
