"""Conversations are kept whole, replayed only to the letter, and answered by hand through a folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import flat
from vlmcar.types import ConfigError, Frame, Message, Reply, VlmcarError
from vlmcar.vlm.conversation import Conversation, digest, load
from vlmcar.vlm.manual import Manual
from vlmcar.vlm.offline import NotRecorded, Offline
from vlmcar.vlm.simulated import Simulated

SIMULATED = Simulated(0.0, 0.0, seed=0, seconds_per_query=0.0, dollars_per_query=None)


class Scripted:
    """Answers from a list, in order."""

    name = "scripted"
    cache = False
    record = False

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.seen: list[list[Message]] = []

    def identity(self, images: Sequence[Frame]) -> dict[str, str]:
        return {"vlm": self.name}

    def reply(self, messages: Sequence[Message]) -> Reply:
        self.seen.append(list(messages))
        return Reply(self.answers.pop(0), model="scripted", input_tokens=7, cost=0.5)


def record(folder: Path) -> Conversation:
    conversation = Conversation(Scripted("a room", "two steps"), "be exact", folder)
    conversation.ask("what is there?", [flat(10), flat(200)])
    conversation.ask("and then?")
    return conversation


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    conversation = record(tmp_path)
    messages, replies = load(tmp_path)
    assert [(m.role, m.text) for m in messages] == [
        ("system", "be exact"),
        ("user", "what is there?"),
        ("assistant", "a room"),
        ("user", "and then?"),
        ("assistant", "two steps"),
    ]
    np.testing.assert_array_equal(messages[1].images[1], flat(200))
    assert replies == conversation.replies
    assert digest(messages) == digest(conversation.messages)


def test_each_turn_is_on_disk_before_the_vlm_answers(tmp_path: Path) -> None:
    class Dies(Scripted):
        def reply(self, messages: Sequence[Message]) -> Reply:
            raise VlmcarError("connection lost")

    conversation = Conversation(Dies(), "be exact", tmp_path)
    with pytest.raises(VlmcarError):
        conversation.ask("what is there?", [flat(3)])
    assert load(tmp_path)[0][-1].text == "what is there?"


@pytest.mark.parametrize(
    "changed",
    [
        [Message("system", "be exact!"), Message("user", "what is there?", (flat(10), flat(200)))],
        [Message("system", "be exact"), Message("user", "what is here?", (flat(10), flat(200)))],
        [Message("system", "be exact"), Message("user", "what is there?", (flat(10), flat(201)))],
        [Message("system", "be exact"), Message("user", "what is there?", (flat(200), flat(10)))],
        [Message("system", "be exact"), Message("user", "what is there?", (flat(10, 2, 8), flat(200)))],
        [Message("system", "be exact"), Message("user", "what is there?")],
    ],
)
def test_offline_answers_the_recorded_words_and_pixels_and_nothing_else(
    tmp_path: Path, changed: list[Message]
) -> None:
    record(tmp_path / "room")
    offline = Offline("offline", str(tmp_path), SIMULATED, record=False)
    asked = [Message("system", "be exact"), Message("user", "what is there?", (flat(10), flat(200)))]
    assert offline.reply(asked) == Reply("a room", model="scripted", input_tokens=7, cost=0.5)
    with pytest.raises(NotRecorded, match=r"recorded: room.*vlm=manual"):
        offline.reply(changed)


def test_offline_says_at_which_turn_a_recording_stops_to_fit(tmp_path: Path) -> None:
    messages = record(tmp_path / "room").messages
    with pytest.raises(NotRecorded, match="turn 2"):
        Offline("offline", str(tmp_path), SIMULATED, record=False).reply(
            [*messages[:3], Message("user", "and before?")]
        )


def test_offline_identity_changes_with_the_recordings_of_the_same_images_only(tmp_path: Path) -> None:
    def identity() -> object:
        return Offline("offline", str(tmp_path), SIMULATED, record=False).identity([flat(10), flat(200)])

    record(tmp_path / "room")
    before = identity()
    assert identity() == before
    Conversation(Scripted("else"), "be exact", tmp_path / "other").ask("what is there?", [flat(1), flat(2)])
    assert identity() == before
    record(tmp_path / "hall")
    assert identity() != before


def test_offline_without_a_folder_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        Offline("offline", str(tmp_path / "missing"), SIMULATED, record=False)


def test_a_broken_recording_is_named(tmp_path: Path) -> None:
    record(tmp_path / "room")
    (tmp_path / "room" / "conversation.jsonl").write_text('{"role": "user"', encoding="utf-8")
    with pytest.raises(VlmcarError, match=r"room cannot be read"):
        Offline("offline", str(tmp_path), SIMULATED, record=False).reply([Message("user", "hello")])


def manual(folder: Path, minutes: float = 1.0, who: str = "a person") -> Manual:
    return Manual("manual", str(folder), who, poll_seconds=0.01, timeout_minutes=minutes, record=False)


def test_manual_writes_prompt_and_images_and_waits_for_the_answer(tmp_path: Path) -> None:
    def person() -> None:
        prompt = tmp_path / "turn_1" / "prompt.md"
        while not prompt.exists():
            time.sleep(0.01)
        assert sorted(p.name for p in prompt.parent.iterdir()) == [
            "answered_by.txt",
            "image_1.png",
            "image_2.png",
            "images.json",
            "prompt.md",
        ]
        (prompt.parent / "answer.md").write_text("a room", encoding="utf-8")

    thread = threading.Thread(target=person)
    thread.start()
    conversation = Conversation(manual(tmp_path), "be exact")
    assert conversation.ask("what is there?", [flat(10), flat(200)]) == "a room"
    thread.join()
    prompt = (tmp_path / "turn_1" / "prompt.md").read_text(encoding="utf-8")
    assert prompt == "be exact\n\nwhat is there?"
    assert conversation.replies[0].model == "a person"


def test_manual_goes_on_with_answers_that_are_there_already(tmp_path: Path) -> None:
    for turn, text in ((1, "a room"), (2, "two steps")):
        (tmp_path / f"turn_{turn}").mkdir()
        (tmp_path / f"turn_{turn}" / "answer.md").write_text(text, encoding="utf-8")
    conversation = Conversation(manual(tmp_path), "be exact")
    assert conversation.ask("what is there?") == "a room"
    assert conversation.ask("and then?") == "two steps"
    assert (tmp_path / "turn_2" / "prompt.md").read_text(encoding="utf-8") == "and then?"


@pytest.mark.parametrize(("text", "image"), [("what is here?", 10), ("what is there?", 11)])
def test_manual_refuses_a_folder_of_another_conversation(tmp_path: Path, text: str, image: int) -> None:
    with pytest.raises(VlmcarError, match="no answer"):
        Conversation(manual(tmp_path, minutes=0.001), "be exact").ask("what is there?", [flat(10)])
    with pytest.raises(VlmcarError, match="another conversation"):
        Conversation(manual(tmp_path), "be exact").ask(text, [flat(image)])


def test_manual_takes_no_answer_under_another_name(tmp_path: Path) -> None:
    answer = tmp_path / "turn_1" / "answer.md"
    for who in ("a passer-by", "a person"):  # nobody has answered yet: whoever is asked last answers
        with pytest.raises(VlmcarError, match="no answer"):
            Conversation(manual(tmp_path, 0.001, who), "be exact").ask("what is there?")
    answer.write_text("a room", encoding="utf-8")
    with pytest.raises(VlmcarError, match=r"answer\.md was written by a person: give the same vlm\.answ"):
        Conversation(manual(tmp_path, who="a passer-by"), "be exact").ask("what is there?")
    assert Conversation(manual(tmp_path), "be exact").ask("what is there?") == "a room"
    (tmp_path / "turn_1" / "answered_by.txt").unlink()  # of a folder that is older than the note
    assert Conversation(manual(tmp_path, who="a passer-by"), "be exact").ask("what is there?") == "a room"


@pytest.mark.parametrize("images", [(), (flat(10),)])
def test_manual_speaks_of_images_where_there_are_some(
    tmp_path: Path, images: tuple[Frame, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(VlmcarError, match="no answer"):
        Conversation(manual(tmp_path, 0.001), "be exact").ask("what is there?", images)
    beside = " with the image_*.png beside it" if images else ""
    assert f"prompt.md{beside} in a new chat, and save the answer as " in capsys.readouterr().out


def test_a_manual_conversation_that_branches_off_is_a_new_chat_with_all_that_was_said(tmp_path: Path) -> None:
    answers = {
        "turn_1": "a room",
        "turn_2": "a key",
        "candidate_2/turn_2": "a door",
        "candidate_2/turn_3": "open",
    }
    for turn, text in answers.items():
        (tmp_path / turn).mkdir(parents=True)
        (tmp_path / turn / "answer.md").write_text(text, encoding="utf-8")
    vlm = manual(tmp_path)
    conversation = Conversation(vlm, "be exact")
    conversation.ask("what is there?", [flat(10), flat(200)])
    fork = conversation.fork(vlm.branch("candidate_2", 1))
    assert conversation.ask("and then?", [flat(3)]) == "a key"
    assert fork.ask("and then?", [flat(4)]) == "a door"
    assert fork.ask("and last?") == "open"
    assert (tmp_path / "turn_2/prompt.md").read_text(encoding="utf-8") == "and then?"
    said = (tmp_path / "candidate_2/turn_2/prompt.md").read_text(encoding="utf-8")
    assert said.split("\n\n") == [
        "be exact", "what is there?", "(Attached to this, in order: image_1.png, image_2.png)",
        "(To this you answered:)", "a room", "(Then you were asked:)",
        "and then?", "(Attached to this, in order: image_3.png)",
    ]  # fmt: skip
    assert (tmp_path / "candidate_2/turn_2/image_3.png").is_file()
    assert (tmp_path / "candidate_2/turn_3/prompt.md").read_text(encoding="utf-8") == "and last?"


def test_a_fork_goes_on_alone_and_keeps_all_that_was_said(tmp_path: Path) -> None:
    conversation = record(tmp_path / "one")
    before = digest(conversation.messages)
    fork = conversation.fork(Scripted("another"), tmp_path / "two")
    assert fork.ask("or else?") == "another"
    assert digest(conversation.messages) == digest(load(tmp_path / "one")[0]) == before
    messages, replies = load(tmp_path / "two")
    assert [m.text for m in messages[-3:]] == ["two steps", "or else?", "another"]
    assert (digest(messages[:-2]), len(replies)) == (before, 3)


def test_manual_waits_until_an_answer_stops_to_change(tmp_path: Path) -> None:
    (tmp_path / "turn_1").mkdir()
    answer = tmp_path / "turn_1" / "answer.md"
    answer.write_text("half", encoding="utf-8")

    def person() -> None:
        time.sleep(0.05)
        answer.write_text("half and whole", encoding="utf-8")

    thread = threading.Thread(target=person)
    thread.start()
    slow = Manual("manual", str(tmp_path), "a person", poll_seconds=0.3, timeout_minutes=1.0, record=False)
    assert Conversation(slow, "be exact").ask("what is there?") == "half and whole"
    thread.join()


def test_manual_gives_up_after_its_time(tmp_path: Path) -> None:
    with pytest.raises(VlmcarError, match="no answer in"):
        Conversation(manual(tmp_path, minutes=0.001), "be exact").ask("what is there?")


def test_line_ends_of_other_alphabets_do_not_break_a_recording(tmp_path: Path) -> None:
    said = "one\u2028two\x85three\x0cfour\rfive\r\nsix"
    Conversation(Scripted(said), "system", tmp_path).ask("q\u2029")
    messages, replies = load(tmp_path)
    assert replies[0].text == said
    assert messages[1].text == "q\u2029"
