"""Does a program judge episodes it has not seen as it should? Measured, with reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Check, ConfigError, Program, Task, Verdict
from vlmcar.verification.episode import Episode, judge_episode
from vlmcar.verification.feedback import explain

_Passes = Callable[[float], bool]

# A program that fails on this many trajectories of a set is not run on the rest of it.
_ERRORS_TO_STOP = 3


@dataclass
class Verification:
    """Thresholds, and the two disjoint sets of trajectories: one that teaches, one that decides."""

    expert_completes: float
    random_completes: float
    frame_milliseconds: float
    random_steps: int
    feedback_experts: int
    feedback_randoms: int
    feedback_seed: int
    held_out_experts: int
    held_out_randoms: int
    held_out_seed: int
    feedback_examples: int

    def __post_init__(self) -> None:
        for name in ("expert_completes", "random_completes"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"verification.{name}={getattr(self, name)} must be a fraction from 0 to 1")
        counts = ("feedback_experts", "feedback_randoms", "held_out_experts", "held_out_randoms")
        for name in (*counts, "random_steps", "feedback_examples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"verification.{name}={getattr(self, name)} must be at least 1")
        if self.frame_milliseconds <= 0:
            raise ConfigError(f"verification.frame_milliseconds={self.frame_milliseconds} must be above 0")
        feedback = set(self._seeds("feedback"))
        if feedback & set(self._seeds("held_out")):
            raise ConfigError(
                f"verification.feedback_seed={self.feedback_seed} and held_out_seed={self.held_out_seed} "
                "give overlapping sets; what teaches must not decide"
            )

    def _seeds(self, which: str) -> range:
        first = getattr(self, f"{which}_seed")
        return range(first, first + getattr(self, f"{which}_experts") + getattr(self, f"{which}_randoms"))

    def verify(self, program: Program, task: Task, sandbox: Sandbox) -> Verdict:
        """Judge experts and random play with the program, first on the feedback set, then held out.

        Only failures on the feedback set are shown to the VLM; the held-out set is not even run before
        the feedback set passes, and of its failures the VLM learns no more than that there are some.

        Raises:
            VlmcarError: an expert or a simulator failed; a failing program is a verdict, not an error.
        """
        checks: tuple[Check, ...] = ()
        for which in ("feedback", "held_out"):
            episodes, milliseconds = self._run(which, program, task, sandbox)
            fast = milliseconds <= self.frame_milliseconds
            speed = Check("fast_enough", None, which, len(episodes), milliseconds, self._speed_limit, fast)
            rows = (*self._check(which, program, episodes), speed)
            checks += rows
            if not all(row.passed for row in rows):
                shown = episodes if which == "feedback" else []
                text, frames = explain(program, shown, self.random_completes, self.feedback_examples)
                if not fast:
                    text += f"\n\nIt is too slow: more than {self.frame_milliseconds:g} ms per picture."
                return Verdict(False, checks, text, frames)
        return Verdict(True, checks)

    @property
    def _speed_limit(self) -> str:
        return f"<= {self.frame_milliseconds:g} ms"

    def _run(self, which: str, program: Program, task: Task, sandbox: Sandbox) -> tuple[list[Episode], float]:
        """The episodes of a set, and the milliseconds that the program took per frame."""
        seeds = self._seeds(which)
        experts = getattr(self, f"{which}_experts")
        episodes: list[Episode] = []
        with ProgramJudge(program, sandbox) as judge:
            for number, seed in enumerate(seeds):
                expert = number < experts
                trajectory = task.expert(seed) if expert else task.random(seed, self.random_steps)
                episodes.append(judge_episode(judge, trajectory))
                if sum(episode.error is not None for episode in episodes) >= _ERRORS_TO_STOP:
                    break
            return episodes, 1000 * judge.seconds / max(judge.frames_judged, 1)

    def _check(self, which: str, program: Program, episodes: Sequence[Episode]) -> tuple[Check, ...]:
        rows: list[Check] = []
        for kind in ("expert", "random"):
            group = [episode for episode in episodes if episode.trajectory.kind == kind]
            if group:  # none are left where errors ended the measurement, which has its own failed row
                rows += self._check_kind(which, kind, program, group)
        return tuple(rows)

    def _check_kind(
        self, which: str, kind: str, program: Program, episodes: Sequence[Episode]
    ) -> Iterator[Check]:
        def row(
            check: str, subtask: str | None, outcomes: Sequence[bool], threshold: str, passes: _Passes
        ) -> Check:
            measured = float(np.mean(outcomes))
            return Check(
                check, subtask, f"{which}/{kind}", len(outcomes), measured, threshold, passes(measured)
            )

        yield row(
            "runs_without_error", None, [e.error is None for e in episodes], ">= 1", lambda rate: rate >= 1
        )
        answered = [episode for episode in episodes if episode.error is None]
        for k, subtask in enumerate(program.subtasks if answered else ()):
            waits = [not episode.done_at_start[k] for episode in answered]
            yield row("not_done_at_start", subtask.name, waits, ">= 1", lambda rate: rate >= 1)
            does = [episode.done_at[k] is not None for episode in answered]
            yield row(f"{kind}_does", subtask.name, does, "reported", lambda _: True)
        complete = [episode.complete for episode in episodes]
        if kind == "expert":
            least = self.expert_completes
            yield row("expert_completes", None, complete, f">= {least:g}", lambda rate: rate >= least)
        else:
            most = self.random_completes
            yield row("random_completes", None, complete, f"<= {most:g}", lambda rate: rate <= most)
