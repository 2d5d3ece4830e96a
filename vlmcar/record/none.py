"""``logger=none``: the csv files only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmcar.types import Frame


@dataclass
class NoLogger:
    name: str

    def start(self, folder: Path, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Nothing to open."""

    def log(self, metrics: Mapping[str, float], steps: int) -> None:
        """Nothing to send."""

    def images(self, images: Mapping[str, Frame]) -> None:
        """Nothing to send."""

    def text(self, name: str, content: str) -> None:
        """Nothing to send."""

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Nothing to close."""
