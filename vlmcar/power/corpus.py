"""Which programs verification is measured on, and of which tasks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from vlmcar.config import Components
from vlmcar.measure import read_truths
from vlmcar.obtain import obtain_program
from vlmcar.power.mutants import balanced, liars, mutants
from vlmcar.record.console import Console
from vlmcar.types import Program, SubTask

PROGRAMS = Path(__file__).with_name("programs")
"""Programs that were written for this corpus: a folder per kind of task, with ``right`` and ``liars`` in it."""
TASKS: Mapping[str, int] = {
    "minigrid/doorkey_5x5": 60,
    "minigrid/doorkey_6x6": 30,
    "minigrid/unlock": 40,
    "minigrid/key_corridor_s3r1": 40,
    "procgen/maze": 20,
}
"""Choice of ``env`` -> mutants. Right programs and liars come on top."""
WRAPPED = 2
"""Right programs of a task that the general liars are made of."""


@dataclass(frozen=True)
class Entry:
    """One program of the corpus."""

    task: str
    name: str
    """Distinct within a task."""
    origin: str
    """The right program that it is or was made of."""
    operator: str
    """``written to be right``, ``liar of this task``, a general liar's name, or a mutation operator's."""
    program: Program
    truths: Mapping[str, str]


def corpus(built: Components, count: int) -> list[Entry]:
    """The right programs of a task, liars, and ``count`` mutants, or fewer: equal programs count once.

    A program is called right here if it was written to be; whether it is, ground truth says later.
    """
    distinct: dict[str, Entry] = {}
    for entry in _all(built, count):
        distinct.setdefault(entry.program.hash, entry)
    return list(distinct.values())


def _all(built: Components, count: int) -> Iterator[Entry]:
    task = built.env.id
    rights = list(_rights(built))
    for origin, program, truths in rights:
        yield Entry(task, origin, origin, "written to be right", program, truths)
    for name, program, truths in _written(task, "liars"):
        yield Entry(task, f"liar, {name}", name, "liar of this task", program, truths)
    for origin, program, truths in rights[:WRAPPED]:
        for made in liars(program):
            yield Entry(task, f"{origin}, {made.operator}", origin, made.operator, made.program, truths)
    shares = [count // len(rights) + (n < count % len(rights)) for n in range(len(rights))]
    for (origin, program, truths), share in zip(rights, shares, strict=True):
        for made in balanced(list(mutants(program)), share, seed=0):
            name = f"{origin}, {made.operator}, {made.where}"
            yield Entry(task, name, origin, made.operator, made.program, truths)


def _rights(built: Components) -> Iterator[tuple[str, Program, Mapping[str, str]]]:
    yield "recorded", obtain_program(built, Console(built.env.id)).program, read_truths(built.env.id)
    yield from _written(built.env.id, "right")


def _written(task: str, kind: str) -> Iterator[tuple[str, Program, Mapping[str, str]]]:
    """Name, program and ground truth of what was written for this task."""
    for listed in sorted(PROGRAMS.glob("*/subtasks.yaml")):
        about = OmegaConf.to_container(OmegaConf.load(listed))
        assert isinstance(about, dict)
        if task in about["tasks"]:
            subtasks = {name: SubTask(name, text) for name, (text, _) in about["subtasks"].items()}
            truths = {name: truth for name, (_, truth) in about["subtasks"].items()}
            for path in sorted((listed.parent / kind).glob("*.py")):
                yield path.stem, _read(path, subtasks), truths


def _read(path: Path, subtasks: Mapping[str, SubTask]) -> Program:
    """Its sub-tasks are the functions of these names, in the order of the file."""
    source = path.read_text(encoding="utf-8")
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return Program(tuple(subtasks[name] for name in names if name in subtasks), source)
