"""A whole run whose program is exploited: found by the audit, sent back to the VLM, and trained again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

import vlmcar.learn
import vlmcar.pipeline
from tests.conftest import PROGRAMS, ROOT
from tests.test_pipeline import QUICK
from vlmcar.config import build
from vlmcar.pipeline import run
from vlmcar.program.errors import ProgramCrashed
from vlmcar.refine import refine
from vlmcar.report.__main__ import main as report
from vlmcar.types import ConfigError, Message, NoReply, Program, Reply, VlmcarError
from vlmcar.verification.exploited import Findings
from vlmcar.vlm.conversation import load
from vlmcar.vlm.manual import Manual

Compose = Callable[..., DictConfig]
NAMES = ("pick_up_key", "open_door", "reach_goal")
RIGHT = (PROGRAMS / "doorkey.py").read_text(encoding="utf-8")
KEY_ONLY = RIGHT.split("def open_door")[0] + "".join(
    f"\n\ndef {name}(initial, frame):\n    return pick_up_key(initial, frame)\n" for name in NAMES[1:]
)
LENIENT = [
    *(
        "not_done_at_start",
        "expert_completes_early",
        "expert_on_time",
        "random_completes",
        "truncated_completes",
    ),
    *("near_miss_completes", "near_miss_does", "exploits_pay_less", "successes_outscore", "stays_done"),
]
"""The checks that would have rejected a program that only looks for the key."""


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """What the VLM says on a turn; put in, taken out. Nobody waits for an answer that is not there."""
    recorded = load(ROOT / "results/recordings/minigrid-doorkey_5x5")[1]
    listed = [{"name": name, "description": f"{name} is done."} for name in NAMES]
    answers = {1: recorded[0].text, 2: f"```json\n{json.dumps(listed)}\n```", 3: code(KEY_ONLY)}

    def reply(self: Manual, messages: Sequence[Message]) -> Reply:
        turn = sum(message.role == "user" for message in messages)
        if turn not in answers:
            raise NoReply(f"no answer to turn {turn}")
        return Reply(answers[turn], "a test", seconds=0.0)

    monkeypatch.setattr(Manual, "reply", reply)
    return answers


def code(source: str) -> str:
    return f"```python\n{source}```"


def settings(config: Compose, tmp_path: Path, *more: str) -> DictConfig:
    return config(
        *(line for line in QUICK if not line.startswith("audit.")),
        *("vlm=manual", "vlm.answered_by=a test"),
        *(f"verification.checks.{check}.enabled=false" for check in LENIENT),
        *("verification.feedback_experts=4", "verification.feedback_randoms=3", "verification.negatives=2"),
        *(
            "verification.held_out_experts=4",
            "verification.held_out_randoms=3",
            "verification.random_steps=30",
        ),
        *("audit.episodes=8", "audit.at_most=0", f"results={tmp_path}"),
        *more,
    )


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "runs/minigrid-doorkey_5x5/vlmcar/manual/ppo/seed_0"


def result_of(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder_of(tmp_path) / "result.json").read_text())
    return content


def test_an_exploited_run_is_marked_everywhere(
    config: Compose, tmp_path: Path, answer: dict[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(settings(config, tmp_path))
    result = result_of(tmp_path)
    audit = result["audit"]
    assert audit["exploited"] is True
    assert audit["full_without_success"] > 0
    assert audit["full_without_success"] + audit["successes"] <= audit["episodes"] == 8
    assert (result["refinements"], result["exploited_before"]) == (0, [])
    assert (folder_of(tmp_path) / "audit.png").stat().st_size > 1000
    assert "REWARD EXPLOITED" in capsys.readouterr().out
    assert report(["--results", str(tmp_path), "--out", str(tmp_path / "report")]) == 0
    assert "Exploited: minigrid-doorkey_5x5, vlmcar, seed 0: reward exploited" in capsys.readouterr().out
    page = (tmp_path / "report/report.md").read_text()
    assert "## Reward exploited" in page
    assert f"| {audit['full_without_success']} of 8 (" in page
    assert "**seed 0**" in page


def test_refining_trains_again_on_a_program_that_is_right_about_these_episodes(
    config: Compose, tmp_path: Path, answer: dict[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer[4] = code(f"# Again.\n{KEY_ONLY}")
    answer[5] = code(f"{RIGHT}".replace("CELL = 32", "CELL = 0"))
    answer[6] = code(RIGHT)
    run(settings(config, tmp_path, "audit.refine=true"))
    folder, result = folder_of(tmp_path), result_of(tmp_path)
    (before,) = result["exploited_before"]
    assert before["audit"]["exploited"]
    assert before["program_hash"] != result["program_hash"]
    assert result["audit"]["full_without_success"] == 0
    assert (result["refinements"], result["vlm_calls"]) == (1, 6)
    assert result["vlm_ledger"]["program"]["asked"]["calls"] == 6
    assert (folder / "program.py").read_text() == RIGHT
    assert (folder / "exploited_1/program.py").read_text() == KEY_ONLY
    assert (folder / "exploited_1/audit.png").is_file()
    assert (folder / "exploited_1/policy.zip").is_file()
    assert len(load(folder / "exploited_1")[1]) == 3
    rows = json.loads((folder / "verdict.json").read_text())["checks"]
    assert ("full_without_success", "audit/policy", 0.0, True) in {
        (row["name"], row["trajectories"], row["measured"], row["passed"]) for row in rows
    }
    # The conversation went on: the frames of the policy's episodes, then those of what was still wrong.
    messages, replies = load(folder)
    assert len(replies) == 6
    asked = [message for message in messages if message.role == "user"]
    assert "An agent learned for a long time from this program" in asked[3].text
    assert "earlier program" in asked[4].text
    assert "got an error on frame 0: program crashed" in asked[5].text
    assert asked[3].images
    assert asked[4].images
    assert "training begins again" in capsys.readouterr().out
    assert report(["--results", str(tmp_path), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report/report.md").read_text()
    assert "## Reward exploited" not in page
    assert "| 0 of 8 (" in page
    assert "| none | seed 0 |" in page
    run(settings(config, tmp_path, "audit.refine=true"))
    assert "already complete" in capsys.readouterr().out


def test_a_killed_refined_run_goes_on_with_the_refined_program(
    config: Compose, tmp_path: Path, answer: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer[4] = code(RIGHT)
    trainings = []
    train = vlmcar.learn._train

    def killed(*arguments: Any) -> Any:
        trainings.append(arguments)
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(vlmcar.learn, "_train", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings(config, tmp_path, "audit.refine=true"))
    assert not (folder_of(tmp_path) / "result.json").exists()
    assert str(tmp_path) not in (folder_of(tmp_path) / "refinements.json").read_text()
    answer.clear()  # nothing is asked again
    run(settings(config, tmp_path, "audit.refine=true"))
    result = result_of(tmp_path)
    assert len(trainings) == 3
    assert len(result["exploited_before"]) == 1
    assert (folder_of(tmp_path) / "program.py").read_text() == RIGHT


def test_a_run_that_nobody_answered_goes_on_with_the_policy_that_it_has(
    config: Compose, tmp_path: Path, answer: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        VlmcarError, match=r"no answer to turn 4 \(the trained policy is kept: the same command"
    ):
        run(settings(config, tmp_path, "audit.refine=true"))
    policy = (folder_of(tmp_path) / "policy.zip").read_bytes()
    assert not (folder_of(tmp_path) / "result.json").exists()
    trainings = []
    train = vlmcar.learn._train
    monkeypatch.setattr(vlmcar.learn, "_train", lambda *a: trainings.append(a) or train(*a))
    answer[4] = code(RIGHT)
    run(settings(config, tmp_path, "audit.refine=true"))
    assert len(trainings) == 1  # on the refined program
    assert (folder_of(tmp_path) / "exploited_1/policy.zip").read_bytes() == policy
    assert result_of(tmp_path)["audit"]["full_without_success"] == 0


def test_what_cannot_be_refined_stays_marked(config: Compose, tmp_path: Path, answer: dict[int, str]) -> None:
    answer[4] = code(f"{KEY_ONLY}# Again.\n")
    run(settings(config, tmp_path, "audit.refine=true", "generation.program_attempts=1"))
    result = result_of(tmp_path)
    assert result["audit"]["exploited"]
    assert "no refined program was accepted in 1 attempts" in result["refine_failed"]
    assert (result["refinements"], result["exploited_before"], result["vlm_calls"]) == (0, [], 4)
    assert result["vlm_ledger"]["program"]["asked"]["calls"] == 4
    assert not (folder_of(tmp_path) / "exploited_1").exists()


def test_a_program_that_fails_in_the_audit_leaves_a_marked_result(
    config: Compose, tmp_path: Path, answer: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*_: Any) -> Any:
        raise ProgramCrashed("it divided by zero")

    monkeypatch.setattr(vlmcar.pipeline, "audit_policy", crashes)
    run(settings(config, tmp_path))
    result = result_of(tmp_path)
    assert result["audit"] is None
    assert "after training: program crashed" in result["program_error"]
    assert report(["--results", str(tmp_path), "--out", str(tmp_path / "report")]) == 0
    assert "after training: program crashed" in (tmp_path / "report/report.md").read_text()


def test_a_recording_has_no_answer_to_new_frames(config: Compose) -> None:
    with pytest.raises(ConfigError, match="vlm=offline replays recordings"):
        build(config(*QUICK, "audit.refine=true"))
    build(config(*QUICK, "audit.refine=true", "method=sparse"))


def test_a_reward_that_can_be_farmed_is_not_the_programs_fault(doorkey_program: Program) -> None:
    nothing: Any = None
    findings = Findings(doorkey_program, 8, 0, (), (), worth=1.0, at_most=0.0)
    with pytest.raises(VlmcarError, match="reward=bonus does not"):
        refine(nothing, nothing, findings, nothing, nothing)
