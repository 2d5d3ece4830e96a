"""``method=direct_vlm``: the VLM itself is asked about the frames, sub-task by sub-task, during training."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.queries import Queries, SimulatedJudge, VLMJudge
from vlmcar.generation.prompts import Prompts
from vlmcar.types import VLM, ConfigError, Decider, Judge, JudgedBy, Material, TruthJudge
from vlmcar.vlm.ledger import SOURCES


@dataclass
class DirectVLM:
    """No program: the VLM says whether each sub-task is done. The sub-tasks are those it found itself.

    Where ``vlm=offline`` cannot be asked, its simulated judge answers, and is called so.
    """

    name: str
    env_reward: float
    ask_every: int
    max_queries: int | None
    """Frames that the VLM is asked about per run, at most; ``None``: no limit."""
    remember: int
    """Frames whose answers are kept, so that they are not asked about again."""
    threshold: float
    """Least P(yes) that counts as done, in (0, 1]."""
    show_initial: bool
    """Show the first frame of the episode beside the current one."""
    least_pixels: int
    """Frames lower than this are shown enlarged, by a whole factor."""

    needs = "subtasks"
    asks_vlm = True

    def __post_init__(self) -> None:
        if self.ask_every < 1:
            raise ConfigError(f"method.ask_every={self.ask_every} must be at least 1 step")
        if self.max_queries is not None and self.max_queries < 0:
            raise ConfigError(f"method.max_queries={self.max_queries} must be 0 or more, or null")
        if self.remember < 0:
            raise ConfigError(f"method.remember={self.remember} must be 0 or more frames")
        if self.least_pixels < 1:
            raise ConfigError(f"method.least_pixels={self.least_pixels} must be at least 1")
        if not 0 < self.threshold <= 1:
            raise ConfigError(f"method.threshold={self.threshold} is a probability above 0, at most 1")

    def judged_by(self, vlm: VLM) -> JudgedBy:
        simulated = getattr(vlm, "simulated", None)
        if simulated is not None:
            return simulated.judged_by
        if not isinstance(vlm, Decider):
            raise ConfigError(
                f"method={self.name} asks the VLM about frames, which vlm={vlm.name} cannot answer; take vlm=openai, "
                "vlm=transformers, or vlm=offline for a simulated judge"
            )
        prices = (getattr(vlm, name, 0.0) for name in ("input_price", "output_price"))
        if self.max_queries is None and any(price != 0.0 for price in prices):  # unknown ones, too
            raise ConfigError(
                f"method={self.name} with vlm={vlm.name} pays for every new frame: say how many at most, as "
                "method.max_queries=5000"
            )
        return JudgedBy(vlm.name, "VLM queries")

    def judge(self, material: Material) -> Judge | TruthJudge:
        spent = sum(material.ledger.usage("decisions", source).answers for source in SOURCES)
        queries = Queries(self.remember, self.max_queries, self.threshold, spent // len(material.subtasks))
        simulated = getattr(material.vlm.backend, "simulated", None)
        if simulated is not None:
            return SimulatedJudge(
                simulated, material.subtasks, material.truths, queries, material.ledger, sees_state=False
            )
        return VLMJudge(
            material.vlm, self._questions(material), queries, self.show_initial, self.least_pixels
        )

    def _questions(self, material: Material) -> list[str]:
        template = "question" if self.show_initial else "question_alone"
        prompts = Prompts(material.prompts)
        return [prompts.fill(template, subtask=subtask.description) for subtask in material.subtasks]
