"""What verification says of a program; import it from ``vlmcar.types``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Check:
    """One row of a verdict: what was measured, on how much, against which threshold."""

    name: str
    subtask: str | None
    """``None``: the check concerns the whole program."""
    trajectories: str
    """Which set: ``feedback/expert``, ``held_out/random``, ..."""
    count: int
    """Number of trajectories measured."""
    measured: float | None
    """``None``: not available for this task; ``threshold`` says why, and nothing was asked."""
    threshold: str
    """Readable, such as ``>= 1.0``; ``reported`` where nothing is gated."""
    passed: bool

    @property
    def finding(self) -> str:
        """What was measured, against what was asked."""
        return self.threshold if self.measured is None else f"{self.measured:.4g}, asked {self.threshold}"

    @property
    def about(self) -> str:
        """Its name, and the sub-task's."""
        return f"{self.name} ({self.subtask})" if self.subtask else self.name


@dataclass(frozen=True)
class Verdict:
    """Whether a program may train an agent, and why."""

    accepted: bool
    checks: tuple[Check, ...] = field(repr=False)
    feedback: str = field(default="", repr=False)
    """What the VLM is told; empty when accepted."""
    feedback_frames: tuple[NDArray[np.uint8], ...] = field(default=(), repr=False)
    """uint8 (height, width, 3) RGB, 0-255, each."""

    def __str__(self) -> str:
        """A line that says what failed, and a table: each check, on what, what was measured, and what was asked.

        Failed rows stand first, and then those that say "not available".
        """
        failed = ", ".join(dict.fromkeys(check.about for check in self.checks if not check.passed))
        table = [("", "check", "episodes", "measured", "asked")]
        telling_first = sorted(self.checks, key=lambda row: (row.passed, row.measured is not None))
        for row in telling_first:
            known = row.measured is not None
            result = "FAILED" if not row.passed else "ok" if known else ""
            measured = f"{row.measured:.4g}" if known else ""
            table.append((result, row.about, f"{row.trajectories} ({row.count})", measured, row.threshold))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        return "\n".join(["accepted" if self.accepted else f"rejected for {failed}", *lines])
