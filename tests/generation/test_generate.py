"""The conversation: each turn, each repair, each bound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import flat
from tests.vlm.test_conversation import Scripted
from vlmcar.generation.budget import GenerationFailed
from vlmcar.generation.generate import Generated
from vlmcar.generation.search import Repair
from vlmcar.types import Check, Program, Verdict
from vlmcar.verification.rank import rank
from vlmcar.vlm.conversation import load
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger

SUBTASKS = '```json\n[{"name": "get_key", "description": "The key is gone."}]\n```'


ROOM = "1. A room.\n2. The key is gone.\n3. Take the key.\n4. The place of the key."


def program(value: str) -> str:
    return f'```python\n"""A key."""\n\n\ndef get_key(initial, frame):\n    return {value}\n```'


def accepts(*values: str):
    """A verification that accepts programs that return one of these values."""

    def verify(candidate: Program) -> Verdict:
        good = any(f"return {value}\n" in candidate.source for value in values)
        row = Check("expert_completes", None, "feedback/expert", 10, float(good), ">= 1", good)
        return Verdict(good, (row,), "" if good else f"wrong: {candidate.hash}", () if good else (flat(9),))

    return verify


COMMON = {"prompts": "v1", "max_subtasks": 8, "readable_attempts": 2, "max_calls": None, "max_dollars": None}


def generate(vlm: Scripted, tmp_path: Path, verify=None, frames=None, search=None) -> Generated:
    return (search or Repair(name="repair", program_attempts=3, **COMMON)).generate(
        (flat(1), flat(2)),
        frames or (flat(1), flat(2)),
        CountedVLM(vlm, tmp_path / "results", Ledger()),
        verify or accepts("True"),
        rank,
        tmp_path,
        lambda _: None,
    )


def test_three_turns_when_all_goes_well(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("True"))
    made = generate(vlm, tmp_path)
    assert made.verdict.accepted
    assert made.attempts == 1
    assert [s.name for s in made.program.subtasks] == ["get_key"]
    describe, decompose, write = (messages[-1] for messages in vlm.seen)
    assert [image.max() for image in describe.images] == [1, 2]
    assert "at most 8" in decompose.text
    assert "`get_key`: The key is gone." in write.text
    assert "(4, 4, 3)" in write.text


def test_an_unreadable_reply_gets_one_precise_repair_turn(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, "first the key, then the door", SUBTASKS, program("True"))
    made = generate(vlm, tmp_path)
    assert made.verdict.accepted
    assert "no fenced block marked `json`" in vlm.seen[2][-1].text
    assert [m.text for m in load(tmp_path)[0] if m.role == "assistant"][1] == "first the key, then the door"


def test_a_refusal_to_describe_is_asked_again(tmp_path: Path) -> None:
    vlm = Scripted("I cannot help with that.", ROOM, SUBTASKS, program("True"))
    assert generate(vlm, tmp_path).verdict.accepted
    assert "no answer numbered 1, 2, 3, 4" in vlm.seen[1][-1].text


def test_replies_that_stay_unreadable_end_the_conversation(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, "no", "no again", "never asked")
    with pytest.raises(GenerationFailed, match=r"after 2 replies.*json"):
        generate(vlm, tmp_path)
    assert vlm.answers == ["never asked"]


def test_a_rejected_program_is_repaired_with_the_feedback_and_its_pictures(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("False"), program("0.5"), program("True"))
    made = generate(vlm, tmp_path)
    assert made.attempts == 3
    assert made.verdict.accepted
    repair = vlm.seen[3][-1]
    assert "wrong: " in repair.text
    np.testing.assert_array_equal(repair.images[0], flat(9))
    kept = [m.text for m in load(tmp_path)[0] if m.role == "assistant"]
    assert kept[2:] == [program("False"), program("0.5"), program("True")]


def test_smaller_frames_are_announced_and_shown_enlarged(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("False"), program("True"))
    small = (flat(3, 2, 2), flat(4, 2, 2))
    small[0][0, 1] = 7
    rejected = (flat(8, 2, 2),)

    def verify(candidate: Program) -> Verdict:
        good = "return True" in candidate.source
        row = Check("expert_completes", None, "feedback/expert", 10, float(good), ">= 1", good)
        return Verdict(good, (row,), "" if good else "wrong", () if good else rejected)

    assert generate(vlm, tmp_path, verify, frames=small).verdict.accepted
    describe, _, write, repair = (messages[-1] for messages in vlm.seen)
    assert "4 pixels wide" in describe.text
    assert [image.max() for image in describe.images] == [1, 2]
    assert "2 pixels wide and 2 pixels high" in write.text
    assert "a block of 2 x 2" in write.text
    assert "shape (2, 2, 3)" in write.text
    assert [image.shape for image in write.images] == [(4, 4, 3)] * 2
    np.testing.assert_array_equal(write.images[0][::2, ::2], small[0])
    np.testing.assert_array_equal(write.images[0][1::2, 1::2], small[0])
    assert "a block of 2 x 2" in repair.text
    np.testing.assert_array_equal(repair.images[0], flat(8, 4, 4))


def test_frames_of_the_images_own_size_are_not_shown_twice(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("True"))
    generate(vlm, tmp_path)
    assert vlm.seen[2][-1].images == ()
    assert "block of" not in vlm.seen[2][-1].text


def test_attempts_are_bounded_and_the_best_program_is_returned(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("False"), program("0.5"), program("0.1"), "never asked")

    def verify(candidate: Program) -> Verdict:
        row = Check(
            "expert_completes",
            None,
            "feedback/expert",
            10,
            float("0.5" in candidate.source) / 2,
            ">= 1",
            False,
        )
        return Verdict(False, (row,), "wrong")

    made = generate(vlm, tmp_path, verify)
    assert not made.verdict.accepted
    assert made.attempts == 3
    assert "return 0.5" in made.program.source
    assert len(made.replies) == 5
    assert made.ended == "try another vlm=, or more generation.program_attempts"
    assert vlm.answers == ["never asked"]


def test_the_stored_conversation_is_valid_json_lines(tmp_path: Path) -> None:
    generate(Scripted(ROOM + " é", SUBTASKS, program("True")), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "conversation.jsonl").read_text().splitlines()]
    assert [row["role"] for row in rows] == ["system"] + ["user", "assistant"] * 3
    assert rows[2]["reply"]["model"] == "scripted"
    assert len(rows[1]["images"]) == 2
