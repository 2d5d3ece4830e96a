"""Files in the order in which people number them."""

from __future__ import annotations

import re
from pathlib import Path


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, hidden things left out: ``frame_2`` before ``frame_10``."""
    return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=_key)


def files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The visible files with one of these suffixes (lower case), in order."""
    return [path for path in visible(folder) if path.suffix.lower() in suffixes and path.is_file()]


def _key(path: Path) -> tuple[list[str | int], str]:
    """Text and numbers in turns; the whole name decides between equals, such as ``1`` and ``01``."""
    parts: list[str | int] = list(re.split(r"(\d+)", path.name.lower()))
    parts[1::2] = [int(digits) for digits in parts[1::2]]
    return parts, path.name
