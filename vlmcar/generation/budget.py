"""What the search for a program may take, in calls and in money."""

from __future__ import annotations

from dataclasses import dataclass

from vlmcar.types import VLM, ConfigError, VlmcarError
from vlmcar.vlm.ledger import Ledger, spent_text

LEAST_CALLS = 3
"""Describe, decompose, and one program."""


class GenerationFailed(VlmcarError):
    """No program came out that could be verified."""


class BudgetSpent(GenerationFailed):
    """Nothing more may be asked; the text says what was, and which setting allows more."""


@dataclass(frozen=True)
class Budget:
    """Asked about before each call, so that money is exceeded by one call at most, and calls never.

    A call counts whether the VLM answers or the cache does: the same limit ends the same search at the same turn.
    Money is what was paid in this session; a kept answer costs nothing.
    """

    ledger: Ledger
    max_calls: int | None
    """``None``: no limit."""
    max_dollars: float | None
    """US dollars; ``None``: no limit."""

    def check(self) -> None:
        """Before a call.

        Raises:
            BudgetSpent: there is nothing left for it.
        """
        asked, kept = (self.ledger.usage("program", source) for source in ("asked", "cached"))
        spent = spent_text(asked) + (f", and {kept.calls:,.0f} kept answers" if kept.calls else "")
        if self.max_calls is not None and asked.calls + kept.calls >= self.max_calls:
            raise BudgetSpent(f"generation.max_calls={self.max_calls} is spent ({spent}): raise it to go on")
        if self.max_dollars is None:
            return
        if asked.cost is None:
            raise BudgetSpent(
                f"generation.max_dollars={self.max_dollars:g} cannot be kept: a reply came without what it took "
                f"({spent}); give generation.max_calls instead"
            )
        if asked.cost >= self.max_dollars:
            raise BudgetSpent(
                f"generation.max_dollars={self.max_dollars:g} is spent ({spent}): raise it to go on"
            )


def check_limits(max_calls: int | None, max_dollars: float | None) -> None:
    """Raises ``ConfigError`` for limits under which no program can come out."""
    if max_calls is not None and max_calls < LEAST_CALLS:
        raise ConfigError(
            f"generation.max_calls={max_calls} must be at least {LEAST_CALLS} (describe, decompose, a program), or null"
        )
    if max_dollars is not None and max_dollars <= 0:
        raise ConfigError(f"generation.max_dollars={max_dollars:g} must be above 0, or null")


def check_price(max_dollars: float | None, vlm: VLM) -> None:
    """Raises ``ConfigError`` where money is limited, and nobody will know what a call costs."""
    if max_dollars is None or getattr(vlm, "replays", False):  # a recording costs nothing
        return
    if any(getattr(vlm, name, None) is None for name in ("input_price", "output_price")):
        raise ConfigError(
            f"generation.max_dollars={max_dollars:g} needs a price, and vlm={vlm.name} states none: give "
            + ("vlm.input_price and vlm.output_price, or " if hasattr(vlm, "input_price") else "")
            + "generation.max_calls instead"
        )
