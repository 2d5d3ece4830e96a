"""Replies are read strictly, and what is wrong is said in words a VLM can act on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmcar.generation.parsing import (
    UnreadableReply,
    read_description,
    read_program,
    read_repair,
    read_subtasks,
)
from vlmcar.generation.prompts import Prompts
from vlmcar.types import ConfigError, SubTask

TWO = (SubTask("get_key", "The key is gone."), SubTask("open_door", "The door is open."))
SOURCE = '''"""A key and a door."""


def get_key(initial, frame):
    return bool((frame != initial).any())


def open_door(initial, frame):
    return 0.5
'''


def fenced(language: str, text: str) -> str:
    return f"Here it is.\n\n```{language}\n{text.rstrip()}\n```\n\nThat is all."


def listed(*rows: object) -> str:
    return fenced("json", json.dumps(rows))


def test_subtasks_are_read_in_order() -> None:
    rows = [{"name": s.name, "description": s.description} for s in TWO]
    assert read_subtasks(listed(*rows), 8) == TWO


GOOD = {"name": "get_key", "description": "The key is gone."}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("There are two sub-tasks.", "no fenced block marked `json`"),
        (listed(GOOD) + listed(GOOD), "2 fenced blocks"),
        (fenced("json", "[{'name': 'x'}]"), "not valid JSON"),
        (fenced("json", "[" * 100_000), "not valid JSON"),
        (fenced("json", "{}"), "must hold a list"),
        (listed(), "at least one"),
        (listed(*[{"name": f"s{i}", "description": "x"} for i in range(9)]), "9 sub-tasks; at most 8"),
        (listed(GOOD, GOOD), "must differ"),
        (listed({"name": "get_key"}), "just `name` and `description`"),
        (listed({**GOOD, "code": "1"}), "just `name` and `description`"),
        (listed("get_key"), "just `name` and `description`"),
        (listed({**GOOD, "name": "Get key"}), "no snake_case"),
        (listed({**GOOD, "name": "class"}), "no snake_case"),
        (listed({**GOOD, "name": "_hidden"}), "no snake_case"),
        (listed({**GOOD, "name": 3}), "no snake_case"),
        (listed({**GOOD, "description": " "}), "needs a description"),
    ],
)
def test_bad_subtasks_are_answered_precisely(reply: str, words: str) -> None:
    with pytest.raises(UnreadableReply, match=words.replace("(", r"\(")):
        read_subtasks(reply, 8)


def test_a_program_is_read_to_the_letter() -> None:
    program = read_program(fenced("python", SOURCE), TWO)
    assert program.source == SOURCE
    assert program.subtasks == TWO


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("I cannot help with that.", "no fenced block marked `python`"),
        (fenced("python", SOURCE) + fenced("python", SOURCE), "2 fenced blocks"),
        (fenced("python", SOURCE.replace("open_door", "open_gate")), "open_door"),
        (fenced("python", "import os\n" + SOURCE), "os"),
        (fenced("python", SOURCE + "\ndef broken(:\n"), "line"),
    ],
)
def test_bad_programs_are_answered_precisely(reply: str, words: str) -> None:
    with pytest.raises(UnreadableReply, match=words):
        read_program(reply, TWO)


def test_a_repair_may_replace_the_subtasks() -> None:
    source = SOURCE.split("\n\ndef open_door")[0]
    reply = listed(GOOD) + "\n" + fenced("python", source)
    assert [s.name for s in read_repair(reply, TWO, 8).subtasks] == ["get_key"]
    assert read_repair(fenced("python", SOURCE), TWO, 8).subtasks == TWO


def test_a_description_answers_all_four_questions() -> None:
    text = "1. A room.\n**2.** The key is gone.\n3) Take it.\n## 4. The walls stay."
    assert read_description(text) == text
    for refusal in (" \n", "I cannot help with that.", text.replace("3)", "-")):
        with pytest.raises(UnreadableReply, match="no answer numbered"):
            read_description(refusal)


@given(st.text(alphabet=st.sampled_from('`python json\n[]{}":,def_x()\0é'), max_size=300))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    for read in (
        lambda t: read_subtasks(t, 8),
        lambda t: read_program(t, TWO),
        lambda t: read_repair(t, TWO, 8),
    ):
        try:
            read(text)
        except UnreadableReply as problem:
            assert str(problem)


def test_prompts_of_a_missing_version_name_those_there_are() -> None:
    with pytest.raises(ConfigError, match="v1"):
        Prompts("v0")


def test_every_prompt_can_be_filled_and_a_missing_value_is_an_error() -> None:
    prompts = Prompts("v1")
    assert "64 pixels wide" in prompts.fill("describe", width=64, height=32)
    with pytest.raises(KeyError):
        prompts.fill("describe", width=64)
