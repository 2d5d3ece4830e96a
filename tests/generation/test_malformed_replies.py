"""Thousands of malformed replies: always a verdict in words, never an exception, and nothing in them is run."""

from __future__ import annotations

import json
import re
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.vlm.test_conversation import Scripted
from vlmcar.generation.parsing import (
    UnreadableReply,
    read_description,
    read_program,
    read_repair,
    read_subtasks,
)
from vlmcar.types import Program, SubTask
from vlmcar.vlm.conversation import Conversation, load

EXAMPLES = 3500
MALFORMED = 2000
"""Of the examples, at least so many differ from all others and are refused by the reader of their turn."""
LONGEST = 4000
"""Characters of a problem that a VLM can still make use of."""
MAX_SUBTASKS = 8


# Nothing in a reply is run

FLAG = "vlmcar_was_run"
REFUSED_PAYLOAD = f"import sys; sys.modules['{FLAG}'] = sys; open('{FLAG}', 'w')"
ACCEPTED_PAYLOAD = "raise SystemExit('it was run')"
"""No rule of the screening forbids this, so that it stands in programs that are accepted, too."""

_seen: list[str] | None = None
_thread = 0


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Hooks cannot be removed, so this one listens only inside `nothing_is_run`, and to that thread.

    Parsing is a ``compile``, which looks for the text of a wrong line in a file ``<unknown>``, and for the character
    of a ``\\N{name}`` in an extension module. Everything else is seen: code that starts, files, processes, sockets.
    """
    if _seen is None or threading.get_ident() != _thread or event in ("compile", "import"):
        return
    if not (event == "open" and arguments[0] == "<unknown>"):
        _seen.append(f"{event} {arguments}"[:200])


sys.addaudithook(_audit)


@contextmanager
def nothing_is_run() -> Iterator[None]:
    """Fails if anything but parsing happens inside, or if anything warns."""
    global _seen, _thread
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("ignore")
        for kind in (SyntaxWarning, DeprecationWarning):
            warnings.simplefilter("always", kind)
        seen: list[str] = []
        _seen, _thread = seen, threading.get_ident()
        try:
            yield
        finally:
            _seen = None
    assert seen == []
    assert [str(warning.message) for warning in warned] == []
    assert FLAG not in sys.modules


@pytest.mark.parametrize("name", ["<string>", "<unknown>", "program.py"])
def test_the_hook_sees_code_that_starts(name: str) -> None:
    code = compile("1", name, "exec")
    with pytest.raises(AssertionError, match="exec"), nothing_is_run():
        exec(code)


def test_the_hook_sees_files_and_warnings(tmp_path) -> None:
    with pytest.raises(AssertionError, match="open"), nothing_is_run():
        open(tmp_path / "file", "w").close()
    with pytest.raises(AssertionError, match="invalid"), nothing_is_run():
        compile("'\\d'", "<unknown>", "eval")


# What a reply is read as


class Read(NamedTuple):
    """What a reader made of a reply."""

    value: Any
    problem: str
    """Empty where there is a value."""


READERS: dict[str, Callable[[str, tuple[SubTask, ...]], Any]] = {
    "description": lambda reply, _: read_description(reply),
    "subtasks": lambda reply, _: read_subtasks(reply, MAX_SUBTASKS),
    "program": read_program,
    "repair": lambda reply, subtasks: read_repair(reply, subtasks, MAX_SUBTASKS),
}


def read_all(reply: str, subtasks: tuple[SubTask, ...]) -> dict[str, Read]:
    """Every turn's reader gives a value of its type, or says what is wrong."""
    result = {}
    for name, read in READERS.items():
        try:
            with nothing_is_run():
                value = read(reply, subtasks)
        except UnreadableReply as problem:
            check_said(str(problem))
            result[name] = Read(None, str(problem))
        else:
            check_value(name, value, reply, subtasks)
            result[name] = Read(value, "")
    return result


def check_said(problem: str) -> None:
    assert problem.strip()
    assert len(problem) <= LONGEST
    assert problem.replace("\n", "").isprintable()


def check_value(name: str, value: Any, reply: str, subtasks: tuple[SubTask, ...]) -> None:
    if name == "description":
        assert value == reply
    elif name == "subtasks":
        check_subtasks(value)
    else:
        assert type(value) is Program
        if value.subtasks != subtasks:
            assert name == "repair"
            check_subtasks(value.subtasks)
        fenced = reply.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        before = fenced.split(f"{value.source}```")[:-1]
        assert any(re.search(r"(?i)^```[ \t]*python[ \t]*\n\Z", part[-50:], re.MULTILINE) for part in before)
        assert value.source.encode("utf-8").decode("utf-8") == value.source  # it can be written, and hashed
        assert len(value.hash) == 12


def check_subtasks(subtasks: tuple[SubTask, ...]) -> None:
    assert 1 <= len(subtasks) <= MAX_SUBTASKS
    assert len({subtask.name for subtask in subtasks}) == len(subtasks)
    for subtask in subtasks:
        assert type(subtask) is SubTask
        assert re.fullmatch("[a-z][a-z0-9_]{0,59}", subtask.name)
        assert 1 <= len(subtask.description) <= 1000
        assert subtask.description.isprintable()


# Good replies, and what becomes of them


class Good(NamedTuple):
    """A recorded reply, the turn that it answers, and the sub-tasks of that turn."""

    turn: str
    reply: str
    subtasks: tuple[SubTask, ...]


def recorded() -> Iterator[Good]:
    for file in sorted((ROOT / "results/recordings").glob("*/conversation.jsonl")):
        description, decomposition, *programs = (reply.text for reply in load(file.parent)[1])
        subtasks = read_subtasks(decomposition, MAX_SUBTASKS)
        yield Good("description", description, subtasks)
        yield Good("subtasks", decomposition, subtasks)
        for program in programs:
            with suppress(UnreadableReply):  # not all were readable at the time, either
                read_repair(program, subtasks, MAX_SUBTASKS)
                yield Good("repair", program, subtasks)


GOOD = list(recorded())
TURNS = ["description", *["subtasks"] * 2, *["repair"] * 5]
"""As often as there is something to get wrong."""

NOISE = [
    "\0", "\ud800", "\udfff", "\ufeff", "\u202e", "\u200f", "\u2028", "\x85", "\x0c", "\x1b[31m", "\x08", "\r", "\r\n",
    "\n", "\t", " ", "а", "ｄｅｆ ", "𝐱", "١", "\\", "\\ud800", "\\N{DIGIT ONE}", "'\\d'", "```", "```python\n",
    "```json\n", "\n```\n", "\n~~~\n", "~~~python\n", "````\n", "``` python\n", "```js\n", "def ", "class X:", "@",
    "lambda: ", "async ", "import os\n", "(initial, frame)", "(*args)", "1.", "2)", "[", "]", "{", "}", "(", ")", ":",
    ",", '"', "'", "'''", '"""', "#", ";", "NaN", "1e999", "0x", "1_", "f'{", "9" * 5000, "-" * 3000, "(" * 3000,
    "[" * 3000, "not " * 900, "f'{" * 100, "\n    " * 200, "x=" * 2000, f"\n{REFUSED_PAYLOAD}\n",
    f"\n{ACCEPTED_PAYLOAD}\n", "I'm sorry, but I can't help with that.\n", "Je ne peux pas répondre à cela.\n",
    "申し訳ありませんが、お手伝いできません。\n", "عذرًا، لا أستطيع المساعدة.\n",
]  # fmt: skip
REPLACED = {
    "```python": [
        "```javascript",
        "```",
        "```json",
        "```py",
        "``` Python ",
        "```python title=a",
        "~~~python",
    ],
    "```json": ["```javascript", "```", "```python", "```jsonc", "``` JSON", "~~~json"],
    "```": ["~~~", "`", "``", "````", " ```", ""],
    "\n": ["\r\n", "\r", "\u2028", "\x85", " ", "\n\n", "\n\0"],
    "1.": ["I.", "2."],
    "4.": ["4", "4:"],
    "_": ["-"],
    "e": ["е"],  # Cyrillic
    '"': ["'", "“"],
    '"name"': ['"Name"', '"description"'],
    "[": ["{", "[["],
    "}": ["},", ""],
    ": ": [":", " = "],
}
WHOLE = r"^def \w+\(initial, frame\).*?(?=^def |\Z)"
ADDED = [
    *[REFUSED_PAYLOAD, ACCEPTED_PAYLOAD] * 3, "x = 1 / 0", "while True: pass", "return", r"x = '\d'",
    r"x = '\ud800'", "x = 1 is 1", "x = ()()", "x = 1if 1else 2", "x = np.random",
]  # fmt: skip
"""Statements that a program gets, most of which would do something at once."""
SIGNATURES = [
    "(frame, initial)", "(frame)", "()", "(*frames)", "(initial, frame=1)", "(initial, frame, seen=[])",
    "(initial, frame, /)", "(initial, *, frame)", "(initial, frame, **more)",
]  # fmt: skip
REWRITTEN = {
    r"^def (\w+)\(initial": [
        r"def not_\1(initial", r"def \1(self, initial", r"async def \1(initial", r"@\1\ndef \1(initial", r"class \1(i",
        r"def \1(initial, frame): return True\n\n\ndef \1(initial", r"def extra(): return True\n\n\ndef \1(initial",
        r"\1 = lambda initial, frame: True\n\n\ndef other(initial", r"def \1(initial=exec('1'), *",
    ],
    r"\(initial, frame\)": [*SIGNATURES, "(initial: 1 / 0, frame: print(1)) -> exit()"],
    WHOLE: ["", "pass\n"],
    rf"({WHOLE})({WHOLE})": [r"\2\n\1"],
    "^import numpy as np$": ["import os as np", "from numpy import *", "import numpy.random as np"],
    "return ": ["yield ", "return await ", "return eval('1') or ", "retrun ", "raise "],
    "^    ": ["\t", "  ", "", "     "],
    '"""': ["", "'''", '""'],
}  # fmt: skip
"""Patterns in a program, and what takes the place of their first match."""
ATOMS = st.sampled_from([
    None, True, 3, -0.0, float("nan"), float("inf"), 10**400, "", "x" * 2000, "one sentence.", "a\0b", "\ud800",
    "\u202e", "get_key", "open_door", "Get key", "class", "clé", "кey", "_hidden", "a" * 61, "name",
])  # fmt: skip
VALUES = st.recursive(ATOMS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.just("a"), v, max_size=1))
FIELDS = {
    "name": st.sampled_from(["get_key", "open_door"]) | ATOMS | VALUES,
    "description": st.just("One sentence.") | ATOMS | VALUES,
}
ROWS = st.lists(
    st.fixed_dictionaries(FIELDS, optional={"code": VALUES}) | st.fixed_dictionaries(FIELDS), max_size=10
)
WORDS = [
    *NOISE, "if ", "else ", "return ", "x", "1", "=", "\n    ", "for ", "in ", "import ", "cv2", ".", "random", "*"
]  # fmt: skip
FILLED = st.one_of(
    ROWS.map(json.dumps),
    ROWS.map(partial(json.dumps, ensure_ascii=False)),
    VALUES.map(json.dumps),
    st.lists(st.sampled_from(WORDS), max_size=12).map("".join),
)


def _cut(draw: st.DrawFn, text: str) -> str:
    place = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text[:place], text[place:]]))


def _lose(draw: st.DrawFn, text: str) -> str:
    place = draw(st.integers(0, len(text)))
    return text[:place] + text[place + draw(st.integers(1, 200)) :]


def _spoil(draw: st.DrawFn, text: str) -> str:
    place = draw(st.integers(0, len(text)))
    return text[:place] + draw(st.sampled_from(NOISE)) + text[place:]


def _mix(draw: st.DrawFn, text: str) -> str:
    place = text.find("\n", draw(st.integers(0, len(text)))) + 1
    return text[:place] + draw(st.sampled_from(GOOD)).reply + "\n" + text[place:]


def _swap(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    a, b = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def _replace(draw: st.DrawFn, text: str) -> str:
    if not (fitting := [old for old in REPLACED if old in text]):
        return text
    old = draw(st.sampled_from(fitting))
    return text.replace(old, draw(st.sampled_from(REPLACED[old])), draw(st.sampled_from([1, 2, -1])))


def _rewrite(draw: st.DrawFn, text: str) -> str:
    """One more rule of programs is broken, inside of the block where there is one."""
    block = _block("python", text)
    start, end = block.span(1) if block else (0, len(text))
    pattern = draw(st.sampled_from(list(REWRITTEN)))
    made = draw(st.sampled_from(REWRITTEN[pattern]))
    changed = re.sub(pattern, made, text[start:end], count=1, flags=re.MULTILINE | re.DOTALL)
    return text[:start] + changed + text[end:]


def _add(draw: st.DrawFn, text: str) -> str:
    """A statement more, before a function of the program where there is one."""
    places = [function.start() for function in re.finditer("^def ", text, re.MULTILINE)] or [len(text)]
    place = draw(st.sampled_from(places))
    return text[:place] + draw(st.sampled_from(ADDED)) + "\n\n\n" + text[place:]


def _fill(draw: st.DrawFn, text: str) -> str:
    """Another list of sub-tasks, any value, or words in no order: in the block, or as one more."""
    filled = draw(FILLED) + "\n"
    block = _block("json", text) or _block("python", text)
    return (
        text[: block.start(1)] + filled + text[block.end(1) :] if block else f"```json\n{filled}```\n{text}"
    )


def _block(language: str, text: str) -> re.Match[str] | None:
    return re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


STEPS = [_cut, _lose, _spoil, _spoil, _mix, _swap, _replace, *[_rewrite] * 4, *[_add] * 2, *[_fill] * 3]


@st.composite
def malformed(draw: st.DrawFn) -> tuple[Good, str]:
    """A good reply, and what was made of it in one to three steps."""
    turn = draw(st.sampled_from(TURNS))
    good = draw(st.sampled_from([good for good in GOOD if good.turn == turn]))
    reply = good.reply
    for _ in range(draw(st.integers(1, 3))):
        reply = draw(st.sampled_from(STEPS))(draw, reply)
    return good, reply


ANY_TEXT = st.text(max_size=300).map(lambda text: (GOOD[0], text))


def test_thousands_of_malformed_replies_get_a_verdict(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    replies: set[str] = set()
    count: Counter[str] = Counter()
    words: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(*[malformed()] * 9, ANY_TEXT))
    def run(case: tuple[Good, str]) -> None:
        good, reply = case
        if reply in replies:
            return
        replies.add(reply)
        result = read_all(reply, good.subtasks)
        count["malformed"] += bool(result[good.turn].problem)
        for name, read in result.items():
            count[f"{name} read"] += not read.problem
            words.update(part for part in EVERY_PROBLEM if part in read.problem)
        program = result["program"].value
        count["payload accepted"] += program is not None and ACCEPTED_PAYLOAD in program.source
        count["payload refused"] += "import of 'sys'" in result["program"].problem

    run()
    assert not (tmp_path / FLAG).exists()
    assert count["malformed"] >= MALFORMED
    # Not all of one kind, or most of the readers would not be tested.
    assert min(count[f"{name} read"] for name in READERS) >= 30, count
    assert min(count["payload accepted"], count["payload refused"]) >= 10, count
    assert [part for part in EVERY_PROBLEM if not words[part]] == []


EVERY_PROBLEM = [
    "no answer numbered", "no fenced block marked `json`", "no fenced block marked `python`", "fenced blocks marked",
    "not valid JSON", "must hold a list", "sub-tasks; at most", "with just `name` and", "is no snake_case",
    "needs a description of one sentence.", "in plain characters", "must start with a docstring", "is missing: write",
    "must take exactly two parameters", "must stand in the order", "only numpy, cv2 and math", "is not allowed",
    "syntax error", "not valid Python text",
]  # fmt: skip
"""Of the messages of parsing and screening, those that the replies above must lead to."""


# Cut, huge, deep and odd


@pytest.mark.parametrize("turn", ["subtasks", "repair"])
def test_a_reply_that_is_cut_anywhere_before_its_last_fence_is_refused(turn: str) -> None:
    good = min((good for good in GOOD if good.turn == turn), key=lambda good: len(good.reply))
    closed = good.reply.rindex("\n```") + len("\n```")
    for place in range(len(good.reply) + 1):
        problem = read_all(good.reply[:place], good.subtasks)[turn].problem
        assert ("no fenced block" in problem) == (place < closed), place
        assert not problem or place < closed


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
    "program": "```python\n" + "x = 1\n" * (BIG // 6) + "```",
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_replies_are_refused_at_once(name: str) -> None:
    for read in read_all(HUGE[name], GOOD[0].subtasks).values():
        assert "at most 200,000 are read" in read.problem


def of_json(text: str) -> str:
    return f"```json\n{text}\n```"


def of_rows(*rows: str) -> str:
    return of_json(f"[{', '.join(rows)}]")


def of_python(text: str) -> str:
    return f"```python\n{text}\n```"


FULL = 199_900
"""Just short enough to be read."""
NO_BLOCK, NOT_JSON = "no fenced block marked", "not valid JSON"
TOO_DEEP, WRONG, TOO_LONG = "nested too deeply", "syntax error", "longer than 100000 bytes"
ROW = '{"name": %s, "description": %s}'
LONG = {
    # A reader that takes quadratic or exponential time would hang on some of these.
    "backticks": ("`" * FULL, NO_BLOCK),
    "blank lines": ("\n" * FULL, NO_BLOCK),
    "carriage returns": ("\r" * FULL, NO_BLOCK),
    "fences": ("```\n" * (FULL // 4), NO_BLOCK),
    "opened python": ("```python\n" * (FULL // 10), NO_BLOCK),
    "fences with blanks": (("```" + " " * 50 + "x!\n") * (FULL // 56), NO_BLOCK),
    "blocks": ("```python\n```\n" * (FULL // 14), "fenced blocks marked"),
    "dots": ("." * FULL, NO_BLOCK),
    "numbers": ("1.\n" * (FULL // 3), NO_BLOCK),
    "numbers after blanks": ((" " * 400 + "5.\n") * (FULL // 403), NO_BLOCK),
    "json: lists": (of_json("[" * 190_000), NOT_JSON),
    "json: closed lists": (of_json("[" * 95_000 + "]" * 95_000), NOT_JSON),
    "json: objects": (of_json('{"a":' * 38_000), NOT_JSON),
    "json: lists that can just be read": (of_rows(ROW % ("[" * 900 + "]" * 900, "{}")), "snake_case"),
    "json: digits": (of_json("[" + "9" * 190_000 + "]"), NOT_JSON),
    "json: decimals": (of_json("[0." + "9" * 190_000 + "]"), "just `name`"),
    "json: rows": (of_json("[" + "{}," * 60_000 + "{}]"), "60001 sub-tasks"),
    "json: NaN": (of_rows(ROW % ("NaN", "-Infinity")), "nan is no snake_case"),
    "json: same key": (of_json('[{"name": "a", "name": "B", "description": "d"}]'), "'B' is no snake_case"),
    "json: same name": (of_rows(ROW % ('"a"', '"d"'), ROW % ('"a"', '"e"')), "must differ"),
    "json: numbers": (of_rows(ROW % (3, 4)), "3 is no snake_case"),
    "json: row": (of_json("[3]"), "just `name`"),
    "json: no list": (of_json('"name"'), "must hold a list"),
    "json: a description of nulls": (of_rows(ROW % ('"a"', "null")), "needs a description"),
    "json: a long name": (of_rows(ROW % (f'"{"a" * 90_000}"', '"d"')), "snake_case"),
    "json: a long description": (of_rows(ROW % ('"a"', f'"{"d" * 90_000}"')), "one sentence"),
    "json: half a pair": (of_rows(ROW % ('"a"', '"\\ud800"')), "plain characters"),
    "json: nul": (of_rows(ROW % ('"a"', '"b\\u0000"')), "plain characters"),
    "python: parentheses": (of_python("(" * 90_000), WRONG),
    "python: closed parentheses": (of_python("x = " + "(" * 40_000 + ")" * 40_000), WRONG),
    "python: lists": (of_python("x = " + "[" * 190 + "]" * 190), "is missing: write"),
    "python: dicts": (of_python("x = " + "{1:" * 90 + " 1 2 " + "}" * 90), WRONG),
    "python: calls": (of_python("x = " + "f(" * 90 + " 1 2 " + ")" * 90), WRONG),
    "python: signs": (of_python("x = " + "-" * 90_000 + "1"), TOO_DEEP),
    "python: nots": (of_python("x = " + "not " * 20_000 + "1"), TOO_DEEP),
    "python: lambdas": (of_python("x = " + "lambda:" * 12_000 + "1"), TOO_DEEP),
    "python: a sum": (of_python("x = " + "1+" * 40_000 + "1"), TOO_DEEP),
    "python: attributes": (of_python("x = a" + ".b" * 40_000), TOO_DEEP),
    "python: else if": (of_python("if 1:\n pass\n" + "elif 1:\n pass\n" * 6_000), TOO_DEEP),
    "python: digits": (of_python("x = " + "9" * 90_000), WRONG),
    "python: indented": (of_python("".join(f"{' ' * n}if 1:\n" for n in range(400))), WRONG),
    "python: f-strings": (of_python("x = " + "f'{" * 20_000), WRONG),
    "python: an open text": (of_python('x = """' + "line\n" * 15_000), WRONG),
    "python: a long name": (of_python("x = a." + "_" * 90_000), "private attribute"),
    "python: one function": (of_python("def key(initial, frame): 0\n" * 3_500), "3500 times: keep one"),
    "python: many problems": (of_python("import os\n" * 9_000), "more problems"),
    "python: nul": (of_python("\0"), "null bytes"),
    "python: half a pair": (of_python("x = '\ud800'"), "not valid Python text"),
    "python: payload": (of_python(REFUSED_PAYLOAD), "import of 'sys'"),
    "python: too long": (of_python("# comment\n" * 15_000), TOO_LONG),
    "python: too long in bytes": (of_python("# " + "é" * 60_000), TOO_LONG),
}


@pytest.mark.parametrize("name", LONG)
def test_long_deep_and_odd_replies_are_refused_in_fitting_words(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, words = LONG[name]
    result = read_all(text, (SubTask("key", "The key is gone."),))
    assert all(read.problem for read in result.values())
    assert words in result["subtasks" if name.startswith("json") else "program"].problem
    assert not (tmp_path / FLAG).exists()


MODULE = '"""Frames."""\n\n\ndef key(initial, frame):\n    return True\n'
KEY = (SubTask("key", "The key is gone."),)
REFUSALS = [
    "",
    " \n\t\r\n ",
    "\0\ufeff\u202e",
    "I'm sorry, but I can't help with that.",
    "Je ne peux pas répondre à cette demande.",
    "申し訳ありませんが、お手伝いできません。",
    "عذرًا، لا أستطيع المساعدة.",
    f"```javascript\n{MODULE}```",
    f"```\n{MODULE}```",
    f"~~~python\n{MODULE}~~~",
    f"````python\n{MODULE}````",
    f"   ```python\n{MODULE}   ```",
    f"```python\n{MODULE}",
    f"```json\n{MODULE}```",
    f"```\n```python\n{MODULE}```",
    MODULE,
]


@pytest.mark.parametrize("reply", REFUSALS)
def test_what_holds_no_program_is_told_how_to_mark_one(reply: str) -> None:
    problem = read_all(reply, KEY)["program"].problem
    assert "no fenced block marked `python`" in problem
    assert "starts with the line ```python and ends with the line ```." in problem


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_function_of_other_parameters_is_refused(signature: str) -> None:
    problem = read_all(of_python(MODULE.replace("(initial, frame)", signature)), KEY)["program"].problem
    assert "line 4: 'key' must take exactly two parameters" in problem


@pytest.mark.parametrize("first", ["", "\ufeff", "Here it is.\n\n", "~~~\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_marks_and_prose_do_not_change_what_is_read(first: str, end: str) -> None:
    def reply(text: str) -> str:
        return first + text.replace("\n", end)

    subtasks = of_json('[{"name": "key", "description": "The key is gone."}]')
    description = reply("1. A.\n2. B.\n3. C.\n4. D.")
    assert read_all(description, KEY)["description"].value == description
    assert read_all(reply(subtasks), KEY)["subtasks"].value == KEY
    assert read_all(reply(f"```python\n{MODULE}```"), KEY)["program"].value == Program(KEY, MODULE)
    assert read_all(reply(f"{subtasks}\n```python\n{MODULE}```\nDone."), ())["repair"].value == Program(
        KEY, MODULE
    )


def test_the_problem_that_is_said_back_is_short_and_printable() -> None:
    assert str(UnreadableReply("no\nblock")) == "no\nblock"
    assert str(UnreadableReply("a\0b\ud800\x1b\u202e")) == "a\ufffdb\ufffd\ufffd\ufffd"
    assert str(UnreadableReply("x" * LONGEST)) == "x" * LONGEST
    assert str(UnreadableReply("x" * (LONGEST + 1))) == "x" * (LONGEST - 3) + "..."


@pytest.mark.parametrize(
    "odd", ["\0", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\ufeff", "\u202e", "😀"]
)
def test_odd_characters_do_not_lose_the_conversation(odd: str, tmp_path) -> None:
    conversation = Conversation(Scripted(f"a{odd}b"), f"be{odd}exact", tmp_path)
    assert conversation.ask(f"what{odd}?") == f"a{odd}b"
    messages, replies = load(tmp_path)
    assert [message.text for message in messages] == [f"be{odd}exact", f"what{odd}?", f"a{odd}b"]
    assert replies == conversation.replies


def test_half_a_surrogate_pair_does_not_lose_the_conversation(tmp_path) -> None:
    conversation = Conversation(Scripted("a\ud800b"), "system", tmp_path)
    assert conversation.ask("q") == "a?b"
    assert load(tmp_path)[1][0].text == "a?b"
