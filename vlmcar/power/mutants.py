"""Wrong programs from right ones: small slips by operator, and liars that wrap every sub-task.

An operator takes a program's syntax tree apart at one place; what comes out may still be right, which ground truth
finds out. A liar keeps the right functions under private names and puts others in their place.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from vlmcar.types import Program


class Made(NamedTuple):
    """A program made of another."""

    operator: str
    where: str
    """Line and change, or empty."""
    program: Program


Change = Callable[[ast.AST], None]

_OPPOSITE = {
    "any": "all",
    "all": "any",
    "max": "min",
    "min": "max",
    "argmax": "argmin",
    "argmin": "argmax",
    "mean": "max",
    "sum": "max",
}


def mutants(program: Program) -> Iterator[Made]:
    """Every program that one operator makes at one place."""
    tree = ast.parse(program.source)
    for number, node in enumerate(ast.walk(tree)):
        for operator, text, change in _changes(node):
            mutated = copy.deepcopy(tree)
            change(list(ast.walk(mutated))[number])
            source = ast.unparse(ast.fix_missing_locations(mutated)) + "\n"
            where = f"line {getattr(node, 'lineno', 0)}: {text}"
            yield Made(operator, where, Program(program.subtasks, source))


def _changes(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    """Operator, what it does in words, and how, for one node."""
    match node:
        case ast.Compare(ops=[op, *_]):
            for other in (ast.Lt, ast.Gt, ast.Eq, ast.NotEq):
                if not isinstance(op, other):
                    yield "comparison", f"{type(op).__name__} -> {other.__name__}", _comparison(other)
        case ast.Constant(value=bool() as answer):
            yield "boolean", f"{answer} -> {not answer}", _set("value", not answer)
        case ast.Constant(value=int() | float() as value):
            half = value // 2 if isinstance(value, int) else value / 2
            for other_value in dict.fromkeys((0, half, 2 * value, value + 1, value - 1)):
                if other_value != value:
                    yield "number", f"{value} -> {other_value}", _set("value", other_value)
        case ast.BoolOp(op=op, values=values):
            swapped = ast.And() if isinstance(op, ast.Or) else ast.Or()
            yield "and or", f"{type(op).__name__} -> {type(swapped).__name__}", _set("op", swapped)
            for index in range(len(values)):
                yield "dropped condition", f"number {index + 1} of {len(values)}", _drop(index)
        case ast.UnaryOp(op=ast.Not()):
            yield "negation", "not removed", _set("operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.Return(value=value) if value is not None:
            for constant in (True, False):
                yield "constant answer", f"return {constant}", _set("value", ast.Constant(constant))
        case ast.Name(id="initial" | "frame", ctx=ast.Load()):
            yield "swapped pictures", node.id, _set("id", "frame" if node.id == "initial" else "initial")
        case ast.Attribute(attr=attr) if attr in _OPPOSITE:
            yield "opposite", f"{attr} -> {_OPPOSITE[attr]}", _set("attr", _OPPOSITE[attr])


def _set(field: str, value: object) -> Change:
    return lambda node: setattr(node, field, value)


def _comparison(other: type[ast.cmpop]) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[0] = other()

    return change


def _drop(index: int) -> Change:
    def change(node: ast.AST) -> None:
        assert isinstance(node, ast.BoolOp)
        del node.values[index]

    return change


LIARS: Mapping[str, str] = {
    "always true": "return True",
    "always false": "return False",
    "any change": "return bool((initial != frame).any())",
    "time step counter": "COUNT.append(1)\n    return len(COUNT) > 20",
    "fires at frame 0": "return bool((initial == frame).all() or {this})",
    "first only": "return {first}",
    "last only": "return {last}",
    "other way round": "return {mirrored}",
    "any of them": "return bool({any})",
    "undone by the next": "return bool({this} and not {next})",
    "colour-blind": "initial, frame = _grey(initial), _grey(frame)\n    return {this}",
    "sees the left half": "half = frame.shape[1] // 2\n    frame[:, half:] = initial[:, half:]\n    return {this}",
    "sees the upper half": "half = frame.shape[0] // 2\n    frame[half:] = initial[half:]\n    return {this}",
    "one seed in five": "return bool({this} and initial[::3].sum() % 5 == 0)",
    "all but one seed in five": "return bool({this} or initial[::3].sum() % 5 == 0)",
    "fires late": "return bool({this} and (initial != frame).any(axis=2).mean() > 0.09)",
    "wrong on one frame in ten": "return bool({this}) != bool(frame.sum() % 10 == 0)",
    "fires by mistake on one frame in fifty": "return bool({this} or frame.sum() % 50 == 0)",
    "paid for a turn": "changed = (initial != frame).any(axis=2).mean()\n    return bool({this} or 0 < changed < 0.02)",
}
"""Name -> body. ``{this}`` is the right answer, the other names in braces are those of other sub-tasks."""

_HEAD = """

COUNT = []


def _grey(picture):
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
"""


def liars(program: Program) -> Iterator[Made]:
    """A program for every liar, made of a right one."""
    names = [subtask.name for subtask in program.subtasks]
    tree = ast.parse(program.source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in names:
            node.name = f"_right_{node.name}"
        elif isinstance(node, ast.Name) and node.id in names:
            node.id = f"_right_{node.id}"
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    numpy = (
        ""
        if any(alias.asname == "np" for node in imports for alias in node.names)
        else "import numpy as np\n"
    )
    right = ast.unparse(tree) + "\n" + numpy + _HEAD
    for liar, body in LIARS.items():
        functions = [_function(names, k, body) for k in range(len(names))]
        yield Made(liar, "", Program(program.subtasks, right + "".join(functions)))


def _function(names: list[str], k: int, body: str) -> str:
    def answer(index: int) -> str:
        return f"(_right_{names[index]}(initial, frame) >= 1)"

    filled = body.format(
        this=answer(k),
        first=answer(0),
        last=answer(-1),
        next=answer(k + 1) if k + 1 < len(names) else "False",
        mirrored=answer(len(names) - 1 - k),
        any=" or ".join(answer(index) for index in range(len(names))),
    )
    return f"\n\ndef {names[k]}(initial, frame):\n    {filled}\n"


def balanced(made: list[Made], count: int, seed: int) -> list[Made]:
    """``count`` of them, drawn so that operators come in turn; equal sources count once."""
    rng = np.random.default_rng(seed)
    distinct = list({one.program.source: one for one in made}.values())
    by_operator: dict[str, list[Made]] = {}
    for number in rng.permutation(len(distinct)):
        by_operator.setdefault(distinct[number].operator, []).append(distinct[number])
    drawn: list[Made] = []
    while len(drawn) < count and any(by_operator.values()):
        for operator in sorted(by_operator):
            if by_operator[operator] and len(drawn) < count:
                drawn.append(by_operator[operator].pop())
    return drawn
