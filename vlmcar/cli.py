"""How errors reach a person: one line, a non-zero exit status, and no traceback."""

from __future__ import annotations

import difflib
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from vlmcar import stopping
from vlmcar.installation import conf, program, shown_conf, started_as
from vlmcar.launchers import explain, remember_command
from vlmcar.outside import explained
from vlmcar.sweep.whole import whole_sweep
from vlmcar.types import ConfigError, Stopped, VlmcarError

_WANTS_TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"


def main(folder: Path | None = None) -> None:
    """One command line: ``vlmcar``, ``python -m vlmcar`` or ``python run.py``.

    Args:
        folder: of the yamls; ``None``: what comes with the package.

    Raises:
        SystemExit: as ``one_line_errors`` and ``whole_sweep`` say.
    """
    remember_command()
    OmegaConf.register_new_resolver("program", program, replace=True)  # both of the text of --help
    OmegaConf.register_new_resolver("conf", shown_conf, replace=True)
    path = str((folder or conf()).absolute())
    with one_line_errors(), whole_sweep():
        hydra.main(version_base="1.3", config_path=path, config_name="config")(execute)()


def execute(cfg: DictConfig) -> None:
    """Run the pipeline for ``hydra.main``, which would put a line of its own before an error of ours.

    In a sweep each failure is said as it happens, and the other runs go on.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        from vlmcar.sweep.job import run_job

        run_job(cfg, HydraConfig.get())
    else:
        from vlmcar.pipeline import run

        with one_line_errors():
            run(cfg)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors a user can act on into one line; anything else is a bug and keeps its traceback.

    Exit status: 2 for a configuration that cannot run, 1 for a run that failed, 130 for Ctrl-C, 143 for SIGTERM.
    ``HYDRA_FULL_ERROR=1`` shows every traceback.
    """
    _refuse_keys(sys.argv[1:])
    _refuse_dashes(sys.argv[1:])
    _refuse_folders()
    if _WANTS_TRACEBACKS:
        with stopping.listening():
            yield
        return
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing its own way
    try:
        with stopping.listening():
            yield
    except Stopped as stop:
        _leave(str(stop), 128 + stop.signal)
    except (HydraException, OmegaConfBaseException) as error:
        _leave(f"config error: {_one_line(error)}", 2)
    except VlmcarError as error:
        _leave(*_told(error))
    except KeyboardInterrupt as stop:
        number = getattr(stop, "number", signal.SIGINT)
        _leave(str(Stopped(number)), 128 + number)
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("Config group override"):
            _leave(f"config error: {_one_line(error)}", 2)  # Hydra's own, for group=null
        if told := explain(error):
            _leave(*told)
        better = explained(error)
        if better is None:
            raise
        _leave(*_told(better))
    finally:
        if before is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)


def environment() -> dict[str, str]:
    """For a command that is started from here: it shall decide for itself how it shows errors."""
    return {
        name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR" or _WANTS_TRACEBACKS
    }


def _told(error: VlmcarError) -> tuple[str, int]:
    """Its line and exit status."""
    if isinstance(error, ConfigError):
        return f"config error: {_one_line(error)}", 2
    return _one_line(error), 1


def _refuse_keys(arguments: list[str]) -> None:
    """Hydra would print such an argument with an error, and keep it in a sweep's folder."""
    for argument in arguments:
        name, _, value = argument.lstrip("+").partition("=")
        if name == "vlm.api_key_env" and not re.fullmatch(r"null|[A-Z_][A-Z0-9_]{0,63}", value.strip("'\"")):
            _leave(
                "config error: vlm.api_key_env must be the NAME of an environment variable, in capitals; what was "
                "given is not shown, since it may be the key",
                2,
            )


def _refuse_dashes(arguments: list[str]) -> None:
    """Hydra would answer with its usage, which does not say what is wrong. Other programs have flags of their own."""
    if started_as() is None:
        return
    for argument in arguments:
        found = re.match(r"--?([a-z_]{3,})(\.[\w.]+)?(=|$)", argument)
        if found and found[1] in {key.partition(".")[0] for key in _settings()}:
            name = f"{found[1]}{found[2] or ''}"
            _leave(f"config error: {argument}: settings are given without dashes, as {name}=...", 2)


def _own_folders() -> list[Path]:
    """What ``--config-dir`` names."""
    arguments = [part for argument in sys.argv[1:] for part in re.split(r"(?<=^--config-dir)=", argument)]
    return [Path(folder) for flag, folder in pairwise(arguments) if flag in ("--config-dir", "-cd")]


def _refuse_folders() -> None:
    """Hydra takes every folder of a ``--config-dir`` for a config group, and our value of that name for none."""
    values = [str(key) for key in _loaded(conf() / "config.yaml") if key not in ("defaults", "hydra")]
    for folder in _own_folders():
        if found := [name for name in values if (folder / name).is_dir()]:
            _leave(
                f"config error: --config-dir={folder} holds a folder called {found[0]}, which Hydra would take for a "
                "part of the configuration: keep yamls in a folder of their own, such as conf/env/mine.yaml with "
                "--config-dir conf",
                2,
            )


def _one_line(error: BaseException) -> str:
    text = str(error).split("Config search path:")[0]
    noise = ("full_key:", "object_type=", "To append to")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    line = " ".join(line for line in lines if not line.startswith(noise)) or type(error).__name__
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override}: this is not of the form key=value, or the value needs quotes for Hydra within those of "
            """the shell, such as 'results="a b"'"""
        )
    if line.startswith("Config group override"):  # Hydra's own, for group=null, and it does not say which
        null = [one for one in sys.argv[1:] if one.partition("=")[2] in ("null", "")]
        return f"{' '.join(null)}: a group must have a choice; {program()} --help lists them"
    if "Ambiguous value" in line:
        return line.split(" 1. ")[0] + " Add -m to sweep over the values."
    return line + _hint(line)


def _hint(line: str) -> str:
    """What was probably meant, where Hydra knows no such choice or setting."""
    if found := re.search(r"Could not find '((?:hydra/)?\w+)/([^']+)'", line):
        group, choice = found.groups()
        paths = {path.stem: name for name, path in _choices(group).items()}
        close = difflib.get_close_matches(choice.split("/")[-1], paths, n=1)
        return f"; did you mean {group}={paths[close[0]]}?" if close else ""
    if found := re.search(r"Could not override '([\w.]+)'", line):
        known = _settings()
        word = found.group(1)
        if word in known:  # of another choice of its group
            return f" (it is a setting of {_owners(word)})"
        close = [key for key in known if key.split(".")[-1] == word][:1]
        close = close or difflib.get_close_matches(word, known, n=1, cutoff=0.75)
        meant = f"did you mean {close[0]}? " if close else ""
        return f" ({meant}{program()} --cfg job lists all settings)"
    return ""


def _owners(setting: str) -> str:
    """The choices, as ``group=name``, whose yaml has this setting."""
    group, _, key = setting.partition(".")
    return " or ".join(f"{group}={name}" for name, path in _choices(group).items() if key in _loaded(path))


def _choices(group: str) -> dict[str, Path]:
    """The yamls of a group, ours and those of ``--config-dir``, by what is typed for them."""
    given = _own_folders()
    there = [folder / group for folder in (conf(), *given)]
    return {
        str(path.relative_to(folder).with_suffix("")): path
        for folder in there
        for path in sorted(folder.rglob("*.yaml"))
    }


def _loaded(path: Path) -> Any:
    """A yaml's content; nothing of a broken one, about which Hydra has its say."""
    try:
        return OmegaConf.load(path)
    except (YAMLError, OSError, UnicodeDecodeError):
        return OmegaConf.create()


def _settings() -> list[str]:
    """``group``, ``group.key`` for every yaml of a group, and the values of ``conf/config.yaml``."""
    root = conf() / "config.yaml"
    keys = (
        {str(key) for key in _loaded(root) if key not in ("defaults", "hydra")} if root.is_file() else set()
    )
    groups = [path.name for path in conf().glob("*/") if path.name not in ("hydra", "experiment")]
    for group in groups:
        contents = [_loaded(path) for path in _choices(group).values()]
        found = {str(key) for content in contents if isinstance(content, DictConfig) for key in content}
        keys |= {group} | {f"{group}.{key}" for key in found - {"_target_", "defaults"}}
    return sorted(keys)


def _leave(message: str, status: int) -> None:
    print(f"vlmcar: {message}", file=sys.stderr)
    raise SystemExit(status)
