"""What goes wrong outside of this code, said in one line: disks, memory, packages, the syntax of a yaml file."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from yaml import MarkedYAMLError, YAMLError

from vlmcar.types import ConfigError, VlmcarError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MEMORY = ("can't allocate memory", "out of memory")
"""How torch says it, in a ``RuntimeError``."""
_OURS = ("vlmcar", "baselines")


@contextmanager
def explained_errors() -> Iterator[None]:
    """Turn errors of the machine into a ``VlmcarError``; what may be a bug passes through.

    ``HYDRA_FULL_ERROR=1`` shows where it happened, as for every other error.
    """
    try:
        yield
    except (OSError, MemoryError, ImportError, RuntimeError, YAMLError) as error:
        better = explained(error)
        if better is None:
            raise
        raise better from error


def explained(error: BaseException) -> VlmcarError | None:
    """The same error for a user; ``None``: it may be a bug."""
    if isinstance(error, HydraException):  # some are OSErrors, too
        return None
    if isinstance(error, YAMLError):
        return ConfigError(_bad_yaml(error))
    if isinstance(error, ImportError):
        return _missing(error)
    if isinstance(error, MemoryError) or any(words in str(error) for words in _MEMORY):
        return VlmcarError(
            f"there is not enough memory ({_line(error)}): take smaller values (algorithm.num_envs, buffer_size, "
            "batch_size, env.tile_size) or fewer runs at a time"
        )
    if isinstance(error, OSError):
        return VlmcarError(_refused(error))
    return None


def _refused(error: OSError) -> str:
    """A file that the system did not let us have."""
    name = error.filename if isinstance(error.filename, str) else ""
    where = f"{name}: " if name else ""
    what = error.strerror or _line(error)
    if error.errno in _FULL:
        return (
            f"{where}{what}: make room, or give another place as results=<folder>; the same command goes on"
        )
    return f"{where}{what}: check that this path is there and can be read and written"


def _missing(error: ImportError) -> VlmcarError | None:
    package = (error.name or "").split(".")[0]
    if not package or package in _OURS:
        return None
    return VlmcarError(
        f"the package {package} cannot be imported ({_line(error)}): install what is needed with make setup, or "
        "pip install -c constraints.txt -e . in the repository's root"
    )


def _bad_yaml(error: YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if mark is None:
        return f"a yaml file cannot be read: {_line(error)}"
    problem = error.problem if isinstance(error, MarkedYAMLError) else ""
    return f"{mark.name}, line {mark.line + 1}, column {mark.column + 1} is not yaml: {problem}"


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
