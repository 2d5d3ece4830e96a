"""One run from config to result: generate, verify, train, evaluate, record."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vlmcar.config import Components, build, config_hash, method_name, relevant_settings, run_path
from vlmcar.describe import judged_what, manifest_of
from vlmcar.measure import measure_agreement, read_truths
from vlmcar.obtain import StoredSubTasks, obtain_program, obtain_subtasks, say_spent, verify_again
from vlmcar.policy_audit import PICTURE, audit_policy, draw
from vlmcar.program.errors import ProgramError, ProgramImpure
from vlmcar.record.console import Console
from vlmcar.record.folder import ANSWERS, CHECKPOINT, CONFIG, LEDGER, MANIFEST, POLICY, RESULT, RunFolder
from vlmcar.refine import Refinements, refine
from vlmcar.showcase import keep_episodes
from vlmcar.training.evaluate import Evaluations
from vlmcar.types import Check, ConfigError, Judge, Material, TruthJudge, VlmcarError
from vlmcar.verification.exploited import Findings
from vlmcar.verification.store import ProgramStore, StoredProgram
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger


def run(cfg: DictConfig, bar: bool | None = None) -> None:
    """Everything that one command line asks for.

    Args:
        cfg: the composed config.
        bar: show a progress bar; ``None``: if this is a terminal.

    Raises:
        ConfigError: before anything has started.
        VlmcarError: the run cannot go on; what it has done is kept.
    """
    built = build(cfg)
    _check_writable(Path(built.results))
    console = Console(f"{built.env.id} {method_name(built)} seed {built.seed}", bar)
    if built.stage == "generate":
        stored = obtain_program(built, console)
        console.say(f"accepted after {stored.attempts} attempt(s): {stored.folder / 'program.py'}")
    elif built.stage == "verify":
        verify_again(built, console)
    elif built.stage == "agreement":
        measure_agreement(built, console)
    else:
        folder = RunFolder(run_path(built))
        with folder.lock():
            train_and_record(cfg, built, folder, console)


def train_and_record(cfg: DictConfig, built: Components, folder: RunFolder, console: Console) -> None:
    """Train in this run's folder, unless it is complete already."""
    settings = relevant_settings(cfg, built)
    state = folder.claim(config_hash(settings), settings, built.overwrite)
    if state == "complete":
        console.say(f"already complete: {folder.path}")
        return
    stored = _obtain(built, console)
    refinements = Refinements(folder, Path(built.results))
    if isinstance(stored, StoredProgram):
        stored = refinements.program(stored)
    if stored:
        # Refuses weights that do not fit, before the run leaves a file.
        built.reward.start(1, len(stored.subtasks))
    first = _first_step(folder, stored, console) if state == "resume" else 0
    (folder.path / CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True), encoding="utf-8")
    while True:
        manifest = manifest_of(built, folder, settings, stored, first, len(refinements))
        result, findings = _train_once(cfg, built, folder, console, stored, manifest, first)
        refined = _refined(built, stored, findings, result, refinements, console)
        if refined is None:
            break
        console.say(
            f"program {refined.program.hash} takes the place of the exploited one: training begins again"
        )
        refinements.add(result, refined)
        stored, first = refined, 0
    result["exploited_before"] = refinements.rounds
    folder.write_json(RESULT, result)
    console.say(
        f"done: {result['final_success']:.0%} success over {result['final_episodes']} episodes"
        f"{_of_training(result['final_train_success'])}, "
        f"{result['steps_per_second']:,.0f} steps/s, {result['seconds']:.0f} s; {folder.path}"
    )


def _train_once(
    cfg: DictConfig,
    built: Components,
    folder: RunFolder,
    console: Console,
    stored: StoredProgram | StoredSubTasks | None,
    manifest: dict[str, Any],
    first: int,
) -> tuple[dict[str, Any], Findings | None]:
    """One training from ``first`` to its end, and its audit: the content of ``result.json``, and what was found."""
    folder.write_json(MANIFEST, manifest)
    if isinstance(stored, StoredProgram):
        ProgramStore.copy(stored, folder.path)
    built.logger.start(folder.path, manifest, OmegaConf.to_container(cfg, resolve=True))
    result = None
    try:
        _log_story(built, stored)
        spent = Ledger(folder.read_json(LEDGER))
        judge = built.method.judge(_material(built, stored, spent))
        queries = getattr(judge, "queries", None)  # of a judge that is asked frame by frame
        if first and queries:
            queries.load(folder.path / ANSWERS)
        try:
            trained, model = _train(built, folder, console, judge, first, spent.entries)
            findings = _audit(built, folder, console, stored, model, manifest)
            program = stored.program if isinstance(stored, StoredProgram) else None
            keep_episodes(built, program, model, folder.path)
            result = {**manifest, **trained, "audit": findings.entries() if findings else None}
            result["vlm_ledger"] = _whole_ledger(stored, spent)
            result["vlm_calls"] += sum(spent.usage("decisions", how).calls for how in ("asked", "projected"))
        except ProgramError as error:
            assert isinstance(stored, StoredProgram)
            _mark(folder, manifest, stored, built.logger, error)
            raise
        finally:
            if judge is not None:
                judge.close()
    finally:
        console.close()
        built.logger.finish(result)
    say_spent(spent, "decisions", console)
    return result, findings


def _audit(
    built: Components,
    folder: RunFolder,
    console: Console,
    stored: StoredProgram | StoredSubTasks | None,
    model: Any,
    manifest: Mapping[str, Any],
) -> Findings | None:
    """Is the trained policy paid for success? Asked where a program paid."""
    if not isinstance(stored, StoredProgram):
        return None
    console.say(f"audit: the policy plays {built.audit.episodes} episodes, judged anew")
    findings = audit_policy(built, stored.program, model, manifest["refinements"])
    console.say(findings.sentence())
    built.logger.text("audit/findings", findings.sentence())
    footer = (
        f"Program {stored.program.hash} by {stored.vlm_model}; judged by this program in its sandbox, success is the "
        f"environment's own. One seed. Made by: {manifest['command']}"
    )
    title = f"{built.env.id}, {method_name(built)}, seed {built.seed}"
    pictured = draw(findings, folder.path / PICTURE, title, footer)
    if pictured is not None:
        built.logger.images({"audit/episodes": pictured})
    return findings


def _refined(
    built: Components,
    stored: StoredProgram | StoredSubTasks | None,
    findings: Findings | None,
    result: dict[str, Any],
    refinements: Refinements,
    console: Console,
) -> StoredProgram | None:
    """The next program, where this one was exploited and refining is asked for; a failure of that ends no run."""
    if not (built.audit.refine and findings and findings.exploited):
        return None
    if len(refinements) >= built.audit.refinements:
        console.say(f"exploited again: audit.refinements={built.audit.refinements} is spent")
        return None
    assert isinstance(stored, StoredProgram)
    try:
        return refine(built, stored, findings, console)
    except VlmcarError as error:
        result["refine_failed"] = str(error)
        console.say(f"the program could not be refined: {error}")
        return None


def _mark(
    folder: RunFolder, manifest: Mapping[str, Any], stored: StoredProgram, logger: Any, error: ProgramError
) -> None:
    """Say in the run's folder what its program did; one that is not pure shall train nobody else, either."""
    folder.write_json(MANIFEST, {**manifest, "program_error": str(error)})
    logger.text("program/error", str(error))
    if isinstance(error, ProgramImpure):
        same = 1 - error.different / error.replayed
        check = Check("replay_audit", None, "training", error.replayed, same, ">= 1", False)
        ProgramStore.reject(stored, check)


def _of_training(success: float | None) -> str:
    return "" if success is None else f" on unseen levels, {success:.0%} on training levels"


def _first_step(folder: RunFolder, stored: StoredProgram | StoredSubTasks | None, console: Console) -> int:
    """Where a killed run goes on; at 0 if its checkpoint was trained on another reward."""
    before = folder.read_json(MANIFEST) or {}
    if any(key in before and before[key] != value for key, value in judged_what(stored).items()):
        console.say("the checkpoint was trained on other sub-tasks or another program: starting again")
        folder.clear(same_run=True)
        return 0
    steps = folder.checkpoint_steps()
    assert steps is not None
    folder.rewind(steps)
    return steps


def _train(
    built: Components,
    folder: RunFolder,
    console: Console,
    judge: Judge | TruthJudge | None,
    first: int,
    spent: Callable[[], dict[str, Any]],
) -> tuple[dict[str, Any], Any]:
    """Train and evaluate: numbers of ``result.json``, and the policy."""
    import numpy as np

    from vlmcar.program.audit import AuditedJudge
    from vlmcar.record.recorder import RunRecorder
    from vlmcar.reward.vector import RewardVecEnv
    from vlmcar.training.evaluate import Evaluator
    from vlmcar.training.train import train

    started = time.perf_counter()
    # Levels that no other set of seeds here starts from; a resumed run goes on with others.
    seeds = np.random.SeedSequence([built.seed, first]).generate_state(built.algorithm.num_envs).tolist()
    knows = {"truth": True} if isinstance(judge, TruthJudge) else {}
    venv = built.env.make_vec(
        built.algorithm.num_envs, seeds, frames=judge is not None, auto_reset=True, **knows
    )
    rewarded = RewardVecEnv(venv, judge, built.reward, built.method.env_reward, built.method.ask_every)
    evaluator = Evaluator(built.env, built.training.eval_seed, built.algorithm.samples_actions)
    queries = getattr(judge, "queries", None)
    recorder = RunRecorder(folder, built.logger, console, spent, queries.save if queries else None)
    checkpoint = folder.path / CHECKPOINT if first else None
    console.say(f"training for {built.training.steps:,} steps" + (f", on from {first:,}" if first else ""))
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
    trained.model.save(folder.path / POLICY)
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
    return numbers, trained.model


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
    names = (
        *(
            "frames_judged",
            "frames_remembered",
            "frames_audited",
            "frames_unasked",
            "answers_unclear",
            "seconds",
        ),
    )
    return {name: getattr(counters, name) for name in names if hasattr(counters, name)}


def _obtain(built: Components, console: Console) -> StoredProgram | StoredSubTasks | None:
    """What the method needs from the VLM before training."""
    if built.method.needs == "nothing":
        return None
    return (obtain_program if built.method.needs == "program" else obtain_subtasks)(built, console)


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


def _whole_ledger(stored: StoredProgram | StoredSubTasks | None, spent: Ledger) -> dict[str, Any]:
    """What this run's judge took, and what its program or sub-tasks did, which all seeds share."""
    return Ledger(stored.ledger if stored else None).merged(spent).entries()


def _log_story(built: Components, stored: StoredProgram | StoredSubTasks | None) -> None:
    """The program, its verdict and what it was made from, for the logger."""
    initial, goal = built.env.images()
    built.logger.images({"task/initial": initial, "task/goal": goal})
    if isinstance(stored, StoredProgram):
        built.logger.text("program/source", stored.program.source)
        built.logger.text("program/verdict", (stored.folder / "verdict.json").read_text(encoding="utf-8"))


def _check_writable(results: Path) -> None:
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise ConfigError(f"results={results} cannot be written: {error.strerror}") from None
