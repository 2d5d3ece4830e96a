"""``method=sparse``: the environment's own reward."""

from __future__ import annotations

from dataclasses import dataclass

from vlmcar.types import VLM, ConfigError, JudgedBy, Material


@dataclass
class Sparse:
    """No judge: the agent is paid by the environment alone."""

    name: str
    env_reward: float

    needs = "nothing"
    asks_vlm = False
    ask_every = 1

    def __post_init__(self) -> None:
        if self.env_reward <= 0:
            raise ConfigError(
                f"method.env_reward={self.env_reward:g} must be above 0: method=sparse has no other reward"
            )

    def judged_by(self, vlm: VLM) -> JudgedBy:  # noqa: ARG002
        return JudgedBy("none", "none")

    def judge(self, material: Material) -> None:  # noqa: ARG002
        return None
