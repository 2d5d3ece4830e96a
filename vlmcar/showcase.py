"""What a run leaves to look at: an expert's, a random and the policy's episode, judged and paid frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vlmcar.config import Components
from vlmcar.program.judge import ProgramJudge
from vlmcar.record.episodes import write_episode
from vlmcar.types import Program
from vlmcar.verification.evidence import judge_episode
from vlmcar.verification.trajectories import keep


def keep_episodes(built: Components, program: Program | None, model: Any, folder: Path) -> None:
    """Write the episodes into a run's folder; all runs of an environment play the same level.

    Args:
        built: the run's components.
        program: what paid the agent; ``None``: no program did, and only the policy's episode is kept.
        model: the trained policy.
        folder: the run's.

    Raises:
        ProgramError: the program had no answer.
    """
    from vlmcar.training.rollout import policy_trajectories

    seeds = built.env.training_seeds or range(built.training.eval_seed, built.training.eval_seed + 1)
    played = policy_trajectories(built.env, model, seeds[:1], built.algorithm.samples_actions)
    if program is None:
        for trajectory in played:
            alone = np.concatenate([[0.0], built.method.env_reward * trajectory.rewards])
            paid = alone if built.method.needs == "nothing" else None  # nobody is asked again
            facts = {
                "kind": trajectory.kind,
                "success": trajectory.success,
                "level": trajectory.seed,
                "subtasks": [],
            }
            write_episode(folder, trajectory.frames, paid, trajectory.rewards, None, facts)
        return
    shown = [built.env.expert(seeds[0]), built.env.random(seeds[0], built.verification.random_steps), *played]
    with ProgramJudge(program, built.sandbox, hot_spare=False) as judge:
        for trajectory in shown:
            episode = judge_episode(judge, keep(trajectory), built.reward, built.method.env_reward)
            if episode.error is not None:
                raise episode.error
            assert episode.paid is not None
            facts = {
                "kind": trajectory.kind,
                "success": trajectory.success,
                "level": trajectory.seed,
                "subtasks": [subtask.name for subtask in program.subtasks],
                "done_at": list(episode.done_at),
            }
            write_episode(
                folder, trajectory.frames, episode.paid, trajectory.rewards, episode.progress, facts
            )
