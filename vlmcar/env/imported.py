"""Modules of a person's own, wherever the command is given."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from vlmcar.env.words import first_line
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
        raise ConfigError(
            f"{where} cannot be imported ({first_line(error)}): {module} must be a module in this folder, or be "
            "installed"
        ) from error


def source_digest(module: ModuleType) -> str:
    """12 hex digits of a module's source file; the same for all that have none."""
    file = inspect.getsourcefile(module) if getattr(module, "__file__", None) else None
    return hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()[:12]
