"""``stage=agreement``: an accepted program against ground truth, on levels that taught and decided nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from omegaconf import OmegaConf
from tqdm import tqdm

from vlmcar.config import Components, run_path
from vlmcar.installation import recordings
from vlmcar.obtain import obtain_program
from vlmcar.program.judge import ProgramJudge
from vlmcar.record.console import Console
from vlmcar.record.folder import POLICY
from vlmcar.types import Trajectory, VlmcarError

_FIRST_SEED = 40_000


def measure_agreement(built: Components, console: Console) -> None:
    """Compare the accepted program with ground truth, and write a table of it.

    Raises:
        VlmcarError: nobody has said which ground truth belongs to which sub-task.
    """
    import pandas as pd

    from vlmcar.verification.agreement import agreement

    stored = obtain_program(built, console)
    names = read_truths(built.env.id)
    with ProgramJudge(stored.program, built.sandbox) as judge:
        rows = agreement(judge, stored.program, built.env, _trajectories(built, console), names)
        table = pd.DataFrame([dataclasses.asdict(row) for row in rows])
    out = Path(built.results, "agreement", f"{built.env.id}.csv")
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False)
    console.say(f"{out}\n{table.to_string(index=False)}")


def read_truths(task: str) -> dict[str, str]:
    """Sub-task -> ground-truth expression, as someone has written it down after the program was accepted.

    Raises:
        VlmcarError: nobody has.
    """
    paths = [folder / task / "truth.yaml" for folder in recordings()]
    path = next((path for path in reversed(paths) if path.is_file()), None)
    if path is None:
        raise VlmcarError(
            f"results/recordings/{task}/truth.yaml is missing: it names the ground truth of each sub-task, as "
            "`sub_task: predicate`"
        )
    truths = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(truths, dict):
        raise VlmcarError(f"{path} must hold lines of the form `sub_task: predicate`")
    return {str(name): str(expression) for name, expression in truths.items()}


def _trajectories(built: Components, console: Console) -> Iterator[Trajectory]:
    """Experts, random play and, if this run's policy is there, its episodes."""
    from vlmcar.training.rollout import policy_trajectories

    seeds = range(_FIRST_SEED, _FIRST_SEED + built.levels)
    for seed in tqdm(seeds, "levels, expert and random", disable=None):  # None: a bar on terminals only
        yield built.env.expert(seed)
        yield built.env.random(seed, built.verification.random_steps)
    policy = run_path(built) / POLICY
    if not policy.is_file():
        console.say(f"no trained policy in {policy.parent}: expert and random frames only")
        return
    model = built.algorithm.load(str(policy), None)
    played = policy_trajectories(built.env, model, seeds, built.algorithm.samples_actions)
    yield from tqdm(played, "levels, trained policy", total=len(seeds), disable=None)
