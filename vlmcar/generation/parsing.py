"""Strict reading of a VLM's replies: what cannot be read is said back in one precise sentence."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Sequence

from vlmcar.program.screening import screen
from vlmcar.types import Program, SubTask

MAX_CHARACTERS = 200_000
"""Longest reply that is read; a program may have half of that."""
MAX_SAID = 4_000
"""Longest problem that is said back, in characters."""
_FENCE = re.compile(r"```[ \t]*([A-Za-z0-9_+-]*)[ \t]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class UnreadableReply(Exception):
    """The reply has not the form that was asked for; its text is what the VLM is told: printable, and not too long."""

    def __init__(self, problem: str) -> None:
        said = "".join(
            c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in problem[:MAX_SAID]
        )
        super().__init__(said if len(problem) <= MAX_SAID else f"{said[:-3]}...")


def read_description(reply: str) -> str:
    """A description that answers the four numbered questions; a refusal does not.

    Raises:
        UnreadableReply: a number is missing.
    """
    text = _plain(reply)
    missing = [n for n in "1234" if not re.search(rf"^[^\w\n]*{n}[.):]", text, re.MULTILINE)]
    if missing:
        raise UnreadableReply(f"there is no answer numbered {', '.join(missing)}.")
    return reply


def read_subtasks(reply: str, max_subtasks: int) -> tuple[SubTask, ...]:
    """The sub-tasks in the reply's one ``json`` block.

    Raises:
        UnreadableReply: no block or several, no JSON, or a list that breaks a rule of the prompt.
    """
    try:
        rows = json.loads(_only_block(reply, "json"))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits are a ValueError, too
        raise UnreadableReply(f"the json block is not valid JSON ({error}).") from None
    if not isinstance(rows, list) or not rows:
        raise UnreadableReply("the json block must hold a list with at least one sub-task.")
    if len(rows) > max_subtasks:
        raise UnreadableReply(f"it lists {len(rows)} sub-tasks; at most {max_subtasks} are allowed.")
    subtasks = tuple(_read_subtask(number, row) for number, row in enumerate(rows, start=1))
    names = [subtask.name for subtask in subtasks]
    if len(set(names)) < len(names):
        raise UnreadableReply(f"sub-task names must differ from each other; got {', '.join(names)}.")
    return subtasks


def _read_subtask(number: int, row: object) -> SubTask:
    if not isinstance(row, dict) or set(row) != {"name", "description"}:
        raise UnreadableReply(f"sub-task {number} must be an object with just `name` and `description`.")
    name, description = row["name"], row["description"]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > 60:
        raise UnreadableReply(f"sub-task {number}: {name!r:.80} is no snake_case Python function name.")
    if not isinstance(description, str) or not description.strip():
        raise UnreadableReply(f"sub-task {number} ({name}) needs a description of one sentence.")
    sentence = " ".join(description.split())
    if not sentence.isprintable() or len(sentence) > 1000:
        raise UnreadableReply(
            f"sub-task {number} ({name}) needs a description of one sentence, in plain characters."
        )
    return SubTask(name, sentence)


def read_program(reply: str, subtasks: Sequence[SubTask]) -> Program:
    """The program in the reply's one ``python`` block, screened.

    Raises:
        UnreadableReply: no block or several, or a module that breaks the contract.
    """
    source = _only_block(reply, "python")
    problems = screen(source, subtasks)
    if problems:
        raise UnreadableReply("the module breaks the rules:\n- " + "\n- ".join(problems))
    return Program(tuple(subtasks), source)


def read_repair(reply: str, subtasks: Sequence[SubTask], max_subtasks: int) -> Program:
    """A corrected program; a ``json`` block before it replaces the sub-tasks.

    Raises:
        UnreadableReply: as ``read_subtasks`` and ``read_program``.
    """
    if any(language == "json" for language, _ in _blocks(reply)):
        subtasks = read_subtasks(reply, max_subtasks)
    return read_program(reply, subtasks)


def _only_block(reply: str, language: str) -> str:
    found = [text for kind, text in _blocks(reply) if kind == language]
    if not found:
        raise UnreadableReply(
            f"there is no fenced block marked `{language}` in it: it starts with the line ```{language} "
            "and ends with the line ```."
        )
    if len(found) > 1:
        raise UnreadableReply(f"there are {len(found)} fenced blocks marked `{language}`; one was asked for.")
    return found[0]


def _blocks(reply: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block that is closed."""
    blocks: list[tuple[str, str]] = []
    opened: tuple[str, list[str]] | None = None
    for line in _plain(reply).split("\n"):
        fence = _FENCE.fullmatch(line)
        if opened is None:
            opened = (fence[1].lower(), []) if fence else None
        elif fence and not fence[1]:
            blocks.append((opened[0], "".join(f"{text}\n" for text in opened[1])))
            opened = None
        else:
            opened[1].append(line)
    return blocks


def _plain(reply: str) -> str:
    """The reply with line ends of one kind, and without the mark that some editors put before a text."""
    if len(reply) > MAX_CHARACTERS:
        raise UnreadableReply(f"it has {len(reply):,} characters; at most {MAX_CHARACTERS:,} are read.")
    return reply.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
