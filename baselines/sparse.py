"""``method=sparse``: the environment's own reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vlmcar.types import Judge, Program


@dataclass
class Sparse:
    """No judge: the agent is paid by the environment alone."""

    name: str
    env_reward: float

    needs_program = False

    def judge(self, program: Program | None, sandbox: Any) -> Judge | None:  # noqa: ARG002
        return None
