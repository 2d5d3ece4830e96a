"""Whether a command of the documentation is one: nothing is trained, asked or installed.

A run's settings are composed and built, for every run of a sweep. A module's arguments are parsed by its own parser.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from tests.conftest import ROOT
from vlmcar.config import build

TOOLS = {"cd", "echo", "export", "flock", "git", "ray", "pytest", "source", "tmux"}
"""Programs that are not ours: whether they take what follows is theirs to say."""
OTHERS = {"hydra", "local_lock", "render_mode"}
"""What is set like this and is not ours: Hydra's, of a mounted file system, Gymnasium's."""
_LOOP = re.compile(r"for (\w+) in ([^;]+); do\n(.*?)\ndone", re.DOTALL)


class Parsed(Exception):
    """A module's parser took its arguments."""


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell block, each as its words; comments and what is set for one command alone left out."""
    for line in _LOOP.sub(_unrolled, text.replace("\\\n", " ")).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word in ("&&", ";", "||", "|", "&"):
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words = words[1:]
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def _unrolled(loop: re.Match[str]) -> str:
    return "\n".join(loop[3].replace(f"${loop[1]}", value) for value in loop[2].split())


def check(words: Sequence[str], conf: Path) -> None:
    """Say whether this is a command.

    Args:
        words: the program and its arguments.
        conf: the configuration that runs are composed from.

    Raises:
        AssertionError, ConfigError, HydraException, SystemExit: it is none.
    """
    program, arguments = words[0].removeprefix(".venv/bin/"), list(words[1:])
    if program == "python" and arguments[0] == "run.py":
        check_run(arguments[1:], conf)
    elif program == "vlmcar":
        check_run(arguments, conf)
    elif program == "python":
        assert arguments[0] == "-m", f"python {arguments[0]}: neither run.py nor a module"
        check_module(arguments[1], arguments[2:])
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        unknown = {word for word in arguments if "=" not in word} - set(targets)
        assert not unknown, f"make has no target {', '.join(unknown)}"
    elif program == "pip":
        check_install(arguments)
    else:
        assert program in TOOLS, f"{program} is no command of ours, nor one of {', '.join(sorted(TOOLS))}"


def check_run(arguments: list[str], conf: Path) -> None:
    """Compose and build the runs of ``python run.py``; of a sweep, so many that every value occurs."""
    flags = {word for word in arguments if word.startswith("-")}
    assert flags <= {"-m", "--multirun", "--help", "--cfg", "--config-dir"}, flags
    if "--cfg" in flags:
        arguments = [word for word in arguments if word != "job"]
    own = []
    if "--config-dir" in flags:
        folder = arguments.pop(arguments.index("--config-dir") + 1)
        own = [f"hydra.searchpath=[file://{conf.parent / folder}]"]
    overrides = own + [word for word in arguments if word not in flags]
    runs = [overrides]
    if flags & {"-m", "--multirun"}:
        parsed = OverridesParser.create().parse_overrides(overrides)
        runs = BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]
    seen: set[str] = set()
    for run in runs:
        new = {word for word in run if not word.startswith("seed=")} - seen
        if seen and not new:
            continue
        seen |= new
        with initialize_config_dir(str(conf), version_base="1.3"):
            cfg = compose("config", overrides=list(run), return_hydra_config=True)
        with open_dict(cfg):
            del cfg["hydra"]
        build(cfg)


def check_setting(setting: str, conf: Path) -> None:
    """``group.key=value`` within a sentence names a key that some choice of the group has."""
    group, _, key = setting.lstrip("+~").partition("=")[0].partition(".")
    if group in OTHERS or "<" in setting:
        return
    if not key and (conf / group).is_dir():
        for choice in setting.partition("=")[2].split(","):
            places = [folder / group / f"{choice}.yaml" for folder in (conf, conf.parent)]  # --config-dir .
            assert any(path.is_file() for path in places), f"{setting}: conf/{group} has no {choice}"
        return
    if not key:
        assert group in OmegaConf.load(conf / "config.yaml"), f"{setting}: no {group}"
        return
    files = [OmegaConf.load(path) for path in (conf / group).rglob("*.yaml")]
    path = re.sub(r"\.[^.]+$", "", key) if setting.startswith("+") else key
    assert any(_has(file, path) for file in files), f"{setting}: nothing in conf/{group} has {path}"


def _has(file: Any, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(file, DictConfig) or file._get_node(name) is None:  # `in` says no of ???
            return False
        file = file._get_node(name)
    return True


def check_module(name: str, arguments: list[str]) -> None:
    """Have a module parse its arguments, and no more."""
    source = importlib.util.find_spec(name)
    if source is not None and source.submodule_search_locations:  # a package
        source = importlib.util.find_spec(f"{name}.__main__")
    assert source is not None and source.origin is not None, f"there is no module {name}"  # noqa: PT018
    if "parse_args" not in Path(source.origin).read_text(encoding="utf-8"):
        assert name in ("pytest", "http.server", "venv") or not arguments, f"{name} takes no arguments"
        return
    real = argparse.ArgumentParser.parse_args

    def parse(
        parser: argparse.ArgumentParser, args: Sequence[str] | None = None, namespace: object = None
    ) -> None:
        real(parser, args, namespace)
        raise Parsed

    with (
        patch.object(argparse.ArgumentParser, "parse_args", parse),
        patch.object(sys, "argv", [name, *arguments]),
    ):
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=False)
        except Parsed:
            return
    raise AssertionError(f"{name} never read its arguments")


def check_install(arguments: list[str]) -> None:
    """``pip install`` names this package, and extras that it has."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert arguments[0] == "install"
    for word in arguments[1:]:
        found = re.fullmatch(r"(?:vlmcar|\.)(?:\[([a-z,]+)\])?", word)
        if found and found[1]:
            assert set(found[1].split(",")) <= set(project["optional-dependencies"]), word
