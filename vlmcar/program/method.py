"""``method=vlmcar``: the judge is the verified program, in its sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from vlmcar.types import VLM, Judge, JudgedBy, Material


@dataclass
class CodeAsReward:
    """VLM-CaR: the reward comes from a program that a VLM wrote and verification accepted."""

    name: str
    env_reward: float

    needs = "program"
    asks_vlm = False
    ask_every = 1

    def judged_by(self, vlm: VLM) -> JudgedBy:
        return JudgedBy(vlm.name, "programs")

    def judge(self, material: Material) -> Judge:
        from vlmcar.program.judge import ProgramJudge

        assert material.program is not None
        return ProgramJudge(material.program, material.sandbox)
