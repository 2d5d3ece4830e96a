"""How training with a program slows down with more environments, and with more sub-tasks."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path
from typing import Any

from vlmcar.bench.training import Contestant, components, in_turns, spread
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.types import Program, SubTask

ENVIRONMENTS = (1, 4, 16, 64)
SUBTASKS = (4, 8, 16, 32)


def environments(env: str, rounds: int, steps: int) -> list[dict[str, Any]]:
    """Steps per second of ``sparse`` and ``vlmcar`` with so many environments side by side, in turns."""
    rows = []
    for count in ENVIRONMENTS:
        with tempfile.TemporaryDirectory() as folder:
            settings = [f"algorithm.num_envs={count}", f"algorithm.n_steps={2048 // count}"]
            pair = [
                Contestant(
                    components(env, f"method={name}", *settings), Console("bench"), Path(folder) / name
                )
                for name in ("sparse", "vlmcar")
            ]
            in_turns(pair, rounds, steps, f"{env}, {count} environments")
        sparse, vlmcar = (one.rates for one in pair)
        ratios = [a / b for a, b in zip(vlmcar, sparse, strict=True)]
        rows.append(
            {"num_envs": count, "sparse": spread(sparse), "vlmcar": spread(vlmcar), "ratio": spread(ratios)}
        )
    return rows


def subtasks(env: str, rounds: int, steps: int) -> list[dict[str, Any]]:
    """Steps per second with the accepted program, its first sub-task repeated until there are so many."""
    built = components(env, "method=vlmcar")
    program = obtain_program(built, Console("bench")).program
    rows = []
    for count in SUBTASKS:
        with tempfile.TemporaryDirectory() as folder:
            longer = lengthened(program, count)
            one = Contestant(built, Console("bench"), Path(folder), longer)
            in_turns([one], rounds, steps, f"{env}, {count} sub-tasks")
        rows.append({"subtasks": len(longer.subtasks), "vlmcar": spread(one.rates)})
    return rows


def lengthened(program: Program, count: int) -> Program:
    """The program with its first sub-task several times at the beginning, so that there are `count` in all."""
    first = program.subtasks[0].name
    again = [f"{first}_{number}" for number in range(2, count - len(program.subtasks) + 2)]
    tree = ast.parse(program.source)
    at = next(
        node.end_lineno for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == first
    )
    lines = program.source.splitlines()
    copies = "".join(
        f"\n\ndef {name}(initial, frame):\n    return {first}(initial, frame)\n" for name in again
    )
    source = "\n".join([*lines[:at], copies, *lines[at:]]) + "\n"
    subtasks = [SubTask(name, program.subtasks[0].description) for name in again]
    return Program((program.subtasks[0], *subtasks, *program.subtasks[1:]), source)
