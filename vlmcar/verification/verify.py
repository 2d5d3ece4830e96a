"""Does a program judge episodes it has not seen as it should? Measured, with reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.audit import Judged, replay
from vlmcar.program.errors import ProgramError
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Check, ConfigError, Program, Task, Verdict, VlmcarError
from vlmcar.verification.checks import Checks
from vlmcar.verification.distortions import distortions
from vlmcar.verification.evidence import Episode, Evidence, judge_episode
from vlmcar.verification.feedback import explain
from vlmcar.verification.trajectories import Counts, Made, Seeds, make_set

# A program that fails on this many trajectories of a set is not run on the rest of it.
_ERRORS_TO_STOP = 3
SETS = ("feedback", "held_out")


@dataclass
class Verification:
    """Checks, and the two disjoint sets of trajectories: one that teaches, one that decides."""

    checks: Checks
    early_frames: int
    replayed_frames: int
    distorted_frames: int
    random_steps: int
    exploit_steps: int
    negatives: int
    feedback_experts: int
    feedback_randoms: int
    feedback_seed: int
    held_out_experts: int
    held_out_randoms: int
    held_out_seed: int
    feedback_examples: int

    def __post_init__(self) -> None:
        counts = ("feedback_experts", "feedback_randoms", "held_out_experts", "held_out_randoms")
        steps = ("random_steps", "exploit_steps", "replayed_frames", "feedback_examples")
        for name in (*counts, *steps):
            if getattr(self, name) < 1:
                raise ConfigError(f"verification.{name}={getattr(self, name)} must be at least 1")
        for name in ("early_frames", "negatives", "distorted_frames", "feedback_seed", "held_out_seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"verification.{name}={getattr(self, name)} must be 0 or more")
        if set(self.seeds("feedback")) & set(self.seeds("held_out")):
            raise ConfigError(
                f"verification.feedback_seed={self.feedback_seed} and held_out_seed={self.held_out_seed} "
                "give overlapping sets; what teaches must not decide"
            )
        self._sets: dict[tuple[str, str], Made] = {}

    def seeds(self, which: str) -> range:
        """The levels of the ``feedback`` or the ``held_out`` set: experts first, then random play."""
        first = getattr(self, f"{which}_seed")
        return range(first, first + getattr(self, f"{which}_experts") + getattr(self, f"{which}_randoms"))

    def verify(
        self, program: Program, task: Task, sandbox: Sandbox, reward: Any, env_reward: float
    ) -> Verdict:
        """Judge both sets with the program, first the feedback set, then the one that is held out.

        Only failures on the feedback set are shown to the VLM; the held-out set is not even run before
        the feedback set passes, and of its failures the VLM learns no more than that there are some.

        Args:
            program: what is verified.
            task: whose episodes it judges.
            sandbox: how it is run.
            reward: a component of ``conf/reward``: what its answers will be paid by.
            env_reward: weight of the environment's own reward beside it.

        Raises:
            VlmcarError: an expert or a simulator failed; a failing program is a verdict, not an error.
        """
        rows: tuple[Check, ...] = ()
        evidence: Evidence | None = None
        for which in SETS:
            evidence = self._gather(which, program, task, sandbox, (reward, env_reward), evidence)
            found = self.checks.rows(evidence)
            rows += found
            failed = [row for row in found if not row.passed]
            if failed:
                text, frames = explain(evidence, failed, self.feedback_examples, self.checks)
                return Verdict(False, rows, text, frames)
        return Verdict(True, rows)

    def _gather(
        self,
        which: str,
        program: Program,
        task: Task,
        sandbox: Sandbox,
        pay: tuple[Any, float],
        earlier: Evidence | None,
    ) -> Evidence:
        episodes: list[Episode] = []
        with ProgramJudge(program, sandbox, hot_spare=False) as judge:
            made = self._trajectories(which, task)
            for trajectory in made.episodes:
                episodes.append(judge_episode(judge, trajectory, *pay))
                if sum(episode.error is not None for episode in episodes) >= _ERRORS_TO_STOP:
                    break
            milliseconds = 1000 * judge.cpu_seconds / max(judge.frames_judged, 1)
            distorted = self._distorted(judge, task, episodes)
        replayed = self._replayed(program, sandbox, episodes)
        return Evidence(
            *(which, program, tuple(episodes), milliseconds, replayed, distorted, self.early_frames),
            *(made.missing, earlier),
        )

    def episodes_of(self, which: str, task: Task) -> Seeds:
        """Which of a task's episodes a set has; where these are limited, half of them teach and half decide.

        Raises:
            VlmcarError: there are too few to have two sets.
        """
        experts, randoms = getattr(self, f"{which}_experts"), getattr(self, f"{which}_randoms")
        seeds = Seeds.from_levels(self.seeds(which), experts)
        if task.demonstrations is not None:
            if task.demonstrations < 2:
                raise VlmcarError(
                    f"{task.id} has {task.demonstrations} demonstration(s), and needs 2 or more: one half is what the "
                    "VLM is shown failures of, the other half decides"
                )
            seeds = seeds._replace(experts=_half(which, task.demonstrations, experts))
        if task.random_episodes is not None:
            seeds = seeds._replace(randoms=_half(which, task.random_episodes, randoms))
        return seeds

    def _trajectories(self, which: str, task: Task) -> Made:
        """The set's episodes, made once and kept for the next program."""
        key = which, json.dumps([task.id, dict(task.setting())], sort_keys=True)
        if key not in self._sets:
            counts = Counts(self.random_steps, self.negatives, self.exploit_steps)
            self._sets[key] = make_set(task, self.episodes_of(which, task), counts)
        return self._sets[key]

    def _replayed(self, program: Program, sandbox: Sandbox, episodes: Sequence[Episode]) -> NDArray[np.bool_]:
        """Judge frames of all episodes again, shuffled, in a fresh process: purity is part of the contract."""
        rng = np.random.default_rng(0)
        judged = []
        for episode, t in _drawn(episodes, self.replayed_frames, rng):
            assert episode.progress is not None
            kept = episode.trajectory
            judged.append(Judged(kept.frame(0), kept.frame(t), episode.progress[t]))
        return replay(program, sandbox, judged, rng)

    def _distorted(
        self, judge: ProgramJudge, task: Task, episodes: Sequence[Episode]
    ) -> dict[str, NDArray[np.bool_]]:
        """Whether experts' frames get the same answers after each kind of distortion."""
        experts = [episode for episode in episodes if episode.trajectory.kind == "expert"]
        drawn = list(_drawn(experts, self.distorted_frames, np.random.default_rng(0)))
        found = {}
        for name, distort in distortions(task).items():
            same = []
            for episode, t in drawn:
                assert episode.progress is not None
                pair = distort(episode.trajectory, 0), distort(episode.trajectory, t)
                try:
                    answer = judge.progress(pair[0][None], pair[1][None])[0]
                except ProgramError:
                    same.append(False)
                else:
                    same.append(np.array_equal(answer >= 1.0, episode.progress[t] >= 1.0))
            found[name] = np.array(same, np.bool_)
        return found


def _half(which: str, count: int, most: int) -> range:
    """Of so many episodes those of the ``feedback`` or of the ``held_out`` set, ``most`` at most."""
    teach = (count + 1) // 2
    return range(teach)[:most] if which == "feedback" else range(teach, count)[:most]


def _drawn(
    episodes: Sequence[Episode], count: int, rng: np.random.Generator
) -> Iterator[tuple[Episode, int]]:
    """Episodes and frame numbers, drawn without replacement from those that were answered."""
    places = [
        (episode, t)
        for episode in episodes
        if episode.progress is not None
        for t in range(len(episode.trajectory))
    ]
    for number in rng.permutation(len(places))[:count]:
        yield places[number]
