"""The processes below one, as Linux tells them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def below(pid: int, mark: str) -> list[int]:
    """Descendants of a process whose command has a mark in it."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        with suppress(OSError):  # it has ended
            for tasks in Path(f"/proc/{one}/task").iterdir():
                left += [int(child) for child in (tasks / "children").read_text().split()]
        with suppress(OSError):
            command = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if mark in command and "resource_tracker" not in command:
                found.append(one)
    return found
