"""What ``import vlmcar`` offers: all of it is there, typed, and imported when it is asked for."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import vlmcar

STUB = Path(vlmcar.__file__).with_suffix(".pyi")


@pytest.mark.parametrize("name", [name for name in vlmcar.__all__ if name != "__version__"])
def test_each_name_is_there_with_a_docstring(name: str) -> None:
    found = getattr(vlmcar, name)
    assert found.__name__ == name
    assert inspect.getdoc(found)
    assert name in dir(vlmcar)


def test_type_checkers_are_told_the_same() -> None:
    told = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name  # that makes it public
                told[alias.name] = node.module
    assert told == vlmcar._PUBLIC
    assert STUB.with_name("py.typed").is_file()


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'vlmcar' has no attribute 'verifi'"):
        vlmcar.verifi  # noqa: B018


@pytest.mark.parametrize(
    ("line", "without"),
    [
        ("import vlmcar", "numpy gymnasium omegaconf torch"),
        (
            "from vlmcar import load, verify, generate, GivenTask, CodeReward, CodeRewardVectorEnv",
            "torch wandb",
        ),
    ],
)
def test_no_more_is_imported_than_is_needed(line: str, without: str) -> None:
    code = f"{line}; import sys; print(*[name for name in {without.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
