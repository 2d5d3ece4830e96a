"""Verification of any program, on episodes of any environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scipy.stats import norm

from vlmcar.library.defaults import default
from vlmcar.library.given import Episodes, GivenTask
from vlmcar.library.paying import reward_of
from vlmcar.library.programs import AnyProgram, program_of
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import ConfigError, Task, Verdict
from vlmcar.verification.negative_checks import CONFIDENCE
from vlmcar.verification.verify import SETS, Verification

_OF_A_TASK = ("thresholds", "expert_completes", "early_frames", "random_steps")
"""What ``conf/verification/default.yaml`` takes from the task, where it says so."""


def verify(
    program: AnyProgram,
    expert: Episodes | None = None,
    random: Episodes | None = None,
    *,
    task: Task | None = None,
    reward: Any = "bonus",
    env_reward: float = 0.0,
    sandbox: Sandbox | None = None,
    **overrides: Any,
) -> Verdict:
    """Does the program say of these episodes what it should? Run in its sandbox, with ``conf/verification``'s checks.

    Args:
        program: a ``Program``, what `generate` gave, or a path.
        expert: successful episodes: trajectories, uint8 arrays (steps + 1, height, width, 3) RGB, 0-255, or paths of
            recordings. Half of them, and of ``random``, teach (their failures are in ``feedback``), half decide.
        random: episodes of random play, likewise; 50 or more, or ``[]`` to leave out what they would show. Arrays and
            recordings are taken as failures: a program that finds one of them complete is wrong. Where an episode
            succeeded by chance, it may be complete once you say so: ``Trajectory(frames, actions=np.zeros((steps, 0)),
            rewards=np.zeros(steps), success=True, seed=0, kind="random")``.
        task: a ``Task`` in place of both; what its simulator can act out is then checked as well.
        reward: what the answers are to be paid by, as for `CodeReward`.
        env_reward: weight of the environment's own reward beside it.
        sandbox: how it is run; ``None``: as ``conf/sandbox/default.yaml`` says.
        overrides: of ``conf/verification/default.yaml``, such as ``checks={"random_completes": {"at_most": 0.2}}``, or
            with dots, ``**{"checks.robust.at_least": 0.9}``.

    Returns:
        The verdict: ``accepted``, ``checks`` (one row each), ``feedback``; ``print`` shows it as a table.

    Raises:
        ConfigError: what was given cannot be used, or is too little for what is asked.
        VlmcarError: the sandbox cannot run here. A program that fails is a verdict, not an error.
    """
    if task is None:
        if expert is None or random is None:
            raise ConfigError("give expert= and random= (which may be []), or task=")
        task = GivenTask(expert, random)
    elif expert is not None or random is not None:
        raise ConfigError("give either task=, or expert= and random=")
    verdict: Verdict = verification_for(task, overrides).verify(
        program_of(program),
        task,
        sandbox or default("sandbox", "default"),
        reward_of(reward, env_reward),
        env_reward,
    )
    return verdict


def verification_for(task: Task, overrides: Mapping[str, Any]) -> Verification:
    """``conf/verification/default.yaml`` with this task's thresholds, and these overrides.

    Raises:
        ConfigError: the episodes of random play are too few for any program to pass.
    """
    known = {name: getattr(task, name) for name in _OF_A_TASK if hasattr(task, name)}
    found: Verification = default("verification", "default", {**_all_episodes(task), **overrides}, known)
    _check_randoms(task, found)
    return found


def _all_episodes(task: Task) -> Mapping[str, int]:
    """Where somebody gave a number of episodes, none is left out."""
    if not isinstance(task, GivenTask):
        return {}
    counts = {"experts": task.demonstrations, "randoms": task.random_episodes}
    return {f"{which}_{kind}": max(1, count) for which in SETS for kind, count in counts.items()}


def _check_randoms(task: Task, verification: Verification) -> None:
    check = verification.checks.random_completes
    if not (check.enabled and 0 < check.at_most < 1 and task.random_episodes):
        return
    # Wilson's upper end for none of n is z^2 / (n + z^2).
    needed = math.ceil(norm.ppf(CONFIDENCE) ** 2 * (1 - check.at_most) / check.at_most)
    fewest = min(len(verification.episodes_of(which, task).randoms) for which in SETS)
    if fewest < needed:
        raise ConfigError(
            f"{task.random_episodes} random episodes make a half of {fewest}, and even if none of these completes, the "
            f"95 % Wilson bound is above {check.at_most:g} (checks.random_completes.at_most): give {2 * needed} or "
            f"more, so that {needed} teach and {needed} decide, or a higher "
            'checks={"random_completes": {"at_most": ...}}'
        )
