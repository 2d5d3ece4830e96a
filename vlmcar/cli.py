"""How errors reach a person: one line, a non-zero exit status, and no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from vlmcar.types import ConfigError, VlmcarError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors a user can act on into one line; anything else is a bug and keeps its traceback.

    Exit status: 2 for a configuration that cannot run, 1 for a run that failed, 130 for Ctrl-C.
    ``HYDRA_FULL_ERROR=1`` shows every traceback.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        yield
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors instead of printing its own way
    try:
        yield
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        _leave(f"config error: {_one_line(error)}", 2)
    except VlmcarError as error:
        _leave(_one_line(error), 1)
    except KeyboardInterrupt:
        _leave("stopped; the same command goes on from the last checkpoint", 130)


def _one_line(error: BaseException) -> str:
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    noise = ("full_key:", "object_type=", "Set the environment variable HYDRA_FULL_ERROR", "To append to")
    return " ".join(line for line in lines if not line.startswith(noise)) or type(error).__name__


def _leave(message: str, status: int) -> None:
    print(f"vlmcar: {message}", file=sys.stderr)
    raise SystemExit(status)
