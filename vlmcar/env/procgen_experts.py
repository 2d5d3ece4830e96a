"""Expert plans, made once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock

import vlmcar
from vlmcar.env.procgen_games import GAMES
from vlmcar.env.procgen_planner import NoPlanError, plan
from vlmcar.env.procgen_simulator import Look, Simulator

_log = logging.getLogger("vlmcar")
_SECONDS_BETWEEN_LINES = 10.0

Plan: TypeAlias = list[int] | None
"""Indices into the game's actions; ``None``: the search found none."""


class Experts:
    """The plans of one game under one time and search limit, in ``<folder>/<game>-<key>.jsonl``.

    One line per level. Parallel runs share the file and wait for each other's plans; a line that a killed run left
    half-written is planned again.
    """

    def __init__(self, folder: str, look: Look, max_steps: int, max_states: int) -> None:
        self.look = look
        self.max_steps = max_steps
        self.max_states = max_states
        # How a game is drawn does not change what happens in it; another version may search in another way.
        parts = f"{vlmcar.__version__} {look.distribution_mode} {max_steps} {max_states}"
        key = hashlib.sha256(parts.encode()).hexdigest()[:8]
        self.file = Path(folder, f"{look.game}-{key}.jsonl")
        self._plans: dict[int, Plan] = {}
        self._read_bytes = 0
        self._ends_in_a_line = True
        self._made = 0
        self._last_line = time.monotonic()

    def plan(self, level: int) -> Plan:
        """Actions that complete the level, or ``None``, which the log says once."""
        if level not in self._plans:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.file}.lock", fallback_to_soft=False):
                self._read()
                if level not in self._plans:
                    self._make(level)
        return self._plans[level]

    def _make(self, level: int) -> None:
        try:
            self._plans[level] = plan(
                self._simulator, self._simulator.level(level), self.max_steps, self.max_states
            )
        except NoPlanError as error:
            _log.warning("procgen-%s: level %d is left out: %s", self.look.game, level, error)
            self._plans[level] = None
        row = json.dumps({"level": level, "actions": self._plans[level]}, separators=(",", ":"))
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{row}\n" if self._ends_in_a_line else f"\n{row}\n")
        self._made += 1
        if time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            _log.warning(
                "procgen-%s: %d expert plans made, kept in %s", self.look.game, self._made, self.file
            )

    def _read(self) -> None:
        """Take in the lines that were added since."""
        if not self.file.is_file():
            return
        with self.file.open("rb") as file:
            file.seek(self._read_bytes)
            for line in file:
                self._read_bytes += len(line)
                self._ends_in_a_line = line.endswith(b"\n")
                try:
                    row = json.loads(line)
                    self._plans[row["level"]] = row["actions"]
                except (ValueError, KeyError, TypeError):
                    continue

    @cached_property
    def _simulator(self) -> Simulator:
        """As many copies as actions: an expansion is one step of all."""
        return Simulator(self.look, len(GAMES[self.look.game].actions))
