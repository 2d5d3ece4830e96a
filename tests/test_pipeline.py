"""The main job end to end, on the smallest task: generated, verified, trained, recorded, reported."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from vlmcar import pipeline
from vlmcar.pipeline import run
from vlmcar.record import console
from vlmcar.record.folder import RunFolder
from vlmcar.types import Program, SubTask, VlmcarError
from vlmcar.vlm.conversation import digest, load

Compose = Callable[..., DictConfig]
QUICK = [
    "env=minigrid/doorkey_5x5",
    "logger=none",
    "training.steps=4096",
    "training.record_every=1024",
    "training.eval_every=2048",
    "training.eval_episodes=3",
    "training.final_eval_episodes=4",
    "training.checkpoint_every=2048",
    "audit.episodes=4",
]
READ_ON = 'docs/guides/own_environment.md, "It does not learn"'


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run_folder(results: Path, method: str = "vlmcar", seed: int = 0) -> Path:
    vlm = "none" if method == "sparse" else "offline"
    return results / "runs/minigrid-doorkey_5x5" / method / vlm / "ppo" / f"seed_{seed}"


def test_a_run_leaves_everything_and_the_same_command_again_skips_it(
    config: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", 0)
    monkeypatch.setattr(pipeline, "_LEARNED", 1.01)  # nobody has
    settings = (*QUICK, "algorithm.num_envs=4", f"results={tmp_path}")  # few, so that episodes end early
    cfg = config(*settings)
    run(cfg)
    folder = run_folder(tmp_path)
    assert {path.name for path in folder.iterdir()} >= {
        "config.yaml", "manifest.json", "conversation.jsonl", "program.py", "verdict.json",
        "train.csv", "eval.csv", "checkpoint.zip", "policy.zip", "result.json",
    }  # fmt: skip
    for kind in ("expert", "random", "policy"):
        shown = json.loads((folder / f"episodes/{kind}.json").read_text())
        assert len(shown["return"]) == len(shown["progress"]) == len(shown["frames"])
        assert (folder / f"episodes/{kind}.png").is_file()
        assert shown["success"] is True or kind != "expert"
    result = json.loads((folder / "result.json").read_text())
    assert result["method"] == "vlmcar"
    assert result["judge"] == "programs"
    assert result["sandbox"].startswith("seccomp")  # with landlock where the kernel has it
    assert result["final_episodes"] == 4
    assert result["vlm_calls"] >= 3
    assert result["program_attempts"] >= 1
    assert "not a named commercial model" in result["vlm_model"]
    assert result["judged"]["frames_judged"] > 0
    assert result["config_hash"] == json.loads((folder / "manifest.json").read_text())["config_hash"]
    trained = rows(folder / "train.csv")
    assert [int(row["steps"]) for row in trained] == [1024, 2048, 3072, 4096]
    said = capsys.readouterr().out
    done = [row["subtasks_done"] for row in trained if row["subtasks_done"]]  # where episodes ended
    reached = [f"{float(mean):.1f} of 3" for mean in done]
    told = re.findall(r"%, sub-tasks (.*) in training, ", said)
    assert told
    assert set(told) <= set(reached)
    assert said.splitlines()[-1].endswith(f"{folder}; the agent gets to {reached[-1]} sub-tasks: {READ_ON}")
    assert [int(row["steps"]) for row in rows(folder / "eval.csv")] == [0, 2048, 4096]
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["accepted"]
    assert any(check["trajectories"] == "held_out/expert" for check in verdict["checks"])

    before = (folder / "result.json").stat().st_mtime_ns
    capsys.readouterr()
    run(cfg)
    assert "already complete" in capsys.readouterr().out
    assert (folder / "result.json").stat().st_mtime_ns == before

    with pytest.raises(VlmcarError, match=r"other settings \(training.eval_episodes 3 -> 5\)"):
        run(config(*settings, "training.eval_episodes=5"))


PROGRAM = Program((SubTask("key", "."), SubTask("door", ".")), "")


@pytest.mark.parametrize(
    ("program", "success", "on_training_levels", "said"),
    [
        (PROGRAM, 0.49, None, f"; the agent gets to 1.2 of 2 sub-tasks: {READ_ON}"),
        (PROGRAM, 0.5, None, ""),
        (PROGRAM, 0.1, 0.9, ""),  # it learned what it was trained on
        (PROGRAM, 0.6, 0.4, f"; the agent gets to 1.2 of 2 sub-tasks: {READ_ON}"),
        (None, 0.0, None, ""),
    ],
)
def test_a_policy_that_seldom_succeeds_is_told_where_to_read_on(
    tmp_path: Path, program: Program | None, success: float, on_training_levels: float | None, said: str
) -> None:
    folder = RunFolder(tmp_path)
    result = {"final_success": success, "final_train_success": on_training_levels}
    without = pipeline._stuck(folder, program, result)
    assert without == (f"; {READ_ON}" if said else "")  # no episode of training ended
    folder.append("train.csv", {"steps": 1, "subtasks_done": 1.24})
    assert pipeline._stuck(folder, program, result) == said


def test_weights_that_do_not_fit_leave_no_run_behind(config: Compose, tmp_path: Path) -> None:
    with pytest.raises(VlmcarError, match="1 numbers for 3 sub-tasks"):
        run(config(*QUICK, f"results={tmp_path}", "reward.weights=[1]"))
    assert not list(tmp_path.rglob("manifest.json"))


def test_same_seed_equal_rows_and_programs_are_made_once(
    config: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config(*QUICK, f"results={tmp_path}"))
    assert "verify: attempt 1" in capsys.readouterr().out
    run(config(*QUICK, f"results={tmp_path}", "label=again"))
    said = capsys.readouterr().out
    assert "accepted earlier" in said
    assert "verify" not in said
    one, two = run_folder(tmp_path), run_folder(tmp_path, "vlmcar-again")
    for name in ("train.csv", "eval.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_task_without_a_recording_says_so_and_names_the_other_backends(
    config: Compose, tmp_path: Path
) -> None:
    with pytest.raises(VlmcarError, match=r"no recording was made.*recorded: .*minigrid-.*vlm=manual"):
        run(config(*QUICK, f"results={tmp_path}", "env.tile_size=8", "stage=generate"))


def test_a_killed_run_goes_on_from_its_checkpoint(config: Compose, tmp_path: Path) -> None:
    command = [*QUICK, f"results={tmp_path}", "method=sparse", "training.steps=200000"]
    process = subprocess.Popen([sys.executable, "run.py", *command], cwd=ROOT, stdout=subprocess.DEVNULL)
    folder = RunFolder(run_folder(tmp_path, "sparse"))
    deadline = time.monotonic() + 120
    while folder.checkpoint_steps() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    again = subprocess.run(
        [sys.executable, "run.py", *command], cwd=ROOT, capture_output=True, text=True
    )  # fmt: skip
    assert again.returncode == 1
    assert "going on in another process" in again.stderr
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder.path / "result.json").exists()
    steps = folder.checkpoint_steps()
    assert steps is not None

    # The budget is part of the settings, so the same command is shortened by hand here.
    manifest = run_folder(tmp_path, "sparse") / "manifest.json"
    done = subprocess.run(
        [sys.executable, "run.py", *QUICK, f"results={tmp_path}", "method=sparse"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "other settings" in done.stderr
    content = json.loads(manifest.read_text())
    from vlmcar.config import build, config_hash, relevant_settings

    shorter = config(*QUICK, f"results={tmp_path}", "method=sparse", f"training.steps={steps + 4096}")
    manifest.write_text(
        json.dumps({**content, "config_hash": config_hash(relevant_settings(shorter, build(shorter)))})
    )
    run(shorter)
    result = json.loads((folder.path / "result.json").read_text())
    assert result["resumed_at"] == [steps]
    assert [session["first_step"] for session in result["sessions"]] == [0, steps]
    trained = [int(row["steps"]) for row in rows(folder.path / "train.csv")]
    assert trained == sorted(set(trained))
    assert trained[-1] == steps + 4096


def test_a_program_changed_by_hand_is_not_verified_any_more(config: Compose, tmp_path: Path) -> None:
    cfg = config(*QUICK, f"results={tmp_path}", "stage=generate")
    run(cfg)
    (path,) = tmp_path.glob("programs/*/*/*/program.py")
    path.write_text(path.read_text() + "\n# kinder\n")
    with pytest.raises(VlmcarError, match="not the program that was verified"):
        run(cfg)


def test_the_manual_backend_makes_a_program_and_records_it(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The committed answers, given by hand: what comes out is the committed recording."""
    recorded = ROOT / "results/recordings/minigrid-doorkey_5x5"
    answers = [reply.text for reply in load(recorded)[1]]
    for turn, answer in enumerate(answers, start=1):
        folder = tmp_path / "manual/doorkey_5x5" / f"turn_{turn}"
        folder.mkdir(parents=True)
        (folder / "answer.md").write_text(answer, encoding="utf-8")
    manual = ["vlm=manual", "vlm.answered_by=a test", "vlm.poll_seconds=0.01", "vlm.record=true"]
    run(config(*QUICK, *manual, f"results={tmp_path}", "stage=generate"))
    messages, replies = load(tmp_path / "recordings/minigrid-doorkey_5x5")
    assert digest(messages) == digest(load(recorded)[0])
    assert {reply.model for reply in replies} == {"a test"}


def test_the_manual_backend_answers_a_search_in_several_chats(config: Compose, tmp_path: Path) -> None:
    answers = [reply.text for reply in load(ROOT / "results/recordings/minigrid-doorkey_5x5")[1]]
    chats = dict(zip(("turn_1", "turn_2", "turn_3"), answers[:3], strict=True))
    for turn, answer in {
        **chats,
        "candidate_2/turn_3": answers[2].replace("```python\n", "```python\n# 2\n"),
    }.items():
        folder = tmp_path / "manual/doorkey_5x5" / turn
        folder.mkdir(parents=True)
        (folder / "answer.md").write_text(answer, encoding="utf-8")
    manual = ["vlm=manual", "vlm.answered_by=a test", "vlm.poll_seconds=0.01"]
    search = ["generation=best_of_n", "generation.n=2"]
    run(config(*QUICK, *manual, *search, f"results={tmp_path}", "stage=generate"))
    (folder,) = tmp_path.glob("programs/*/*/*/candidates")
    assert (folder / "2/program.py").read_text() == "# 2\n" + (folder / "1/program.py").read_text()
    verdict = json.loads((folder.parent / "verdict.json").read_text())
    assert (verdict["accepted"], verdict["attempts"], verdict["vlm_calls"]) == (True, 2, 4)
    opening = (tmp_path / "manual/doorkey_5x5/candidate_2/turn_3/prompt.md").read_text()
    assert answers[1] in opening
    assert "program 2 of 2" in opening


def test_a_rejection_ends_the_run_with_one_line_and_records_nothing(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = ["verification.checks.fast_enough.milliseconds=0.000001", "generation.program_attempts=1"]
    with pytest.raises(VlmcarError, match=r"no program was accepted in 1 attempts.*fast_enough"):
        run(config(*QUICK, *strict, "vlm.record=true", f"results={tmp_path}"))
    assert not (tmp_path / "recordings").exists()
    assert list(tmp_path.glob("programs/*/*/*/conversation.jsonl"))


def test_the_sweep_and_its_report(tmp_path: Path) -> None:
    command = ["-m", *QUICK, "logger=wandb", "logger.mode=offline", f"results={tmp_path}", "seed=0"]
    done = subprocess.run([sys.executable, "run.py", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ids = set()
    for method in ("vlmcar", "sparse"):
        folder = run_folder(tmp_path, method)
        assert (folder / "result.json").is_file()
        assert list(folder.rglob("*.wandb"))
        load(folder) if method == "vlmcar" else None
    ids = [
        json.loads((run_folder(tmp_path, m) / "manifest.json").read_text())["wandb_id"]
        for m in ("vlmcar", "sparse")
    ]
    assert len(set(ids)) == 2
    report = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-m", "vlmcar.report", "--results", str(tmp_path), "--out", str(report)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (report / "report.md").read_text()
    assert "vlmcar" in text
    assert "sparse" in text
    assert "not a named commercial model" in text
    assert (report / "learning_curves.png").stat().st_size > 10_000


def test_a_failing_run_in_a_sweep_is_named_and_does_not_stop_the_others(tmp_path: Path) -> None:
    command = [
        "-m", *QUICK, f"results={tmp_path}", "method=sparse", "training.steps=2048", "seed=-1,0",
    ]  # fmt: skip
    done = subprocess.run([sys.executable, "run.py", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "vlmcar: failed (" in done.stderr
    assert "seed=-1" in done.stderr
    assert "Traceback" not in done.stderr
    assert (run_folder(tmp_path, "sparse") / "result.json").is_file()


def test_procgen_is_evaluated_on_its_training_levels_and_on_unseen_ones(
    config: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pixels, a recorded program, and both sets of levels in every row."""
    cfg = config(*QUICK[1:], "env=procgen/maze", "env.num_levels=2", f"results={tmp_path}")
    run(cfg)
    folder = tmp_path / "runs/procgen-maze/vlmcar/offline/ppo/seed_0"
    result = json.loads((folder / "result.json").read_text())
    evaluations = rows(folder / "eval.csv")
    assert [int(row["steps"]) for row in evaluations] == [0, 2048, 4096]
    assert float(evaluations[-1]["train_success_rate"]) == result["final_train_success"]
    assert float(evaluations[-1]["success_rate"]) == result["final_success"]
    assert "train_steps_to_90" in result
    assert result["judged"]["frames_judged"] > 0
    assert "% on training levels" in capsys.readouterr().out
    capsys.readouterr()
    run(
        config(
            *QUICK[1:],
            "env=procgen/maze",
            "env.num_levels=2",
            f"results={tmp_path}",
            "stage=agreement",
            "levels=2",
        )
    )
    measured = rows(tmp_path / "agreement/procgen-maze.csv")
    assert {row["trajectories"] for row in measured} == {"expert", "random", "policy"}
    expert = next(
        row for row in measured if row["trajectories"] == "expert" and row["subtask"] == "cheese_eaten"
    )
    assert (float(expert["agreement"]), int(expert["positives"])) == (1.0, 2)
