"""Prompts are versioned template files, so that a recording can name the exact words it answers."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from string import Template

from vlmcar.types import ConfigError


class Prompts:
    """The templates of one version: ``prompts/<version>/<name>.md`` with ``${placeholders}``.

    Raises:
        ConfigError: there is no such version.
    """

    def __init__(self, version: str) -> None:
        folder = files("vlmcar.generation") / "prompts" / version
        if not folder.is_dir():
            versions = sorted(
                p.name for p in (files("vlmcar.generation") / "prompts").iterdir() if p.is_dir()
            )
            raise ConfigError(f"generation.prompts={version}: there are {', '.join(versions)}")
        self._templates = {
            path.name.removesuffix(".md"): path.read_text(encoding="utf-8").strip()
            for path in folder.iterdir()
            if path.name.endswith(".md")
        }

    def fill(self, name: str, **values: object) -> str:
        """The prompt with its placeholders replaced; a missing value is a ``KeyError``."""
        return Template(self._templates[name]).substitute({k: str(v) for k, v in values.items()})

    def digest(self) -> str:
        """Changes when any word changes that leads to a program; questions about frames come after it."""
        names = sorted(name for name in self._templates if not name.startswith("question"))
        text = "\0".join(f"{name}\0{self._templates[name]}" for name in names)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
