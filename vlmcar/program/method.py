"""``method=vlmcar``: the judge is the verified program, in its sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vlmcar.types import Judge, Program


@dataclass
class CodeAsReward:
    """VLM-CaR: the reward comes from a program that a VLM wrote and verification accepted."""

    name: str
    env_reward: float

    needs_program = True

    def judge(self, program: Program | None, sandbox: Any) -> Judge | None:
        from vlmcar.program.judge import ProgramJudge

        assert program is not None
        return ProgramJudge(program, sandbox)
