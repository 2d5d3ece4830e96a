"""One run from config to result: generate, verify, train, evaluate, record."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vlmcar.config import Components, build, config_hash, method_name, relevant_settings, run_path
from vlmcar.describe import judged_what, manifest_of
from vlmcar.generation.budget import GenerationFailed
from vlmcar.learn import learn, learned_before
from vlmcar.measure import measure_agreement
from vlmcar.obtain import StoredSubTasks, obtain_program, obtain_subtasks, say_spent, verify_again
from vlmcar.outside import explained_errors
from vlmcar.policy_audit import PICTURE, audit_policy, draw
from vlmcar.program.errors import ProgramError, ProgramImpure
from vlmcar.record.console import Console
from vlmcar.record.folder import CONFIG, LEDGER, MANIFEST, RESULT, RunFolder
from vlmcar.record.status import status_text
from vlmcar.refine import NotToBlame, Refinements, refine
from vlmcar.showcase import keep_episodes
from vlmcar.types import Check, ConfigError, Program, Refused, VlmcarError
from vlmcar.verification.exploited import Findings
from vlmcar.verification.store import ProgramStore, StoredProgram
from vlmcar.vlm.ledger import Ledger

_LEARNED = 0.5
"""Success rate below which a run's last line says where to read on."""


@explained_errors()
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
    if built.stage == "status":
        print(status_text(Path(built.results)))
        return
    if hasattr(built.env, "check"):
        built.env.check()
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
        built.training.check_device()
        folder = RunFolder(run_path(built))
        if folder.state(config_hash(relevant_settings(cfg, built))) in ("new", "other"):
            _check_actions(built)
        with folder.lock():
            train_and_record(cfg, built, folder, console)


def train_and_record(cfg: DictConfig, built: Components, folder: RunFolder, console: Console) -> None:
    """Train in this run's folder, unless it is complete already; audit the policy; refine what it exploited."""
    settings = relevant_settings(cfg, built)
    Refinements(folder, Path(built.results)).put_aside()
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
    first = _first_step(state, folder, stored, console)
    (folder.path / CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True), encoding="utf-8")
    while True:
        manifest = manifest_of(built, folder, settings, stored, first, len(refinements))
        result, findings = _learn_and_audit(cfg, built, folder, console, stored, manifest, first)
        refined = _refined(built, stored, findings, result, refinements, console)
        if refined is None:
            break
        console.say(f"program {refined.program.hash} replaces the exploited one: training begins again")
        refinements.add(result, refined)
        stored, first = refined, 0
    result["exploited_before"] = refinements.rounds
    folder.write_json(RESULT, result)
    console.say(
        f"done: {result['final_success']:.0%} success over {result['final_episodes']} episodes"
        f"{_of_training(result['final_train_success'])}, "
        f"{result['steps_per_second']:,.0f} steps/s, {result['seconds']:.0f} s; {folder.path}"
        f"{_stuck(folder, _program(stored), result)}"
    )


def _first_step(
    state: str, folder: RunFolder, stored: StoredProgram | StoredSubTasks | None, console: Console
) -> int | None:
    """Where a killed run goes on: 0, a checkpoint's step, or ``None`` if its training is over.

    What was trained on another reward is not gone on with.
    """
    if state == "new":
        return 0
    before = folder.read_json(MANIFEST) or {}
    if any(key in before and before[key] != value for key, value in judged_what(stored).items()):
        console.say("the checkpoint was trained on other sub-tasks or another program: starting again")
        folder.clear(same_run=True)
        return 0
    if state == "trained":
        return None
    steps = folder.checkpoint_steps()
    assert steps is not None
    folder.rewind()
    return steps


def _learn_and_audit(
    cfg: DictConfig,
    built: Components,
    folder: RunFolder,
    console: Console,
    stored: StoredProgram | StoredSubTasks | None,
    manifest: dict[str, Any],
    first: int | None,
) -> tuple[dict[str, Any], Findings | None]:
    """One training, unless it is over, and its audit: the content of ``result.json``, and what was found."""
    folder.write_json(MANIFEST, manifest)
    if isinstance(stored, StoredProgram):
        ProgramStore.copy(stored, folder.path)
    built.logger.start(folder.path, manifest, OmegaConf.to_container(cfg, resolve=True))
    result = None
    try:
        _log_story(built, stored)
        spent = Ledger(folder.read_json(LEDGER))
        try:
            if first is None:
                numbers, model = learned_before(built, folder, console)
            else:
                numbers, model = learn(built, folder, console, stored, first, spent)
        except ProgramError as error:
            assert isinstance(stored, StoredProgram)
            _mark(folder, manifest, stored, built.logger, error)
            raise
        findings = None
        try:
            findings = _audit(built, folder, console, stored, model, manifest)
            keep_episodes(built, _program(stored), model, folder.path)
        except ProgramError as error:  # the policy is trained, and what it was trained on is in doubt
            manifest["program_error"] = f"after training: {error}"
            _mark(folder, manifest, stored, built.logger, error)
            console.say(f"the program failed on the trained policy's episodes: {error}")
        result = {**manifest, **numbers, "audit": findings.entries() if findings else None}
        result["vlm_ledger"] = _whole_ledger(stored, spent)
        result["vlm_calls"] += sum(spent.usage("decisions", how).calls for how in ("asked", "projected"))
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
    console.say("audit: the policy plays some more episodes, judged anew")
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
    """The next program, where this one was exploited and refining is asked for.

    That none could be made is part of the result. That nobody answered is not: the same command asks again.
    """
    if not (built.audit.refine and findings and findings.exploited):
        return None
    if len(refinements) >= built.audit.refinements:
        console.say(f"exploited again: audit.refinements={built.audit.refinements} is spent")
        return None
    assert isinstance(stored, StoredProgram)
    spent = Ledger()
    try:
        return refine(built, stored, findings, console, spent)
    except (GenerationFailed, NotToBlame, Refused) as error:
        result["refine_failed"] = str(error)
        result["vlm_ledger"] = Ledger(result["vlm_ledger"]).merged(spent).entries()
        result["vlm_calls"] += sum(spent.usage("program", how).calls for how in ("asked", "cached"))
        console.say(f"the program could not be refined: {error}")
        return None
    except VlmcarError as error:
        raise VlmcarError(
            f"{error} (the trained policy is kept: the same command goes on with refining)"
        ) from error


def _program(stored: StoredProgram | StoredSubTasks | None) -> Program | None:
    return stored.program if isinstance(stored, StoredProgram) else None


def _mark(
    folder: RunFolder,
    manifest: Mapping[str, Any],
    stored: StoredProgram | StoredSubTasks | None,
    logger: Any,
    error: ProgramError,
) -> None:
    """Say in the run's folder what its program did; one that is not pure shall train nobody else, either."""
    folder.write_json(MANIFEST, {**manifest, "program_error": manifest["program_error"] or str(error)})
    logger.text("program/error", str(error))
    if isinstance(error, ProgramImpure) and isinstance(stored, StoredProgram):
        same = 1 - error.different / error.replayed
        check = Check("replay_audit", None, "training", error.replayed, same, ">= 1", False)
        ProgramStore.reject(stored, check)


def _of_training(success: float | None) -> str:
    return "" if success is None else f" on unseen levels, {success:.0%} on training levels"


def _stuck(folder: RunFolder, program: Program | None, result: Mapping[str, Any]) -> str:
    """How far a policy gets that a program paid and that seldom succeeds, and where to read on."""
    on_training_levels = result["final_train_success"]
    success = result["final_success"] if on_training_levels is None else on_training_levels
    if program is None or success >= _LEARNED:
        return ""
    subtasks = folder.subtasks_done(len(program.subtasks))
    reached = f"the agent gets to {subtasks} sub-tasks: " if subtasks else ""
    return f'; {reached}docs/guides/own_environment.md, "It does not learn"'


def _obtain(built: Components, console: Console) -> StoredProgram | StoredSubTasks | None:
    """What the method needs from the VLM before training."""
    if built.method.needs == "nothing":
        return None
    return (obtain_program if built.method.needs == "program" else obtain_subtasks)(built, console)


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


def _check_actions(built: Components) -> None:
    """Before a program is made and anything is written or removed: only an environment knows its actions."""
    venv = built.env.make_vec(1, [built.training.eval_seed], frames=False, auto_reset=False)
    space = venv.action_space
    venv.close()
    built.algorithm.check_actions(space)


def _check_writable(results: Path) -> None:
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"results={str(results)!r} cannot be written ({reason}): give a folder that can, as results=<folder>"
        ) from None
