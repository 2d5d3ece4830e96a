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

RIGHT = Path(__file__).with_name("right")
TASKS: Mapping[str, int] = {
    "minigrid/doorkey_5x5": 60,
    "minigrid/doorkey_6x6": 30,
    "minigrid/unlock": 40,
    "minigrid/key_corridor_s3r1": 30,
    "procgen/maze": 10,
}
"""Choice of ``env`` -> mutants. Right programs and liars come on top."""
WRITTEN = {"minigrid-doorkey_5x5": "minigrid-doorkey", "minigrid-doorkey_6x6": "minigrid-doorkey"}
"""Task -> folder of programs that were written for this corpus; the others have the recorded program alone."""


@dataclass(frozen=True)
class Entry:
    """One program of the corpus."""

    task: str
    name: str
    """Distinct within a task."""
    origin: str
    """The right program that it is or was made of."""
    operator: str
    """``right``, a liar's name, or a mutation operator's."""
    program: Program
    truths: Mapping[str, str]


def corpus(built: Components, count: int) -> Iterator[Entry]:
    """The right programs of a task, their liars, and ``count`` mutants."""
    task = built.env.id
    rights = list(_rights(built))
    for origin, program, truths in rights:
        yield Entry(task, origin, origin, "right", program, truths)
    for origin, program, truths in rights[:2]:
        for made in liars(program):
            yield Entry(task, f"{origin}, {made.operator}", origin, made.operator, made.program, truths)
    shares = [count // len(rights) + (n < count % len(rights)) for n in range(len(rights))]
    for (origin, program, truths), share in zip(rights, shares, strict=True):
        for made in balanced(list(mutants(program)), share, seed=0):
            name = f"{origin}, {made.operator}, {made.where}"
            yield Entry(task, name, origin, made.operator, made.program, truths)


def _rights(built: Components) -> Iterator[tuple[str, Program, Mapping[str, str]]]:
    yield "recorded", obtain_program(built, Console(built.env.id)).program, read_truths(built.env.id)
    if folder := WRITTEN.get(built.env.id):
        loaded = OmegaConf.to_container(OmegaConf.load(RIGHT / folder / "truth.yaml"))
        assert isinstance(loaded, dict)
        truths = {str(name): str(text) for name, text in loaded.items()}
        for path in sorted((RIGHT / folder).glob("*.py")):
            yield path.stem, _read(path, truths), truths


def _read(path: Path, truths: Mapping[str, str]) -> Program:
    source = path.read_text(encoding="utf-8")
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return Program(tuple(SubTask(name, name) for name in names if name in truths), source)
