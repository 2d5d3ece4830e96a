"""One training: from the judge to the policy and its numbers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from vlmcar.config import Components
from vlmcar.measure import read_truths
from vlmcar.obtain import StoredSubTasks
from vlmcar.record.console import Console
from vlmcar.record.folder import ANSWERS, CHECKPOINT, MANIFEST, POLICY, TRAINED, RunFolder
from vlmcar.training.evaluate import Evaluations
from vlmcar.types import Judge, Material, TruthJudge
from vlmcar.verification.store import StoredProgram
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger


def learn(
    built: Components,
    folder: RunFolder,
    console: Console,
    stored: StoredProgram | StoredSubTasks | None,
    first: int,
    spent: Ledger,
) -> tuple[dict[str, Any], Any]:
    """Train and evaluate: numbers of ``result.json``, and the policy; both are kept in the folder.

    Args:
        built: the run's components.
        folder: the run's.
        console: shows how far it is.
        stored: what the method's judge is made of.
        first: step to go on from, with the folder's checkpoint; 0: from the start.
        spent: what this run has asked of a VLM before, and what it asks now.

    Raises:
        ProgramError: the program had no answer.
    """
    judge = built.method.judge(_material(built, stored, spent))
    queries = getattr(judge, "queries", None)  # of a judge that is asked frame by frame
    if first and queries:
        queries.load(folder.path / ANSWERS)
    try:
        return _train(built, folder, console, judge, first, spent)
    finally:
        if judge is not None:
            judge.close()


def learned_before(built: Components, folder: RunFolder, console: Console) -> tuple[dict[str, Any], Any]:
    """The same of a run that ended after its training, and before its result."""
    console.say("the training is over: going on with its policy")
    numbers = folder.read_json(TRAINED)
    assert numbers is not None
    return numbers, built.algorithm.load(str(folder.path / POLICY), None, built.training.device)


def _train(
    built: Components,
    folder: RunFolder,
    console: Console,
    judge: Judge | TruthJudge | None,
    first: int,
    spent: Ledger,
) -> tuple[dict[str, Any], Any]:
    import numpy as np

    from vlmcar.program.audit import AuditedJudge
    from vlmcar.record.recorder import RunRecorder
    from vlmcar.reward.vector import RewardVecEnv
    from vlmcar.training.evaluate import Evaluator
    from vlmcar.training.train import train

    started = time.perf_counter()
    # Levels that no other set of seeds here starts from; a run that goes on with new episodes plays others.
    seeds = np.random.SeedSequence([built.seed, first]).generate_state(built.algorithm.num_envs).tolist()
    knows = {"truth": True} if isinstance(judge, TruthJudge) else {}
    venv = built.env.make_vec(
        built.algorithm.num_envs, seeds, frames=judge is not None, auto_reset=True, **knows
    )
    rewarded = RewardVecEnv(venv, judge, built.reward, built.method.env_reward, built.method.ask_every)
    evaluator = Evaluator(built.env, built.training.eval_seed, built.algorithm.samples_actions)
    queries = getattr(judge, "queries", None)
    recorder = RunRecorder(
        *(folder, built.logger, console, spent.entries, queries.save if queries else None),
        num_subtasks=judge.num_subtasks if judge else 0,
    )
    checkpoint = folder.path / CHECKPOINT if first else None
    console.say(f"training for {built.training.steps:,} steps{_from(first, folder)}")
    console.start(built.training.steps, first)
    try:
        trained = train(
            built.training, built.algorithm, rewarded, evaluator, recorder, built.seed, checkpoint
        )
        if isinstance(judge, AuditedJudge):
            judge.audit()
    finally:
        recorder.keep_spent()
        evaluator.close()
        venv.close()
    folder.save(POLICY, trained.model)
    numbers = {
        "final_success": trained.final.unseen.success_rate,
        "final_episodes": trained.final.unseen.episodes,
        "steps_to_90": folder.first_step_with_success(0.9, "success_rate"),
        **_on_training_levels(trained.final, folder),
        "train_seconds": trained.train_seconds,
        "steps_per_second": trained.steps_per_second,
        "seconds": time.perf_counter() - started,
        "judged": None if judge is None else _judged(judge),
    }
    folder.write_json(TRAINED, numbers)  # last: its presence means that the training is over
    return numbers, trained.model


def _from(first: int, folder: RunFolder) -> str:
    if not first:
        return ""
    session = (folder.read_json(MANIFEST) or {})["sessions"][-1]
    return f", on from {first:,}, {session['continues']}"


def _on_training_levels(final: Evaluations, folder: RunFolder) -> dict[str, Any]:
    """The same two numbers on the levels that training draws from, where these are a limited set."""
    if final.training is None:
        return {"final_train_success": None, "train_steps_to_90": None}
    return {
        "final_train_success": final.training.success_rate,
        "train_steps_to_90": folder.first_step_with_success(0.9, "train_success_rate"),
    }


def _judged(judge: Judge | TruthJudge) -> dict[str, Any]:
    """How much the judge was asked in this session, where it counts that."""
    counters = getattr(judge, "queries", judge)
    names = [
        "frames_judged",
        "frames_remembered",
        "frames_audited",
        "frames_unasked",
        "answers_unclear",
        "seconds",
    ]
    return {name: getattr(counters, name) for name in names if hasattr(counters, name)}


def _material(built: Components, stored: StoredProgram | StoredSubTasks | None, spent: Ledger) -> Material:
    vlm = CountedVLM(built.vlm, Path(built.results), spent)
    return Material(
        vlm=vlm,
        sandbox=built.sandbox,
        prompts=built.generation.prompts,
        subtasks=stored.subtasks if stored else (),
        program=stored.program if isinstance(stored, StoredProgram) else None,
        truths=read_truths(built.env.id) if built.method.judged_by(built.vlm).rates else {},
        ledger=spent,
    )
