"""Strict reading of a VLM's replies: what cannot be read is said back in one precise sentence."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Sequence

from vlmcar.program.screening import screen
from vlmcar.types import Program, SubTask

_FENCE = re.compile(r"^```[ \t]*([A-Za-z0-9_+-]*)[ \t]*\r?\n(.*?)^```[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class UnreadableReply(Exception):
    """The reply has not the form that was asked for; its text is what the VLM is told."""


def read_description(reply: str) -> str:
    """A description that answers the four numbered questions; a refusal does not.

    Raises:
        UnreadableReply: a number is missing.
    """
    missing = [n for n in "1234" if not re.search(rf"^\W*{n}[.):]", reply, re.MULTILINE)]
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
    except (json.JSONDecodeError, RecursionError) as error:
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
        raise UnreadableReply(f"sub-task {number}: {name!r} is no snake_case Python function name.")
    if not isinstance(description, str) or not description.strip():
        raise UnreadableReply(f"sub-task {number} ({name}) needs a description of one sentence.")
    return SubTask(name, " ".join(description.split()))


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
        raise UnreadableReply(f"there is no fenced block marked `{language}` in it.")
    if len(found) > 1:
        raise UnreadableReply(f"there are {len(found)} fenced blocks marked `{language}`; one was asked for.")
    return found[0]


def _blocks(reply: str) -> list[tuple[str, str]]:
    return [(language.lower(), text) for language, text in _FENCE.findall(reply)]
