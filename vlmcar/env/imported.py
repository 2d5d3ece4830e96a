"""Modules of a person's own, wherever the command is given."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from vlmcar.types import ConfigError


def imported_module(module: str, where: str) -> ModuleType:
    """A module; the current folder is searched, too, as ``python -m`` does.

    Raises:
        ConfigError: it cannot be imported; begins with ``where``.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except (ImportError, SyntaxError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"{where} cannot be imported ({reason}): {module} must be a module in this folder, or be installed"
        ) from error
