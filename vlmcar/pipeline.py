"""One run from config to result: generate, verify, train, evaluate, record."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import vlmcar
from vlmcar.config import Components, build, config_hash, method_name, vlm_name
from vlmcar.program.judge import ProgramJudge
from vlmcar.record.console import Console
from vlmcar.record.folder import CHECKPOINT, CONFIG, MANIFEST, POLICY, RESULT, RunFolder
from vlmcar.types import ConfigError, Judge, Trajectory, Verdict, VlmcarError
from vlmcar.verification.store import ProgramStore, StoredProgram

# Levels that no other set of seeds here uses: what is measured on them taught and decided nothing.
_AGREEMENT_SEED, _AGREEMENT_EPISODES = 40_000, 50


def run(cfg: DictConfig) -> None:
    """Everything that one command line asks for.

    Raises:
        ConfigError: before anything has started.
        VlmcarError: the run cannot go on; what it has done is kept.
    """
    built = build(cfg)
    _check_writable(Path(built.results))
    console = Console(f"{built.env.id} {method_name(built)} seed {built.seed}")
    if built.stage == "generate":
        stored = obtain_program(built, console)
        console.say(f"accepted after {stored.attempts} attempt(s): {stored.folder / 'program.py'}")
    elif built.stage == "agreement":
        measure_agreement(built, console)
    else:
        train_and_record(cfg, built, console)


def train_and_record(cfg: DictConfig, built: Components, console: Console) -> None:
    """Train in this run's folder, unless it is complete already."""
    folder = RunFolder(run_path(built))
    hashed = config_hash(cfg, built.method)
    state = folder.claim(hashed, built.overwrite)
    if state == "complete":
        console.say(f"already complete: {folder.path}")
        return
    stored = obtain_program(built, console) if built.method.needs_program else None
    manifest = _write_manifest(cfg, built, folder, hashed, stored, state)
    started = time.perf_counter()
    built.logger.start(folder.path, manifest, _plain(cfg))
    result = None
    try:
        judge = built.method.judge(stored.program if stored else None, built.sandbox)
        try:
            outcome = _train(built, folder, console, judge, state == "resume")
        finally:
            if judge is not None:
                judge.close()
        _log_story(built, stored)
        result = {**manifest, **outcome, "seconds": time.perf_counter() - started}
        folder.write_json(RESULT, result)
    finally:
        console.close()
        built.logger.finish(result)
    console.say(
        f"done: {result['final_success']:.0%} success over {result['final_episodes']} episodes, "
        f"{result['steps_per_second']:,.0f} steps/s, {result['seconds']:.0f} s; {folder.path}"
    )


def obtain_program(built: Components, console: Console) -> StoredProgram:
    """The accepted program of this task, VLM, prompts and verification: stored, or made now.

    Raises:
        VlmcarError: no program was accepted, or the VLM had no answer.
    """
    store = ProgramStore(Path(built.results) / "programs")
    images = built.env.images()
    folder = store.folder(built.env.id, built.vlm.name, _ingredients(built, images))
    stored = store.get(folder)
    if stored is None:
        with store.lock(folder, console.say):
            stored = store.get(folder) or _make_program(built, images, folder, store, console)
    else:
        console.say(f"program {stored.program.hash}, accepted earlier: {folder / 'program.py'}")
    return stored


def _make_program(
    built: Components, images: Any, folder: Path, store: ProgramStore, console: Console
) -> StoredProgram:
    from vlmcar.vlm.conversation import write_png

    def verify(program: Any) -> Verdict:
        started = time.perf_counter()
        verdict: Verdict = built.verification.verify(program, built.env, built.sandbox)
        console.say(f"verified in {time.perf_counter() - started:.1f} s: {_summary(verdict)}")
        return verdict

    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(("initial", "goal"), images, strict=True):
        write_png(folder / f"{name}.png", image)
    made = built.generation.generate(images, built.vlm, verify, folder, console.say)
    if built.generation.record:
        recording = Path("results/recordings") / built.env.id
        shutil.rmtree(recording, ignore_errors=True)
        recording.mkdir(parents=True)
        for part in ("conversation.jsonl", "images"):
            source = folder / part
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, recording / part)
        console.say(f"recorded: {recording}")
    if not made.verdict.accepted:
        (folder / "rejected.py").write_text(made.program.source, encoding="utf-8")
        raise VlmcarError(
            f"{built.env.id}: no program was accepted in {made.attempts} attempts ({_summary(made.verdict)}); "
            f"the conversation is in {folder}; try another vlm=, or more generation.program_attempts"
        )
    replies = made.conversation.replies
    stored = StoredProgram(made.program, made.verdict, made.attempts, len(replies), replies[-1].model, folder)
    store.put(stored)
    return stored


def measure_agreement(built: Components, console: Console) -> None:
    """Compare the accepted program with ground truth on new levels, and write a table of it.

    Raises:
        VlmcarError: nobody has said which ground truth belongs to which sub-task.
    """
    import pandas as pd

    from vlmcar.verification.agreement import agreement

    stored = obtain_program(built, console)
    path = Path("results/recordings", built.env.id, "truth.yaml")
    if not path.is_file():
        raise VlmcarError(
            f"{path} is missing: it names the ground truth of each sub-task, as `sub_task: predicate`"
        )
    predicates = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(predicates, dict)
    with ProgramJudge(stored.program, built.sandbox) as judge:
        names = {str(name): str(predicate) for name, predicate in predicates.items()}
        rows = agreement(judge, stored.program, built.env, _agreement_trajectories(built, console), names)
        table = pd.DataFrame([dataclasses.asdict(row) for row in rows])
    out = Path(built.results, "agreement", f"{built.env.id}.csv")
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False)
    console.say(f"{out}\n{table.to_string(index=False)}")


def _agreement_trajectories(built: Components, console: Console) -> Iterator[Trajectory]:
    """Experts, random play and, if this run's policy is there, its episodes, all on levels of their own."""
    from vlmcar.training.rollout import policy_trajectory

    seeds = range(_AGREEMENT_SEED, _AGREEMENT_SEED + _AGREEMENT_EPISODES)
    for seed in seeds:
        yield built.env.expert(seed)
        yield built.env.random(seed, built.verification.random_steps)
    policy = run_path(built) / POLICY
    if not policy.is_file():
        console.say(f"no trained policy in {policy.parent}: expert and random frames only")
        return
    model = built.algorithm.load(str(policy), None)
    for seed in seeds:
        yield policy_trajectory(built.env, model, seed, built.algorithm.samples_actions)


def _train(built: Components, folder: RunFolder, console: Console, judge: Judge | None, resume: bool) -> dict:
    """Train and evaluate; the numbers of ``result.json``."""
    import numpy as np

    from vlmcar.record.recorder import RunRecorder
    from vlmcar.reward.vector import RewardVecEnv
    from vlmcar.training.evaluate import Evaluator
    from vlmcar.training.train import train

    first = folder.rewind() if resume else 0
    recorder = RunRecorder(folder, built.logger, console)
    # Levels that no other set of seeds here starts from; a resumed run goes on with others.
    seeds = np.random.SeedSequence([built.seed, first]).generate_state(built.algorithm.num_envs).tolist()
    venv = built.env.make_vec(built.algorithm.num_envs, seeds, frames=judge is not None, auto_reset=True)
    rewarded = RewardVecEnv(venv, judge, built.reward, built.method.env_reward)
    evaluator = Evaluator(built.env, built.training.eval_seed, built.algorithm.samples_actions)
    checkpoint = folder.path / CHECKPOINT if resume else None
    console.say(f"training for {built.training.steps:,} steps" + (f", on from {first:,}" if resume else ""))
    console.start(built.training.steps, first)
    try:
        trained = train(
            built.training, built.algorithm, rewarded, evaluator, recorder, built.seed, checkpoint
        )
    finally:
        evaluator.close()
        venv.close()
    trained.model.save(folder.path / POLICY)
    return {
        "final_success": trained.final.success_rate,
        "final_episodes": trained.final.episodes,
        "steps_to_90": folder.first_step_with_success(0.9),
        "train_seconds": trained.train_seconds,
        "steps_per_second": trained.steps_per_second,
        "judged": None if judge is None else _judged(judge),
    }


def _judged(judge: Judge) -> dict[str, Any]:
    """How much the judge was asked, where it counts that."""
    names = ("frames_judged", "frames_remembered", "seconds")
    return {name: getattr(judge, name) for name in names if hasattr(judge, name)}


def run_path(built: Components) -> Path:
    """``<results>/runs/<env>/<method>/<vlm>/<algorithm>/seed_<n>``."""
    parts = (built.env.id, method_name(built), vlm_name(built), built.algorithm.name, f"seed_{built.seed}")
    return Path(built.results, "runs", *parts)


def _write_manifest(
    cfg: DictConfig,
    built: Components,
    folder: RunFolder,
    hashed: str,
    stored: StoredProgram | None,
    state: str,
) -> dict[str, Any]:
    from vlmcar.record.manifest import provenance

    before = folder.read_json(MANIFEST) or {}
    resumed = list(before.get("resumed_at", []))
    if state == "resume":
        resumed.append((folder.read_json("checkpoint.json") or {}).get("steps"))
    manifest = {
        "env": built.env.id,
        "method": built.method.name,
        "label": built.label,
        "vlm": vlm_name(built),
        "vlm_model": stored.vlm_model if stored else None,
        "judge": "programs" if stored else "none",
        "algorithm": built.algorithm.name,
        "seed": built.seed,
        "steps": built.training.steps,
        "config_hash": hashed,
        "sandbox": built.sandbox.level if stored else None,
        "program_hash": stored.program.hash if stored else None,
        "program_attempts": stored.attempts if stored else None,
        "vlm_calls": stored.vlm_calls if stored else 0,
        "resumed_at": resumed,
        "wandb_id": before.get("wandb_id") or f"{hashed}-{int(time.time())}",
        "command": "python run.py " + " ".join(sys.argv[1:]),
        **provenance(),
    }
    folder.write_json(MANIFEST, manifest)
    (folder.path / CONFIG).write_text(OmegaConf.to_yaml(cfg, resolve=True), encoding="utf-8")
    if stored:
        ProgramStore.copy(stored, folder.path)
    return manifest


def _log_story(built: Components, stored: StoredProgram | None) -> None:
    """The program, its verdict and what it was made from, for the logger."""
    initial, goal = built.env.images()
    built.logger.images({"task/initial": initial, "task/goal": goal})
    if stored:
        built.logger.text("program/source", stored.program.source)
        built.logger.text("program/verdict", (stored.folder / "verdict.json").read_text(encoding="utf-8"))


def _ingredients(built: Components, images: Any) -> dict[str, Any]:
    """Everything that can change which program comes out."""
    from vlmcar.generation.prompts import Prompts
    from vlmcar.vlm.conversation import image_digest

    generation = dataclasses.asdict(built.generation)
    del generation["record"]
    return {
        "vlmcar": vlmcar.__version__,
        "task": built.env.id,
        "images": [image_digest(image) for image in images],
        "vlm": dict(built.vlm.identity()),
        "prompts": Prompts(built.generation.prompts).digest(),
        "generation": generation,
        "verification": dataclasses.asdict(built.verification),
    }


def _summary(verdict: Verdict) -> str:
    whole = [check for check in verdict.checks if check.subtask is None]
    measured = ", ".join(
        f"{c.trajectories} {c.name} {c.measured:.0%}" for c in whole if "completes" in c.name
    )
    failed = sorted({check.name for check in verdict.checks if not check.passed})
    return f"{'accepted' if verdict.accepted else 'rejected for ' + ', '.join(failed)} ({measured})"


def _plain(cfg: DictConfig) -> dict[str, Any]:
    content = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _check_writable(results: Path) -> None:
    probe = results / ".writable"
    try:
        results.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"results={results} cannot be written: {error.strerror}") from None
