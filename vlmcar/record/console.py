"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Console:
    """Speaks for one run.

    Args:
        name: stands before every line.
        bar: ``None``: a progress bar if standard error is a terminal.
    """

    def __init__(self, name: str, bar: bool | None = None) -> None:
        self.name = name
        self._wants_bar = sys.stderr.isatty() if bar is None else bar
        self._bar: tqdm | None = None
        self._total = 0
        self._first = 0
        self._started = 0.0
        self._last_line = 0.0

    def say(self, text: str) -> None:
        """One line, above the bar if there is one."""
        line = f"[{self.name}] {text}"
        if self._bar is not None:
            self._bar.write(line)
        else:
            print(line, flush=True)

    def start(self, total: int, first: int = 0) -> None:
        """Training begins at step ``first`` of ``total``."""
        self._total, self._first = total, first
        self._started = self._last_line = time.monotonic()
        if self._wants_bar:
            self._bar = tqdm(total=total, initial=first, desc=self.name, unit="step", unit_scale=True)

    def update(self, steps: int, success: float | None, subtasks: str = "") -> None:
        """Now at ``steps``, with the success rate of the last evaluation.

        Args:
            steps: of the environments, taken by now.
            success: in [0, 1]; ``None``: nothing was evaluated yet.
            subtasks: how far the agent gets in training, such as ``1.0 of 3``; empty where no judge says so.
        """
        steps = min(steps, self._total)  # the last rollout may go past the budget
        shown = "success " + ("-" if success is None else f"{success:.0%}")
        if subtasks:
            shown += f", sub-tasks {subtasks} in training"
        if self._bar is not None:
            if shown != self._bar.postfix:
                self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(steps - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last_line < _SECONDS_BETWEEN_LINES:
            return
        self._last_line = now
        rate = (steps - self._first) / max(now - self._started, 1e-9)
        left = (self._total - steps) / max(rate, 1e-9)
        self.say(f"{steps:,}/{self._total:,} steps, {rate:,.0f} steps/s, {shown}, {left:,.0f} s left")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
