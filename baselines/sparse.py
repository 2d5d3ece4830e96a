"""``method=sparse``: the environment's own reward."""

from __future__ import annotations

from dataclasses import dataclass

from vlmcar.types import VLM, JudgedBy, Material


@dataclass
class Sparse:
    """No judge: the agent is paid by the environment alone."""

    name: str
    env_reward: float

    needs = "nothing"
    asks_vlm = False
    ask_every = 1

    def judged_by(self, vlm: VLM) -> JudgedBy:  # noqa: ARG002
        return JudgedBy("none", "none")

    def judge(self, material: Material) -> None:  # noqa: ARG002
        return None
