"""``module:name`` of a person's own, wherever the command is given."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from vlmcar.types import ConfigError


def imported(spec: str, setting: str) -> Any:
    """What ``module:name`` names.

    Args:
        spec: such as ``my_envs.push:make``.
        setting: whose value it is, for error messages.

    Raises:
        ConfigError: there is no such module, or it has no such name.
    """
    module, _, name = spec.partition(":")
    found = imported_module(module, f"{setting}={spec}")
    if not hasattr(found, name):
        raise ConfigError(f"{setting}={spec}: {module} has no {name}")
    return getattr(found, name)


def imported_module(module: str, where: str) -> Any:
    """A module; the current folder is searched, too, as ``python -m`` does.

    Raises:
        ConfigError: it cannot be imported; begins with ``where``.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{where}: {error}; {module} must be a module in this folder or among the installed packages"
        ) from error
