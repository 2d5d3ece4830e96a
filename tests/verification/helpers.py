"""The real checks on few episodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf

from tests.conftest import ROOT
from vlmcar.config import component
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.bonus import Bonus
from vlmcar.types import Program, Verdict
from vlmcar.verification.verify import Verification

FEW = [
    "feedback_experts=4",
    "feedback_randoms=4",
    "held_out_experts=5",
    "held_out_randoms=5",
    "random_steps=40",
    "exploit_steps=30",
    "negatives=3",
    "replayed_frames=40",
    "distorted_frames=8",
    "feedback_examples=3",
    "checks.fast_enough.milliseconds=1000",
    "checks.random_completes.at_most=0.5",  # so few episodes bound nothing better
]


def settings(*changes: str) -> Verification:
    """``conf/verification/default.yaml`` on few episodes, with changes such as ``checks.robust.at_least=0.5``."""
    values = OmegaConf.load(ROOT / "conf/verification/default.yaml")
    return component("verification", OmegaConf.merge(values, OmegaConf.from_dotlist([*FEW, *changes])))


def verify(task: Any, program: Program, sandbox: Sandbox, *changes: str, reward: Any = None) -> Verdict:
    return settings(*changes).verify(program, task, sandbox, reward or Bonus(None), 0.0)


def changed(program: Program, old: str, new: str) -> Program:
    assert old in program.source
    return replace(program, source=program.source.replace(old, new))


def failed(verdict: Verdict) -> set[tuple[str, str | None]]:
    return {(check.name, check.subtask) for check in verdict.checks if not check.passed}
