"""A run without training: rows from a seeded generator, everything else through the code that real runs use."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vlmcar.record.console import Console
from vlmcar.record.folder import CONFIG, EVAL, LEDGER, MANIFEST, POLICY, RESULT, TRAIN, TRAINED, RunFolder
from vlmcar.record.none import NoLogger
from vlmcar.record.recorder import RunRecorder
from vlmcar.types import Check, Frame, Message, Program, Reply, SubTask, Verdict
from vlmcar.verification.store import ProgramStore, StoredProgram
from vlmcar.vlm.conversation import Conversation
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger, Usage

METHODS = ("vlmcar", "sparse", "direct_vlm", "oracle")
"""The first of them needs a program."""
SEEDS = 125
"""Runs of one task and method, at most: so many ask for one program at the same time."""
TURNS = ("What do you see?", "Which sub-tasks are there?", "Write the program.")
SOURCE = '"""What {task} looks like."""\n\n\ndef get_key(initial, frame):\n    return bool((initial != frame).any())\n'

Tell = Callable[..., None]
"""Says what has just happened, with the moment: ``asks``, ``got``, ``making`` or ``made``, and the task."""


@dataclass(frozen=True)
class Sizes:
    """What one run writes. Intervals are those of ``conf/training/default.yaml``."""

    steps: int = 100_000
    record_every: int = 2_000
    eval_every: int = 10_000
    checkpoint_every: int = 50_000
    checkpoint_bytes: int = 200_000
    generation_seconds: float = 2.0
    """Wall time in which the stand-in for a VLM answers all turns."""


@dataclass(frozen=True)
class FakeRun:
    """One run of the plan."""

    task: str
    method: str
    seed: int
    sizes: Sizes

    @property
    def vlm(self) -> str:
        return "none" if self.method == "sparse" else "stand_in"

    def folder(self, results: Path) -> RunFolder:
        parts = (f"scale-{self.task}", self.method, self.vlm, "ppo", f"seed_{self.seed}")
        return RunFolder(results.joinpath("runs", *parts))

    def settings(self) -> dict[str, Any]:
        """As many as a real manifest has, so that it is as large as one."""
        known = {"env.name": self.task, "method.name": self.method, "training.steps": self.sizes.steps}
        return known | {f"verification.checks.number_{number}.at_least": number / 80 for number in range(80)}

    def config_hash(self) -> str:
        return hashlib.sha256(json.dumps(self.settings()).encode()).hexdigest()[:12]

    def rows(self, name: str) -> list[dict[str, float]]:
        """The whole of ``train.csv`` or ``eval.csv``, the same at every call."""
        chance = random.Random(f"{self.task}/{self.method}/{self.seed}/{name}")
        train = name == TRAIN
        first, every = (self.sizes.record_every,) * 2 if train else (0, self.sizes.eval_every)
        return [
            {
                "steps": steps,
                "episodes": 30,
                "success_rate": chance.random(),
                "env_return": chance.random(),
                **({"reward_return": float("nan"), "subtasks_done": chance.random()} if train else {}),
                "length": chance.random() * 100,
            }
            for steps in range(first, self.sizes.steps + 1, every)
        ]

    def numbers(self) -> dict[str, Any]:
        """What its training would end with."""
        chance = random.Random(f"{self.task}/{self.method}/{self.seed}")
        return {
            "final_success": round(chance.random(), 2),
            "final_episodes": 100,
            "steps_to_90": None,
            "final_train_success": None,
            "train_steps_to_90": None,
            "train_seconds": 1.0,
            "steps_per_second": float(self.sizes.steps),
            "seconds": 1.0,
        }


def plan(count: int, sizes: Sizes) -> list[FakeRun]:
    """Runs in the order in which a sweep starts them: task by task, method by method, seed by seed."""
    seeds = max(1, min(SEEDS, count // 8))
    return [
        FakeRun(
            f"task_{number // (seeds * len(METHODS))}",
            METHODS[number // seeds % len(METHODS)],
            number % seeds,
            sizes,
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Model:
    """Saves as Stable-Baselines3 does: a zip with the number of steps in it."""

    steps: int
    weights: bytes
    environments = b""

    def save(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data", json.dumps({"num_timesteps": self.steps}))
            archive.writestr("policy.pth", self.weights)


@dataclass
class StandIn:
    """Answers as slowly as it is told to, and always the same."""

    task: str
    seconds: float
    name: str = "stand_in"
    cache: bool = True
    record: bool = False

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:
        return {"stand_in_for": self.task, "images": len(images)}

    def reply(self, messages: Sequence[Message]) -> Reply:
        time.sleep(self.seconds)
        tokens = sum(len(message.text) for message in messages)
        return Reply(SOURCE.format(task=self.task), "no VLM", self.seconds, tokens, 100, 0.0)


@dataclass
class Worker:
    """Does fake runs in one results folder, each as ``vlmcar.pipeline`` does a real one.

    Args:
        results: where they lie.
        tell: is told what happens around programs.
    """

    results: Path
    tell: Tell = lambda *_: None
    _weights: dict[int, bytes] = field(default_factory=dict)

    def do(self, run: FakeRun, hold: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """One run, from its claim to its result: its state when it was claimed, and seconds until that.

        Args:
            run: of the plan.
            hold: is called once the run is claimed, and may take its time.

        Raises:
            VlmcarError: the run is going on in another process, or a file is not as it should be.
        """
        asked = time.monotonic()
        folder = run.folder(self.results)
        with folder.lock():
            locked = time.monotonic() - asked
            hold()
            state = folder.claim(run.config_hash(), run.settings(), overwrite=False)
            if state != "complete":
                self._train_and_record(run, folder, state)
        return {"state": state, "locked": locked}

    def _train_and_record(self, run: FakeRun, folder: RunFolder, state: str) -> None:
        stored = self.program(run) if run.method == METHODS[0] else None
        first = 0
        if state == "resume":
            first = folder.checkpoint_steps() or 0
            folder.rewind()
        (folder.path / CONFIG).write_text(json.dumps(run.settings()), encoding="utf-8")
        manifest = _manifest(run, stored, folder.read_json(MANIFEST) if first else None, first)
        folder.write_json(MANIFEST, manifest)
        if stored:
            ProgramStore.copy(stored, folder.path)
        spent = Ledger(folder.read_json(LEDGER))
        if state != "trained":
            self._train(run, folder, spent, first)
        entries = Ledger(stored.ledger if stored else None).merged(spent).entries()
        result = {**manifest, **run.numbers(), "vlm_ledger": entries, "audit": None, "exploited_before": []}
        folder.write_json(RESULT, result)

    def _train(self, run: FakeRun, folder: RunFolder, spent: Ledger, first: int) -> None:
        recorder = RunRecorder(folder, NoLogger("none"), Console("scale", bar=False), spent.entries)
        rows = [(row["steps"], name, row) for name in (TRAIN, EVAL) for row in run.rows(name)]
        # What a checkpoint goes with is written before it.
        for steps, name, row in sorted(rows, key=lambda item: (item[0], item[1] == TRAIN)):
            if first and steps <= first:
                continue
            (recorder.train_row if name == TRAIN else recorder.eval_row)(row)
            if name == TRAIN and run.method == "direct_vlm":
                spent.add("decisions", "projected", Usage(calls=1, answers=1))
            if name == TRAIN and steps % run.sizes.checkpoint_every == 0:
                recorder.checkpoint(Model(int(steps), self._of(run.sizes.checkpoint_bytes)))
        recorder.keep_spent()
        Model(run.sizes.steps, self._of(run.sizes.checkpoint_bytes)).save(folder.path / POLICY)
        folder.write_json(TRAINED, run.numbers())

    def program(self, run: FakeRun) -> StoredProgram:
        """As ``vlmcar.obtain.obtain_program``: stored, or made now, once for all who ask."""
        store = ProgramStore(self.results / "programs")
        folder = store.folder(run.task, run.vlm, {"task": run.task})
        stored = store.get(folder)
        if stored is not None:
            return stored
        self.tell("asks", run.task)
        with store.lock(folder, lambda _: None):
            self.tell("got", run.task)
            stored = store.get(folder)
            return self._make(run, folder) if stored is None else stored

    def _make(self, run: FakeRun, folder: Path) -> StoredProgram:
        self.tell("making", run.task)
        folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger()
        backend = StandIn(run.task, run.sizes.generation_seconds / len(TURNS))
        conversation = Conversation(CountedVLM(backend, self.results, ledger), "You see pictures.", folder)
        for turn in TURNS:
            conversation.ask(turn, (np.zeros((32, 32, 3), np.uint8),))
        program = program_of(run.task)
        verdict = Verdict(True, (Check("expert_completes", None, "held_out/expert", 20, 1.0, ">= 1", True),))
        stored = StoredProgram(program, verdict, 1, len(TURNS), "no VLM", folder, ledger.entries())
        ProgramStore.put(stored)
        self.tell("made", run.task)
        return stored

    def _of(self, size: int) -> bytes:
        if size not in self._weights:
            self._weights[size] = os.urandom(size)  # does not compress, as weights do not
        return self._weights[size]


def program_of(task: str) -> Program:
    """The one that every generation for a task must end with."""
    return Program((SubTask("get_key", "The key is gone."),), SOURCE.format(task=task))


def _manifest(
    run: FakeRun, stored: StoredProgram | None, before: Mapping[str, Any] | None, first: int
) -> dict[str, Any]:
    sessions = [*(before or {}).get("sessions", []), {"first_step": first}]
    return {
        "env": f"scale-{run.task}",
        "method": run.method,
        "label": "",
        "vlm": run.vlm,
        "vlm_model": None,
        "judge": "none: a fake run",
        "false_positives": None,
        "false_negatives": None,
        "program_hash": stored.program.hash if stored else None,
        "algorithm": "ppo",
        "seed": run.seed,
        "steps": run.sizes.steps,
        "config_hash": run.config_hash(),
        "settings": run.settings(),
        "sandbox": None,
        "program_attempts": 1 if stored else None,
        "program_error": None,
        "vlm_calls": stored.vlm_calls if stored else 0,
        "resumed_at": [session["first_step"] for session in sessions[1:]],
        "command": "python -m vlmcar.scale",
        "git": {"commit": None, "dirty": None},
        "packages": {},
        "machine": "fake",
        "sessions": sessions,
    }


def readable(path: Path) -> bool | None:
    """Whether a JSON or csv file that others write to is whole at this moment; ``None``: there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    if path.suffix != ".json":
        return not text or text.endswith("\n")
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def looked_at(run: FakeRun, results: Path) -> Iterator[tuple[str, bool]]:
    """What a report would read of a run that may be going on: each file there, and whether it was whole."""
    path = run.folder(results).path
    for name in (MANIFEST, LEDGER, TRAINED, RESULT, TRAIN, EVAL):
        if (whole := readable(path / name)) is not None:
            yield name, whole
