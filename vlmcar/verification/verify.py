"""Does a program judge episodes it has not seen as it should? Measured, with reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vlmcar.program.audit import Judged, replay
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Check, ConfigError, Frame, Program, Task, Verdict
from vlmcar.verification.episode import Episode, judge_episode
from vlmcar.verification.feedback import Limits, explain

_Passes = Callable[[float], bool]

# A program that fails on this many trajectories of a set is not run on the rest of it.
_ERRORS_TO_STOP = 3


@dataclass
class Verification:
    """Thresholds, and the two disjoint sets of trajectories: one that teaches, one that decides."""

    expert_completes: float
    expert_completes_early: float
    early_frames: int
    random_completes: float
    replayed_frames: int
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
        for name in ("expert_completes", "expert_completes_early", "random_completes"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"verification.{name}={getattr(self, name)} must be a fraction from 0 to 1")
        counts = ("feedback_experts", "feedback_randoms", "held_out_experts", "held_out_randoms")
        for name in (*counts, "random_steps", "replayed_frames", "feedback_examples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"verification.{name}={getattr(self, name)} must be at least 1")
        if self.early_frames < 0:
            raise ConfigError(f"verification.early_frames={self.early_frames} must be 0 or more")
        if self.frame_milliseconds <= 0:
            raise ConfigError(f"verification.frame_milliseconds={self.frame_milliseconds} must be above 0")
        if min(self.feedback_seed, self.held_out_seed) < 0:
            raise ConfigError("verification.feedback_seed and held_out_seed must be 0 or more")
        if set(self.seeds("feedback")) & set(self.seeds("held_out")):
            raise ConfigError(
                f"verification.feedback_seed={self.feedback_seed} and held_out_seed={self.held_out_seed} "
                "give overlapping sets; what teaches must not decide"
            )

    def seeds(self, which: str) -> range:
        """The levels of the ``feedback`` or the ``held_out`` set: experts first, then random play."""
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
            rows = (
                *self._check(which, program, episodes),
                self._same_answers(which, program, sandbox, episodes),
                self._fast_enough(which, milliseconds, len(episodes)),
            )
            checks += rows
            failed = {row.name for row in rows if not row.passed}
            if failed:
                return Verdict(False, checks, *self._feedback(which, program, episodes, failed))
        return Verdict(True, checks)

    def _feedback(
        self, which: str, program: Program, episodes: list[Episode], failed: set[str]
    ) -> tuple[str, tuple[Frame, ...]]:
        """Text and pictures for the VLM; of held-out episodes no more than that some failed."""
        texts: list[str] = []
        frames: tuple[Frame, ...] = ()
        if failed - {"fast_enough", "same_answers"}:
            shown = episodes if which == "feedback" else []
            limits = Limits(self.expert_completes_early, self.early_frames, self.random_completes)
            text, frames = explain(program, shown, limits, self.feedback_examples)
            texts.append(text)
        if "same_answers" in failed:
            texts.append(
                "The same two pictures got another answer, or none, when they were judged again in another order: it "
                "remembers something between calls, or reads memory that it has not set. Every answer must "
                "follow from `initial` and `frame` alone."
            )
        if "fast_enough" in failed:
            texts.append(f"It is too slow: more than {self.frame_milliseconds:g} ms per picture.")
        return "\n\n".join(texts), frames

    def _same_answers(
        self, which: str, program: Program, sandbox: Sandbox, episodes: Sequence[Episode]
    ) -> Check:
        """Judge frames of all episodes again, shuffled, in a fresh process: purity is part of the contract."""
        answered = [episode for episode in episodes if episode.progress is not None]
        places = [(e, t) for e, episode in enumerate(answered) for t in range(len(episode.trajectory.frames))]
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(places))[: self.replayed_frames]
        judged = []
        for e, t in (places[number] for number in chosen):
            frames = answered[e].trajectory.frames
            judged.append(Judged(frames[0], frames[t], answered[e].progress[t]))
        same = replay(program, sandbox, judged, rng)
        rate = float(same.mean()) if judged else 1.0  # nothing was answered, which has its own failed row
        return Check("same_answers", None, which, len(same), rate, ">= 1", rate >= 1)

    def _fast_enough(self, which: str, milliseconds: float, count: int) -> Check:
        limit = self.frame_milliseconds
        return Check(
            "fast_enough", None, which, count, milliseconds, f"<= {limit:g} ms", milliseconds <= limit
        )

    def _run(self, which: str, program: Program, task: Task, sandbox: Sandbox) -> tuple[list[Episode], float]:
        """The episodes of a set, and the milliseconds that the program took per frame."""
        seeds = self.seeds(which)
        experts = getattr(self, f"{which}_experts")
        episodes: list[Episode] = []
        with ProgramJudge(program, sandbox, hot_spare=False) as judge:
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
            early = [episode.complete_early(self.early_frames) for episode in episodes]
            limit = self.expert_completes_early
            yield row("expert_completes_early", None, early, f"<= {limit:g}", lambda rate: rate <= limit)
        else:
            most = self.random_completes
            yield row("random_completes", None, complete, f"<= {most:g}", lambda rate: rate <= most)
