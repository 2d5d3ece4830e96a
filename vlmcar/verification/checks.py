"""All that is asked of a program, one small component per question: `conf/verification` turns each on or off.

A check reads the evidence of one set and gives rows. It never sees ground truth. A new one is a dataclass with
``enabled`` and ``rows``, a field here, and an entry in the yaml.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from vlmcar.types import Check, ConfigError
from vlmcar.verification.answer_checks import FastEnough, Robust, RunsWithoutError, SameAnswers
from vlmcar.verification.evidence import Evidence
from vlmcar.verification.expert_checks import (
    Does,
    EventsTold,
    ExpertCompletes,
    ExpertCompletesEarly,
    ExpertOnTime,
    NotDoneAtStart,
    SetsAgree,
    StaysDone,
)
from vlmcar.verification.negative_checks import (
    ExploitsPayLess,
    ForeignCompletes,
    NearMissCompletes,
    NearMissDoes,
    RandomCompletes,
    SuccessesOutscore,
    TruncatedCompletes,
)


@dataclass
class Checks:
    """All checks; the order is that of the rows."""

    runs_without_error: RunsWithoutError
    not_done_at_start: NotDoneAtStart
    does: Does
    expert_completes: ExpertCompletes
    expert_completes_early: ExpertCompletesEarly
    expert_on_time: ExpertOnTime
    events_told: EventsTold
    stays_done: StaysDone
    random_completes: RandomCompletes
    truncated_completes: TruncatedCompletes
    near_miss_completes: NearMissCompletes
    near_miss_does: NearMissDoes
    foreign_completes: ForeignCompletes
    exploits_pay_less: ExploitsPayLess
    successes_outscore: SuccessesOutscore
    same_answers: SameAnswers
    fast_enough: FastEnough
    sets_agree: SetsAgree
    robust: Robust

    def __post_init__(self) -> None:
        for check in fields(self):
            component = getattr(self, check.name)
            for threshold in ("at_least", "at_most"):
                value = getattr(component, threshold, 0.0)
                most = float("inf") if check.name == "exploits_pay_less" else 1.0
                if not 0 <= value <= most:
                    raise ConfigError(
                        f"verification.checks.{check.name}.{threshold}={value} must be a fraction from 0 to 1"
                    )
            if (window := getattr(component, "window", 0)) < 0:
                raise ConfigError(f"verification.checks.{check.name}.window={window} must be 0 or more")
        if self.fast_enough.milliseconds <= 0:
            raise ConfigError(
                f"verification.checks.fast_enough.milliseconds={self.fast_enough.milliseconds} must be above 0"
            )

    def rows(self, evidence: Evidence) -> tuple[Check, ...]:
        enabled = [getattr(self, check.name) for check in fields(self) if getattr(self, check.name).enabled]
        return tuple(found for component in enabled for found in component.rows(evidence))
