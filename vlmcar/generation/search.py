"""The searches for a program, ``generation=<name>``: each says how the next candidate is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlmcar.generation.generate import Generation, ranked
from vlmcar.generation.turns import Candidate, Writer, Written
from vlmcar.types import ConfigError


@dataclass
class Single(Generation):
    """One program, accepted or not."""

    most = 1
    more = "generation=repair"

    def propose(self, writer: Writer, number: int, tried: Sequence[Candidate]) -> Written:  # noqa: ARG002
        return writer.first()


@dataclass
class Repair(Generation):
    """One conversation: each program's failures go back, and the next one is asked for."""

    program_attempts: int

    more = "more generation.program_attempts"

    @property
    def most(self) -> int:
        return self.program_attempts

    def counts(self) -> tuple[str, ...]:
        return ("program_attempts",)

    def propose(self, writer: Writer, number: int, tried: Sequence[Candidate]) -> Written:  # noqa: ARG002
        return writer.repaired(tried[-1]) if tried else writer.first()


@dataclass
class BestOfN(Generation):
    """Independent programs for the same sub-tasks; the one that verification ranks highest."""

    n: int

    branches = True
    tries_all = True
    more = "a higher generation.n"

    @property
    def most(self) -> int:
        return self.n

    def counts(self) -> tuple[str, ...]:
        return ("n",)

    def propose(self, writer: Writer, number: int, tried: Sequence[Candidate]) -> Written:  # noqa: ARG002
        return writer.independent(number, self.n)


@dataclass
class Evolve(Generation):
    """Independent programs first; then the best so far are combined, and changed one at a time, in turn.

    Each is shown with what it got wrong, and the frames that show it. After the idea of GRACE
    (arXiv 2510.02180): programs evolve, and misclassified examples are what they are bred on.
    """

    population: int
    """Programs written independently first; so many, the best ones, may be bred from."""
    parents: int
    """Of these, how many are combined."""
    program_attempts: int

    branches = True
    more = "more generation.program_attempts"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parents <= self.population <= self.program_attempts:
            raise ConfigError(
                f"generation.parents={self.parents}, population={self.population} and program_attempts="
                f"{self.program_attempts} must not fall: parents are taken from the population, which is written first"
            )

    @property
    def most(self) -> int:
        return self.program_attempts

    def counts(self) -> tuple[str, ...]:
        return ("population", "parents", "program_attempts")

    def propose(self, writer: Writer, number: int, tried: Sequence[Candidate]) -> Written:
        born = number - self.population  # from 1
        best = ranked(tried)[: self.population]
        if born <= 0 or not best:
            return writer.independent(number, self.program_attempts)
        if born % 2 == 1:
            return writer.bred(number, best[: self.parents])
        return writer.bred(number, [best[(born // 2 - 1) % len(best)]])
