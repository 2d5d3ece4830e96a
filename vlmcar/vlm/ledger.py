"""What was asked of a VLM, for what, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PURPOSES = ("program", "decisions")
"""Turns of the conversation that makes sub-tasks and programs; questions about frames."""
SOURCES = ("asked", "cached", "projected")
"""Of the VLM itself; of what was kept of it (what is summed there was saved); of a simulated judge, as declared."""


@dataclass
class Usage:
    """A sum over calls. ``None``: at least one call did not say, so the sum is unknown."""

    calls: float = 0
    answers: int = 0
    """Turns answered, or questions about frames."""
    unclear: int = 0
    """Of these, answers to a yes-or-no question that were neither."""
    refused: int = 0
    truncated: int = 0
    failed: int = 0
    """Calls out of reach, out of time, or answered by nonsense."""
    input_tokens: int | None = 0
    output_tokens: int | None = 0
    seconds: float = 0.0
    cost: float | None = 0.0
    """US dollars."""

    def add(self, other: Usage) -> None:
        for name, value in asdict(other).items():
            mine = getattr(self, name)
            setattr(self, name, None if mine is None or value is None else mine + value)


class Ledger:
    """Usage by purpose and source; what is not there was not asked."""

    def __init__(self, entries: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None) -> None:
        """Empty, or going on from what ``entries`` gave."""
        self._usage = {
            (purpose, source): Usage(**values)
            for purpose, sources in (entries or {}).items()
            for source, values in sources.items()
        }

    def add(self, purpose: str, source: str, usage: Usage) -> None:
        """Book one call or several."""
        assert purpose in PURPOSES
        assert source in SOURCES
        self._usage.setdefault((purpose, source), Usage()).add(usage)

    def usage(self, purpose: str, source: str) -> Usage:
        """The sum so far."""
        return self._usage.get((purpose, source), Usage())

    def entries(self) -> dict[str, dict[str, dict[str, Any]]]:
        """For JSON: purpose -> source -> the fields of ``Usage``."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for (purpose, source), usage in sorted(self._usage.items()):
            found.setdefault(purpose, {})[source] = asdict(usage)
        return found

    def merged(self, other: Ledger) -> Ledger:
        """Both together."""
        both = Ledger(self.entries())
        for (purpose, source), usage in other._usage.items():
            both.add(purpose, source, usage)
        return both


def spent_text(usage: Usage) -> str:
    """``7 calls, 12,345 tokens in, 678 out, 42 s, $0.12``."""
    parts = [f"{usage.calls:,.0f} call{'s' * (usage.calls != 1)}"]
    if usage.input_tokens is not None and usage.output_tokens is not None:
        parts.append(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
    troubles = {
        "unclear": "answers neither yes nor no",
        "refused": "refused",
        "truncated": "cut off",
        "failed": "failed",
    }
    parts += [f"{getattr(usage, name):,} {words}" for name, words in troubles.items() if getattr(usage, name)]
    parts += [f"{usage.seconds:,.0f} s", money(usage.cost)]
    return ", ".join(parts)


def money(dollars: float | None) -> str:
    """US dollars with two digits, or four below one dollar."""
    if dollars is None:
        return "price unknown"
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.4f}"
