"""What the VLM gives before training: the accepted program of a task, or its list of sub-tasks; stored, or made now."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from filelock import FileLock

import vlmcar
from vlmcar.generation.budget import GenerationFailed
from vlmcar.generation.prompts import Prompts
from vlmcar.record.console import Console
from vlmcar.types import VLM, Frame, Program, SubTask, Task, Verdict, VlmcarError
from vlmcar.verification.rank import rank
from vlmcar.verification.store import ProgramStore, StoredProgram
from vlmcar.vlm.conversation import FILE, IMAGES, image_digest, write_png
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger, spent_text

T = TypeVar("T")

SUBTASKS = "subtasks.json"


@dataclass(frozen=True)
class StoredSubTasks:
    """The sub-tasks that the VLM found, for methods without a program."""

    subtasks: tuple[SubTask, ...]
    vlm_calls: int
    vlm_model: str
    ledger: Mapping[str, Any]
    folder: Path


class PaidBy(Protocol):
    """What of a method decides which program will do."""

    @property
    def env_reward(self) -> float:
        """Weight of the environment's own reward."""


class Wanted(Protocol):
    """What decides which program comes out: a run's ``Components``, or what the library was asked for."""

    @property
    def env(self) -> Task: ...
    @property
    def vlm(self) -> VLM: ...
    @property
    def generation(self) -> Any: ...
    @property
    def sandbox(self) -> Any: ...
    @property
    def verification(self) -> Any: ...
    @property
    def reward(self) -> Any: ...
    @property
    def method(self) -> PaidBy: ...
    @property
    def results(self) -> str: ...
    @property
    def overwrite(self) -> bool: ...


def obtain_program(built: Wanted, console: Console) -> StoredProgram:
    """The accepted program of this task, VLM, prompts and verification: stored, or made now.

    Raises:
        VlmcarError: no program was accepted, or the VLM had no answer.
    """
    store = ProgramStore(Path(built.results) / "programs")
    images = built.env.images()
    folder = store.folder(built.env.id, built.vlm.name, ingredients(built, images))
    stored = store.get(folder)
    if stored is not None:
        refuse_rejected(stored)
        console.say(f"program {stored.program.hash}, accepted earlier: {folder / 'program.py'}")
    else:

        def make(waited: bool) -> StoredProgram:
            if waited and _rejection(folder).is_file():
                raise VlmcarError(_rejection(folder).read_text(encoding="utf-8"))
            return _make_program(built, images, folder, store, console)

        stored = _made_once(store, folder, console, store.get, make)
    if built.vlm.record:
        console.say(f"recorded: {_record(stored, built)}")
    return stored


def obtain_subtasks(built: Wanted, console: Console) -> StoredSubTasks:
    """The sub-tasks that this VLM finds in this task's images: stored, or asked for now.

    Raises:
        VlmcarError: the VLM had no usable answer.
    """
    store = ProgramStore(Path(built.results) / "subtasks")
    images = built.env.images()
    folder = store.folder(built.env.id, built.vlm.name, _ingredients_of_subtasks(built, images))
    stored = _load_subtasks(folder)
    if stored is None:
        stored = _made_once(
            store,
            folder,
            console,
            _load_subtasks,
            lambda _: _make_subtasks(built, images, folder, console),
        )
    console.say(f"sub-tasks: {', '.join(subtask.name for subtask in stored.subtasks)}")
    return stored


def verify_again(built: Wanted, console: Console) -> Verdict:
    """Verify the stored program anew, on this machine, without asking the VLM anything.

    Raises:
        VlmcarError: none is stored, or it is not accepted here.
    """
    store = ProgramStore(Path(built.results) / "programs")
    folder = store.folder(built.env.id, built.vlm.name, ingredients(built, built.env.images()))
    stored = store.get(folder)
    if stored is None:
        raise VlmcarError(
            f"{folder} holds no accepted program for these settings; stage=generate makes one, or copy "
            "<results>/programs from where it was made"
        )
    refuse_rejected(stored)
    verdict = _verdict(built, stored.program)
    console.say(str(verdict))
    if not verdict.accepted:
        raise VlmcarError(f"program {stored.program.hash} is not accepted here: {_summary(verdict)}")
    console.say(f"program {stored.program.hash} {_summary(verdict)}: {folder / 'program.py'}")
    return verdict


def verify_program(built: Wanted, program: Program, console: Console) -> Verdict:
    """Verify it under this run's settings, and say how it went."""
    started = time.perf_counter()
    verdict = _verdict(built, program)
    console.say(f"verified in {time.perf_counter() - started:.1f} s: {_summary(verdict)}")
    if note := getattr(built.env, "note", ""):
        console.say(note)
    return verdict


def _verdict(built: Wanted, program: Program) -> Verdict:
    verdict: Verdict = built.verification.verify(
        program, built.env, built.sandbox, built.reward, built.method.env_reward
    )
    return verdict


def _made_once(
    store: ProgramStore,
    folder: Path,
    console: Console,
    get: Callable[[Path], T | None],
    make: Callable[[bool], T],
) -> T:
    """What lies in the folder, or what ``make`` puts there; parallel runs wait for the first."""
    with store.lock(folder, console.say) as waited:
        stored = get(folder)
        return make(waited) if stored is None else stored


def _make_program(
    built: Wanted, images: tuple[Frame, Frame], folder: Path, store: ProgramStore, console: Console
) -> StoredProgram:
    def verify(program: Program) -> Verdict:
        return verify_program(built, program, console)

    built.sandbox.level()  # refuses where programs cannot be run, before anything is asked for
    if built.vlm.record and not getattr(built.vlm, "replays", False):
        _refuse_another_recording(built)
    vlm = _start_asking(built, images, folder)
    _rejection(folder).unlink(missing_ok=True)
    try:
        made = built.generation.generate(images, built.env.frames(), vlm, verify, rank, folder, console.say)
    except GenerationFailed as failed:
        message = f"{failed}; the conversation is in {folder}"
        _rejection(folder).write_text(message, encoding="utf-8")
        raise type(failed)(message) from None
    finally:
        say_spent(vlm.ledger, "program", console)
    if not made.verdict.accepted:
        (folder / "rejected.py").write_text(made.program.source, encoding="utf-8")
        rows = [dataclasses.asdict(check) for check in made.verdict.checks]
        (folder / "rejected.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        message = (
            f"{built.env.id}: no program was accepted in {made.attempts} attempts ({_summary(made.verdict)}); "
            f"the conversation is in {folder}; {made.ended}"
            + (". Kept answers are given again, unless vlm.cache=false" if vlm.cache else "")
        )
        _rejection(folder).write_text(message, encoding="utf-8")
        raise VlmcarError(message)
    stored = StoredProgram(
        made.program,
        made.verdict,
        made.attempts,
        len(made.replies),
        made.conversation.replies[-1].model,
        folder,
        vlm.ledger.entries(),
        built.env.frames()[0].shape,
    )
    store.put(stored)
    return stored


def _make_subtasks(
    built: Wanted, images: tuple[Frame, Frame], folder: Path, console: Console
) -> StoredSubTasks:
    vlm = _start_asking(built, images, folder)
    try:
        found = built.generation.decompose(images, vlm, folder, console.say)
    finally:
        say_spent(vlm.ledger, "program", console)
    replies = found.conversation.replies
    stored = StoredSubTasks(found.subtasks, len(replies), replies[-1].model, vlm.ledger.entries(), folder)
    temporary = folder / f"{SUBTASKS}.partial"
    entry = {**dataclasses.asdict(stored), "folder": None}
    temporary.write_text(json.dumps(entry, indent=1), encoding="utf-8")
    os.replace(temporary, folder / SUBTASKS)  # last: its presence means the entry is complete
    return stored


def _load_subtasks(folder: Path) -> StoredSubTasks | None:
    try:
        entry = json.loads((folder / SUBTASKS).read_text(encoding="utf-8"))
        subtasks = tuple(SubTask(**row) for row in entry.pop("subtasks"))
        return StoredSubTasks(**{**entry, "subtasks": subtasks, "folder": folder})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VlmcarError(
            f"{folder / SUBTASKS} cannot be read ({type(error).__name__}: {error}); remove it to ask for the "
            "sub-tasks again"
        ) from None


def _start_asking(built: Wanted, images: tuple[Frame, Frame], folder: Path) -> CountedVLM:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(("initial", "goal"), images, strict=True):
        write_png(folder / f"{name}.png", image)
    return CountedVLM(built.vlm, Path(built.results), Ledger())


def say_spent(ledger: Ledger, purpose: str, console: Console) -> None:
    """A line for what was asked, for what the cache saved, and for what would have been asked."""
    words = {"asked": "VLM", "cached": "saved by the cache", "projected": "a VLM would take (projected)"}
    for source, who in words.items():
        usage = ledger.usage(purpose, source)
        if usage.calls and not (source == "cached" and usage.cost is None):  # a recording: nobody knows
            console.say(f"{who}: {spent_text(usage)}")


def _rejection(folder: Path) -> Path:
    """Says why no program came out; runs that waited for it fail with the same words instead of asking again."""
    return folder / "rejected.txt"


def refuse_rejected(stored: StoredProgram) -> None:
    """Refuse a program that was accepted, and then did in training what verification had not seen it do.

    Raises:
        VlmcarError: says which check failed, and how to have another program made.
    """
    for check in stored.verdict.checks:
        if not check.passed:
            raise VlmcarError(
                f"program {stored.program.hash} was accepted and has been rejected since: {check.name} in "
                f"{check.trajectories} measured {check.finding}, of {check.count}. "
                f"Remove {stored.folder} to have a program made again; with vlm.cache=false, or the VLM's kept "
                "answers make the same one"
            )


def _record(stored: StoredProgram, built: Wanted) -> Path:
    """Keep the whole conversation where ``vlm=offline`` finds it.

    Raises:
        VlmcarError: another recording of this task lies there.
    """
    recording = _recording(built)
    recording.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{stored.folder.parent}.recording.lock", fallback_to_soft=False):
        if _text(recording / FILE) == _text(stored.folder / FILE):
            return recording
        _refuse_another_recording(built)
        shutil.rmtree(recording / IMAGES, ignore_errors=True)
        shutil.copytree(stored.folder / IMAGES, recording / IMAGES)
        shutil.copyfile(stored.folder / FILE, recording / FILE)
    return recording


def _refuse_another_recording(built: Wanted) -> None:
    """Before anything is asked for, where that can be known."""
    if (_recording(built) / FILE).is_file() and not built.overwrite:
        raise VlmcarError(
            f"{_recording(built)} holds another recording of this task; add overwrite=true to replace it, or "
            "results=<folder> to record elsewhere (and replay with vlm.recordings=<folder>/recordings)"
        )


def _recording(built: Wanted) -> Path:
    return Path(built.results) / "recordings" / built.env.id


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def ingredients(built: Wanted, images: tuple[Frame, Frame]) -> dict[str, Any]:
    """Everything that can change which program comes out."""
    return {
        **_ingredients_of_subtasks(built, images),
        "setting": dict(built.env.setting()),
        "generation": dataclasses.asdict(built.generation),
        "sandbox": dataclasses.asdict(built.sandbox),
        "verification": dataclasses.asdict(built.verification),
        "reward": {"class": type(built.reward).__qualname__, **dataclasses.asdict(built.reward)},
        "env_reward": built.method.env_reward,
    }


def _ingredients_of_subtasks(built: Wanted, images: tuple[Frame, Frame]) -> dict[str, Any]:
    generation = dataclasses.asdict(built.generation)
    return {
        "vlmcar": vlmcar.__version__,
        "task": built.env.id,
        "images": [image_digest(image) for image in images],
        "vlm": dict(built.vlm.identity(images)),
        "prompts": Prompts(built.generation.prompts).digest(),
        "generation": {name: generation[name] for name in ("prompts", "max_subtasks", "readable_attempts")},
    }


def _summary(verdict: Verdict) -> str:
    whole = [
        check
        for check in verdict.checks
        if check.name in ("expert_completes", "random_completes") and check.measured is not None
    ]
    measured = ", ".join(f"{check.trajectories} completes {check.measured:.0%}" for check in whole)
    failed = sorted({check.name for check in verdict.checks if not check.passed})
    return f"{'accepted' if verdict.accepted else 'rejected for ' + ', '.join(failed)} ({measured})"
