"""Thousands of malformed replies: always a verdict in words, never an exception, and nothing in them is run."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from vlmcar.generation.parsing import (
    MAX_CHARACTERS,
    MAX_SAID,
    UnreadableReply,
    read_description,
    read_program,
    read_repair,
    read_subtasks,
)
from vlmcar.types import Program, SubTask
from vlmcar.vlm.conversation import Conversation, load

EXAMPLES = 2500
SUBTASKS = (SubTask("key_picked_up", "The key is gone."), SubTask("door_opened", "The door is open."))
READERS: dict[str, tuple[Callable[[str], Any], Callable[[Any], bool]]] = {
    "description": (read_description, lambda v: isinstance(v, str)),
    "subtasks": (
        lambda r: read_subtasks(r, 8),
        lambda v: 1 <= len(v) <= 8 and all(type(s) is SubTask for s in v),
    ),
    "program": (lambda r: read_program(r, SUBTASKS), lambda v: type(v) is Program),
    "repair": (lambda r: read_repair(r, SUBTASKS, 8), lambda v: type(v) is Program),
}
GOOD = [
    reply.text
    for folder in sorted((ROOT / "results/recordings").glob("*/conversation.jsonl"))
    for reply in load(folder.parent)[1]
]
PAYLOAD = "import sys; sys.modules['vlmcar_was_run'] = sys; open('vlmcar_was_run', 'w')"
GOOD_MODULE = '''"""Frames."""


def key_picked_up(initial, frame):
    return True


def door_opened(initial, frame):
    return True
'''
MODULE = GOOD_MODULE.replace("\n\n\n", f"\n{PAYLOAD}\n", 1)

_executed: list[str] | None = None


def _audit(event: str, arguments: tuple) -> None:
    """Hooks cannot be removed, so this one listens only inside `nothing_is_run`."""
    if _executed is not None and event == "exec" and arguments[0].co_filename in ("<unknown>", "<string>"):
        _executed.append(str(arguments[0]))


sys.addaudithook(_audit)


@contextmanager
def nothing_is_run() -> Iterator[None]:
    global _executed
    _executed = []
    try:
        yield
        assert _executed == []
        assert "vlmcar_was_run" not in sys.modules
    finally:
        _executed = None


def check(reply: str) -> dict[str, bool]:
    """Every turn's reader gives a value of its type, or says what is wrong. Which ones gave a value."""
    readable = {}
    for name, (read, right) in READERS.items():
        try:
            with nothing_is_run():
                value = read(reply)
        except UnreadableReply as problem:
            said = str(problem)
            assert said.strip()
            assert len(said) <= MAX_SAID
            assert all(character.isprintable() or character == "\n" for character in said)
            readable[name] = False
        else:
            assert right(value)
            if isinstance(value, Program):  # can be written, hashed, and read back as it was
                assert value.source.encode("utf-8").decode("utf-8") == value.source
                assert "\r" not in value.source
                assert len(value.hash) == 12
            readable[name] = True
    return readable


NOISE = [
    "\0",
    "\ud800",
    "\udfff",
    "\ufeff",
    "\u202e",
    "\u2028",
    "\x85",
    "\x0c",
    "\x1b[31m",
    "\r",
    "\r\n",
    "\t",
    "а",
    "ｄｅｆ",
    "```",
    "```python\n",
    "```json\n",
    "\n```\n",
    "~~~python\n",
    "````",
    "``` python",
    "def ",
    "class X:",
    "@",
    "import os\n",
    "key_picked_up",
    "door_opened",
    "key_opened",
    "(initial, frame)",
    "(frame)",
    "(*args)",
    "lambda: ",
    "async ",
    "1.",
    "2)",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'''",
    '"""',
    "\\",
    "\\ud800",
    "NaN",
    "1e999",
    "9" * 5000,
    "-" * 3000,
    "(" * 3000,
    "[" * 3000,
    "I'm sorry, but I can't help with that.",
    "Je ne peux pas.",
    "申し訳ありません。",
    PAYLOAD,
    MODULE,
    "f'{" * 100,
    "\n    " * 200,
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good reply that was cut, doubled, spoiled and mixed with another one."""
    generator = random.Random(draw(st.integers(0, 2**32)))
    text = generator.choice([*GOOD, MODULE, f"```python\n{MODULE}```", ""])
    for _ in range(generator.randrange(1, 6)):
        place = generator.randrange(len(text) + 1)
        kind = generator.randrange(7)
        if kind == 0:
            text = text[:place]
        elif kind == 1:
            text = text[place:]
        elif kind == 2:
            text = text[:place] + generator.choice(NOISE) + text[place:]
        elif kind == 3:
            text = text[:place] + generator.choice(GOOD) + text[place:]
        elif kind == 4:
            text = text.replace(*generator.choice(RENAMED))
        elif kind == 5:
            lines = text.split("\n")
            generator.shuffle(lines)
            text = "\n".join(lines)
        else:
            text = "".join(generator.choice([c, c, c, c, generator.choice(NOISE)[:1]]) for c in text[:4000])
    return text


RENAMED = [
    ("```python", "```javascript"),
    ("```python", "```"),
    ("```json", "```python"),
    ("```", "~~~"),
    ("```", "`"),
    ("def ", "def  not_"),
    ("(initial, frame)", "(frame, initial)"),
    ("(initial, frame)", "(initial, frame, memory=[])"),
    ("\n", "\r\n"),
    ("\n", "\r"),
    ("\n", "\u2028"),
    ("    ", "\t"),
    ("return", "yield"),
    ('"name"', '"Name"'),
    ("_", "-"),
    ('"""', ""),
    ("import numpy as np", "import os as np"),
    ("key", "clé"),
    ("e", "е"),
    ('"', "'"),
    ("1.", "I."),
]


def test_thousands_of_malformed_replies_get_a_verdict(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = {"replies": 0, "read": 0, "refused": 0}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(mutated(), mutated(), mutated(), st.text(max_size=300)))
    def run(reply: str) -> None:
        readable = check(reply)
        seen["replies"] += 1
        seen["read"] += sum(readable.values())
        seen["refused"] += len(readable) - sum(readable.values())

    run()
    assert seen["replies"] >= 2000
    # Not all of one kind, or the mutations would test nothing.
    assert seen["read"] >= 100
    assert seen["refused"] >= 2000
    assert not (tmp_path / "vlmcar_was_run").exists()


BIG = 5_000_000
HUGE = {
    "one line": "a" * BIG,
    "backticks": "`" * BIG,
    "fences": "```\n" * (BIG // 4),
    "opened python": "```python\n" * (BIG // 10),
    "numbers": "1.\n" * (BIG // 3),
    "blank lines": "\n" * BIG,
    "nuls": "\0" * BIG,
    "nested lists": "```json\n" + "[" * BIG + "\n```",
}
LIMIT = MAX_CHARACTERS - 100
LONG = {
    "just readable: backticks": "`" * LIMIT,
    "just readable: blank lines": "\n" * LIMIT,
    "just readable: fences": "```\n" * (LIMIT // 4),
    "just readable: opened python": "```python\n" * (LIMIT // 10),
    "just readable: fence with blanks": ("```" + " " * 50 + "x\n") * (LIMIT // 55),
    "just readable: dots": "." * LIMIT,
    "json: nested lists": "```json\n" + "[" * 90_000 + "\n```",
    "json: nested and closed": "```json\n" + "[" * 50_000 + "]" * 50_000 + "\n```",
    "json: nested objects": "```json\n" + '{"a":' * 30_000 + "\n```",
    "json: digits": "```json\n[" + "9" * 90_000 + "]\n```",
    "json: a long name": '```json\n[{"name": "' + "A" * 90_000 + '", "description": "d"}]\n```',
    "json: a long description": '```json\n[{"name": "a", "description": "' + "d" * 90_000 + '"}]\n```',
    "json: half a pair": '```json\n[{"name": "a", "description": "\\ud800"}]\n```',
    "json: keys that differ": '```json\n[{"name": "a", "name": "b", "description": "d", "x": NaN}]\n```',
    "json: names that are no text": '```json\n[{"name": 3, "description": null}]\n```',
    "python: parentheses": "```python\n" + "(" * 90_000 + "\n```",
    "python: closed parentheses": "```python\nx = " + "(" * 40_000 + ")" * 40_000 + "\n```",
    "python: signs": "```python\nx = " + "-" * 90_000 + "1\n```",
    "python: nots": "```python\nx = " + "not " * 20_000 + "1\n```",
    "python: a sum": "```python\nx = " + "1+" * 40_000 + "1\n```",
    "python: attributes": "```python\nx = a" + ".b" * 40_000 + "\n```",
    "python: digits": "```python\nx = " + "9" * 90_000 + "\n```",
    "python: indented": "```python\n" + "".join(f"{' ' * n}if 1:\n" for n in range(400)) + "\n```",
    "python: f-strings": "```python\nx = " + "f'{" * 20_000 + "\n```",
    "python: a long name": "```python\nx = a." + "_" * 90_000 + "\n```",
    "python: many problems": "```python\n" + "import os\n" * 9_000 + "\n```",
    "python: nul": f"```python\n{MODULE}\0\n```",
    "python: half a pair": f"```python\n{MODULE}x = '\ud800'\n```",
    "python: payload": f"```python\n{MODULE}\n```",
    "python: too long": "```python\n" + "# comment\n" * 15_000 + "```",
}


@pytest.mark.parametrize("name", [*HUGE, *LONG])
def test_huge_and_deep_replies_are_refused_in_words(name: str, tmp_path, monkeypatch) -> None:
    """A reader that takes quadratic time would hang here."""
    monkeypatch.chdir(tmp_path)
    assert not any(check({**HUGE, **LONG}[name]).values())
    assert not (tmp_path / "vlmcar_was_run").exists()


def test_line_ends_of_any_kind_give_the_same_program() -> None:
    text = f"```python\n{GOOD_MODULE}```"
    programs = {read_program(text.replace("\n", end), SUBTASKS) for end in ("\n", "\r\n", "\r")}
    assert [program.source for program in programs] == [GOOD_MODULE]


def test_half_a_surrogate_pair_does_not_lose_the_conversation(tmp_path) -> None:
    from tests.vlm.test_conversation import Scripted

    conversation = Conversation(Scripted("a\ud800b"), "system", tmp_path)
    assert conversation.ask("q") == "a?b"
    assert load(tmp_path)[1][0].text == "a?b"
