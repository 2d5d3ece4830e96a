"""``method=vlmcar``: the judge is the verified program, in its sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from vlmcar.types import VLM, ConfigError, Judge, JudgedBy, Material


@dataclass
class CodeAsReward:
    """VLM-CaR: the reward comes from a program that a VLM wrote and verification accepted."""

    name: str
    env_reward: float
    workers: int
    """Processes that judge for one training, beside it; each takes a core while it judges."""
    audit_share: float
    """Fraction of the frames judged in training that are judged again later."""
    audit_frames: int
    """So many are collected, and then judged again, shuffled, by a fresh process."""

    needs = "program"
    asks_vlm = False
    ask_every = 1

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 64:
            raise ConfigError(f"method.workers={self.workers} must be 1 to 64 processes")
        if not 0 <= self.audit_share <= 1:
            raise ConfigError(f"method.audit_share={self.audit_share} must be a fraction from 0 to 1")
        if not 1 <= self.audit_frames <= 4096:
            raise ConfigError(
                f"method.audit_frames={self.audit_frames} must be 1 to 4096: so many are kept in memory"
            )

    def judged_by(self, vlm: VLM) -> JudgedBy:
        return JudgedBy(vlm.name, "programs")

    def judge(self, material: Material) -> Judge:
        from vlmcar.program.audit import AuditedJudge

        assert material.program is not None
        return AuditedJudge(
            material.program, material.sandbox, self.audit_share, self.audit_frames, self.workers
        )
