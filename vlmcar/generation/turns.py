"""The turns of a conversation: how each is worded, shown and read, and asked again until it can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from vlmcar.generation.budget import Budget, GenerationFailed
from vlmcar.generation.parsing import UnreadableReply, read_program, read_repair
from vlmcar.generation.prompts import Prompts
from vlmcar.types import Frame, Program, Reply, SubTask, Verdict
from vlmcar.vlm.conversation import Conversation
from vlmcar.vlm.counted import CountedVLM

T = TypeVar("T")

CANDIDATES = "candidates"
"""Sub-folder of a program's with one folder per conversation, where there are several."""


@dataclass(frozen=True)
class Decomposed:
    """The sub-tasks that the VLM found, and the conversation up to there."""

    subtasks: tuple[SubTask, ...]
    conversation: Conversation


class Written(NamedTuple):
    """A program, and the conversation that ends with it."""

    program: Program
    conversation: Conversation


@dataclass(frozen=True)
class Candidate:
    """A program that was verified."""

    number: int
    program: Program
    conversation: Conversation
    verdict: Verdict
    rank: tuple[float, ...]
    """More is better."""


@dataclass(frozen=True)
class Shown:
    """How frames are shown to the VLM where they are smaller than its images: pixels become blocks."""

    scale: int
    prompts: Prompts

    def enlarged(self, frames: Sequence[Frame]) -> tuple[Frame, ...]:
        return tuple(frame.repeat(self.scale, axis=0).repeat(self.scale, axis=1) for frame in frames)

    def size_note(self, frame: Frame) -> str:
        if self.scale == 1:
            return ""
        return self.prompts.fill("smaller", scale=self.scale, **size(frame)) + "\n\n"

    def feedback_note(self, frames: Sequence[Frame]) -> str:
        if self.scale == 1 or not frames:
            return ""
        return "\n\n" + self.prompts.fill("enlarged", scale=self.scale)


@dataclass(frozen=True)
class Asker:
    """Asks until the reply can be read, saying back each time what was wrong with it."""

    prompts: Prompts
    attempts: int
    budget: Budget
    say: Callable[[str], None]

    def __call__(
        self, conversation: Conversation, text: str, images: Sequence[Frame], read: Callable[[str], T]
    ) -> T:
        """What ``read`` makes of the reply.

        Raises:
            GenerationFailed: no reply could be read; ``BudgetSpent``: no more may be asked.
        """
        self.budget.check()
        reply = conversation.ask(text, images)
        for attempt in range(1, self.attempts + 1):
            try:
                return read(reply)
            except UnreadableReply as problem:
                if attempt == self.attempts:
                    raise GenerationFailed(
                        f"after {attempt} replies the VLM's answer could still not be used: {problem} "
                        "Try another vlm.model, or a higher generation.readable_attempts; kept answers are given "
                        "again, unless vlm.cache=false"
                    ) from None
                self.say(f"reply {attempt} of at most {self.attempts} could not be used: {problem}")
                self.budget.check()
                reply = conversation.ask(self.prompts.fill("unreadable", problem=problem))
        raise AssertionError("unreachable: readable_attempts is at least 1")


@dataclass(frozen=True)
class Writer:
    """Asks for programs in the ways that a search may choose from. All go on from the same sub-tasks."""

    start: Decomposed
    vlm: CountedVLM
    frames: tuple[Frame, Frame]
    shown: Shown
    ask: Asker
    max_subtasks: int
    folder: Path
    forks: list[Conversation] = field(default_factory=list)

    def first(self) -> Written:
        """A program, in the conversation that found the sub-tasks."""
        return self._write(self.start.conversation, "")

    def repaired(self, last: Candidate) -> Written:
        """The next one in the same conversation, after its failures were shown."""
        verdict = last.verdict
        failed = sorted({check.name for check in verdict.checks if not check.passed})
        self.ask.say(f"rejected ({', '.join(failed)}); the VLM sees the failures and writes again")
        program = self.ask(
            last.conversation,
            self.ask.prompts.fill(
                "repair", feedback=verdict.feedback + self.shown.feedback_note(verdict.feedback_frames)
            ),
            self.shown.enlarged(verdict.feedback_frames),
            partial(read_repair, subtasks=last.program.subtasks, max_subtasks=self.max_subtasks),
        )
        return Written(program, last.conversation)

    def independent(self, number: int, total: int) -> Written:
        """A program in a conversation of its own. The first is asked for as everywhere else.

        Later ones are told which they are: equal requests may get equal answers.
        """
        note = self.ask.prompts.fill("candidate", number=number, total=total) if number > 1 else ""
        return self._write(self._fork(number), note)

    def bred(self, number: int, parents: Sequence[Candidate]) -> Written:
        """A program that combines these, or changes the one, in a conversation of its own that shows their failures."""
        best, small = parents[0].program, self.shown.scale > 1
        frames: tuple[Frame, ...] = ()
        texts = []
        for parent in parents:
            before = len(frames) + (2 if small else 0)  # the first two show what the program gets
            feedback = renumbered(parent.verdict.feedback, before)
            texts.append(
                self.ask.prompts.fill(
                    "parent", number=parent.number, source=parent.program.source.rstrip(), feedback=feedback
                )
            )
            frames += parent.verdict.feedback_frames
        note = self.ask.prompts.fill(
            "combine" if len(parents) > 1 else "change", programs="\n\n".join(texts), number=number
        )
        note += self.shown.feedback_note(frames)
        read = partial(read_repair, subtasks=best.subtasks, max_subtasks=self.max_subtasks)
        return self._write(self._fork(number), note, frames, best.subtasks, read)

    def replies(self) -> tuple[Reply, ...]:
        """All answers so far, those that several conversations share once."""
        main = self.start.conversation.replies
        return (*main, *(reply for fork in self.forks for reply in fork.replies[len(main) :]))

    def _write(
        self,
        conversation: Conversation,
        note: str,
        more: Sequence[Frame] = (),
        subtasks: tuple[SubTask, ...] | None = None,
        read: Callable[[str], Program] | None = None,
    ) -> Written:
        subtasks = subtasks or self.start.subtasks
        names = ", ".join(f"`{subtask.name}`" for subtask in subtasks)
        self.ask.say(f"write: a program for {names}")
        listed = "\n".join(f"{n}. `{s.name}`: {s.description}" for n, s in enumerate(subtasks, start=1))
        asked = self.ask.prompts.fill("write", subtasks=listed, names=names, **size(self.frames[0]))
        frames = (*(self.frames if self.shown.scale > 1 else ()), *more)
        program = self.ask(
            conversation,
            self.shown.size_note(self.frames[0]) + asked + (f"\n\n{note}" if note else ""),
            self.shown.enlarged(frames),
            read or partial(read_program, subtasks=subtasks),
        )
        return Written(program, conversation)

    def _fork(self, number: int) -> Conversation:
        """The first goes on in the same chat, where that makes a difference; the others branch off."""
        self.ask.budget.check()  # before it leaves a folder
        start = self.start.conversation
        vlm = self.vlm.branch(f"candidate_{number}", len(start.replies)) if number > 1 else self.vlm
        self.forks.append(start.fork(vlm, self.folder / CANDIDATES / str(number)))
        return self.forks[-1]


def size(image: Frame) -> dict[str, int]:
    return {"height": image.shape[0], "width": image.shape[1]}


def renumbered(feedback: str, before: int) -> str:
    """The same, where so many pictures are attached before its own."""
    return re.sub(r"\b([Pp]icture) (\d+)\b", lambda found: f"{found[1]} {int(found[2]) + before}", feedback)
