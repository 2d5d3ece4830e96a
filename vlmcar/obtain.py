"""The accepted program of a task: from the store, or generated and verified now."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

import vlmcar
from vlmcar.config import Components
from vlmcar.generation.prompts import Prompts
from vlmcar.record.console import Console
from vlmcar.types import Frame, Program, Verdict, VlmcarError
from vlmcar.verification.store import ProgramStore, StoredProgram
from vlmcar.vlm.conversation import FILE, IMAGES, image_digest, write_png

RECORDINGS = Path("results/recordings")
"""What ``vlm=offline`` replays; kept with the repository, whatever ``results=`` says."""


def obtain_program(built: Components, console: Console) -> StoredProgram:
    """The accepted program of this task, VLM, prompts and verification: stored, or made now.

    Raises:
        VlmcarError: no program was accepted, or the VLM had no answer.
    """
    store = ProgramStore(Path(built.results) / "programs")
    images = built.env.images()
    folder = store.folder(built.env.id, built.vlm.name, _ingredients(built, images))
    stored = store.get(folder)
    if stored is not None:
        console.say(f"program {stored.program.hash}, accepted earlier: {folder / 'program.py'}")
    else:
        with store.lock(folder, console.say) as waited:
            stored = store.get(folder)
            if stored is None and waited and _rejection(folder).is_file():
                raise VlmcarError(_rejection(folder).read_text(encoding="utf-8"))
            if stored is None:
                stored = _make_program(built, images, folder, store, console)
    if built.generation.record:
        console.say(f"recorded: {_record(stored, built.env.id)}")
    return stored


def _make_program(
    built: Components, images: tuple[Frame, Frame], folder: Path, store: ProgramStore, console: Console
) -> StoredProgram:
    def verify(program: Program) -> Verdict:
        started = time.perf_counter()
        verdict: Verdict = built.verification.verify(program, built.env, built.sandbox)
        console.say(f"verified in {time.perf_counter() - started:.1f} s: {_summary(verdict)}")
        return verdict

    folder.mkdir(parents=True, exist_ok=True)
    _rejection(folder).unlink(missing_ok=True)
    for name, image in zip(("initial", "goal"), images, strict=True):
        write_png(folder / f"{name}.png", image)
    made = built.generation.generate(images, built.env.frames(), built.vlm, verify, folder, console.say)
    if not made.verdict.accepted:
        (folder / "rejected.py").write_text(made.program.source, encoding="utf-8")
        message = (
            f"{built.env.id}: no program was accepted in {made.attempts} attempts ({_summary(made.verdict)}); "
            f"the conversation is in {folder}; try another vlm=, or more generation.program_attempts"
        )
        _rejection(folder).write_text(message, encoding="utf-8")
        raise VlmcarError(message)
    replies = made.conversation.replies
    stored = StoredProgram(made.program, made.verdict, made.attempts, len(replies), replies[-1].model, folder)
    store.put(stored)
    return stored


def _rejection(folder: Path) -> Path:
    """Says why no program came out; runs that waited for it fail with the same words instead of asking again."""
    return folder / "rejected.txt"


def _record(stored: StoredProgram, task: str) -> Path:
    """Keep the whole conversation where ``vlm=offline`` finds it."""
    recording = RECORDINGS / task
    shutil.rmtree(recording / IMAGES, ignore_errors=True)
    shutil.copytree(stored.folder / IMAGES, recording / IMAGES)
    shutil.copyfile(stored.folder / FILE, recording / FILE)
    return recording


def _ingredients(built: Components, images: tuple[Frame, Frame]) -> dict[str, Any]:
    """Everything that can change which program comes out."""
    generation = dataclasses.asdict(built.generation)
    del generation["record"]
    return {
        "vlmcar": vlmcar.__version__,
        "task": built.env.id,
        "setting": dict(built.env.setting()),
        "images": [image_digest(image) for image in images],
        "vlm": dict(built.vlm.identity(images)),
        "prompts": Prompts(built.generation.prompts).digest(),
        "generation": generation,
        "sandbox": dataclasses.asdict(built.sandbox),
        "verification": dataclasses.asdict(built.verification),
    }


def _summary(verdict: Verdict) -> str:
    whole = [check for check in verdict.checks if check.name in ("expert_completes", "random_completes")]
    measured = ", ".join(f"{check.trajectories} completes {check.measured:.0%}" for check in whole)
    failed = sorted({check.name for check in verdict.checks if not check.passed})
    return f"{'accepted' if verdict.accepted else 'rejected for ' + ', '.join(failed)} ({measured})"
