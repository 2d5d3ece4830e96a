"""``method=oracle``: ground truth with chosen error rates judges every frame. No VLM could; it is a yardstick."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.queries import Queries, SimulatedJudge
from vlmcar.types import VLM, ConfigError, JudgedBy, Material, TruthJudge
from vlmcar.vlm.simulated import Simulated


@dataclass
class Oracle:
    """How good can a judge of these sub-tasks get, and how good must it be? Called simulated wherever it appears."""

    name: str
    env_reward: float
    ask_every: int
    simulated: Simulated

    needs = "subtasks"
    asks_vlm = False

    def __post_init__(self) -> None:
        if self.ask_every < 1:
            raise ConfigError(f"method.ask_every={self.ask_every} must be at least 1 step")

    def judged_by(self, vlm: VLM) -> JudgedBy:  # noqa: ARG002
        return self.simulated.judged_by

    def judge(self, material: Material) -> TruthJudge:
        everything = Queries(remember=0, max_queries=None, threshold=1.0)
        return SimulatedJudge(
            self.simulated, material.subtasks, material.truths, everything, material.ledger, sees_state=True
        )
