"""How errors reach a person: one line, a non-zero exit status, and no traceback."""

from __future__ import annotations

import difflib
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vlmcar import stopping
from vlmcar.types import ConfigError, Stopped, VlmcarError

_CONF = Path("conf")
_WANTS_TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"


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
    if _WANTS_TRACEBACKS:
        yield
        return
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing its own way
    try:
        with stopping.listening():
            yield
    except Stopped as stop:
        _leave(str(stop), 128 + stop.signal)
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        _leave(f"config error: {_one_line(error)}", 2)
    except VlmcarError as error:
        _leave(_one_line(error), 1)
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # Hydra's own, for group=null
            raise
        _leave(f"config error: {_one_line(error)}", 2)
    except KeyboardInterrupt as stop:
        number = getattr(stop, "number", signal.SIGINT)
        _leave(str(Stopped(number)), 128 + number)
    finally:
        if before is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)


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


def _one_line(error: BaseException) -> str:
    text = str(error).split("Config search path:")[0]
    noise = ("full_key:", "object_type=", "To append to")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    line = " ".join(line for line in lines if not line.startswith(noise)) or type(error).__name__
    if "Ambiguous value" in line:
        return line.split(" 1. ")[0] + " Add -m to sweep over the values."
    return line + _hint(line)


def _hint(line: str) -> str:
    """What was probably meant, where Hydra knows no such choice or setting."""
    if found := re.search(r"Could not find '(\w+)/([^']+)'", line):
        group, choice = found.groups()
        paths = {
            p.stem: str(p.relative_to(_CONF / group).with_suffix("")) for p in (_CONF / group).rglob("*.yaml")
        }
        close = difflib.get_close_matches(choice.split("/")[-1], paths, n=1)
        return f"; did you mean {group}={paths[close[0]]}?" if close else ""
    if found := re.search(r"Could not override '([\w.]+)'", line):
        known = _settings()
        word = found.group(1)
        close = difflib.get_close_matches(word, known, n=1, cutoff=0.75)
        close = close or [key for key in known if key.split(".")[-1] == word][:1]
        meant = f"did you mean {close[0]}? " if close else ""
        return f" ({meant}python run.py --cfg job lists all settings)"
    return ""


def _settings() -> list[str]:
    """``group.key`` for every yaml of ``conf``."""
    keys = set()
    for path in _CONF.rglob("*.yaml"):
        group = path.relative_to(_CONF).parts[0]
        content = OmegaConf.load(path)
        if isinstance(content, DictConfig) and group not in ("hydra", "experiment", "config.yaml"):
            keys |= {f"{group}.{key!s}" for key in content if key not in ("_target_", "defaults")}
    return sorted(keys)


def _leave(message: str, status: int) -> None:
    print(f"vlmcar: {message}", file=sys.stderr)
    raise SystemExit(status)
