"""How errors reach a person: one line, a non-zero exit status, and no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vlmcar.types import ConfigError, VlmcarError

_WANTS_TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"


def execute(cfg: DictConfig) -> None:
    """Run the pipeline for ``hydra.main``, which would put a line of its own before an error of ours.

    In a sweep that line stays: it names the run that failed.
    """
    from vlmcar.pipeline import run

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        try:
            run(cfg, bar=False)  # two bars at once would overwrite each other
        except VlmcarError as error:
            chosen = ", ".join(HydraConfig.get().overrides.task)
            print(f"vlmcar: failed ({chosen}): {_one_line(error)}", file=sys.stderr, flush=True)
            raise
    else:
        with one_line_errors():
            run(cfg)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors a user can act on into one line; anything else is a bug and keeps its traceback.

    Exit status: 2 for a configuration that cannot run, 1 for a run that failed, 130 for Ctrl-C.
    ``HYDRA_FULL_ERROR=1`` shows every traceback.
    """
    if _WANTS_TRACEBACKS:
        yield
        return
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing its own way
    try:
        yield
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        _leave(f"config error: {_one_line(error)}", 2)
    except VlmcarError as error:
        _leave(_one_line(error), 1)
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # Hydra's own, for group=null
            raise
        _leave(f"config error: {_one_line(error)}", 2)
    except KeyboardInterrupt:
        _leave("stopped; the same command goes on from the last checkpoint, if there is one", 130)
    finally:
        if before is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)


def _one_line(error: BaseException) -> str:
    text = str(error).split("Config search path:")[0]
    noise = ("full_key:", "object_type=", "To append to")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    line = " ".join(line for line in lines if not line.startswith(noise)) or type(error).__name__
    if "Could not override" in line:
        line += " (python run.py --cfg job lists all settings)"
    return line


def _leave(message: str, status: int) -> None:
    print(f"vlmcar: {message}", file=sys.stderr)
    raise SystemExit(status)
