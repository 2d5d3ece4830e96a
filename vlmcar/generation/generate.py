"""The conversation that makes a program: describe, decompose, write, and repair until it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from vlmcar.generation.parsing import (
    UnreadableReply,
    read_description,
    read_program,
    read_repair,
    read_subtasks,
)
from vlmcar.generation.prompts import Prompts
from vlmcar.types import VLM, ConfigError, Frame, Program, SubTask, Verdict, VlmcarError
from vlmcar.vlm.conversation import Conversation

T = TypeVar("T")


class GenerationFailed(VlmcarError):
    """The attempts are spent and no program was accepted."""


@dataclass(frozen=True)
class Generated:
    """The last program written, its verdict, and how it came about."""

    program: Program
    verdict: Verdict
    attempts: int
    """Programs that were verified."""
    conversation: Conversation


@dataclass(frozen=True)
class Decomposed:
    """The sub-tasks that the VLM found, and the conversation up to there."""

    subtasks: tuple[SubTask, ...]
    conversation: Conversation


@dataclass
class Generation:
    """How a program is asked for."""

    prompts: str
    max_subtasks: int
    readable_attempts: int
    program_attempts: int

    def __post_init__(self) -> None:
        for name in ("max_subtasks", "readable_attempts", "program_attempts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"generation.{name}={getattr(self, name)} must be at least 1")
        Prompts(self.prompts)

    def generate(
        self,
        images: tuple[Frame, Frame],
        frames: tuple[Frame, Frame],
        vlm: VLM,
        verify: Callable[[Program], Verdict],
        folder: Path,
        say: Callable[[str], None] = print,
    ) -> Generated:
        """Talk with the VLM until a program is accepted or the attempts are spent.

        Args:
            images: the initial and the goal image, uint8 (height, width, 3) RGB, 0-255.
            frames: the same two as programs get them. Where these are smaller, the VLM is told so, and sees
                them enlarged.
            vlm: who answers.
            verify: decides about each program; the feedback of its verdict goes back to the VLM.
            folder: the conversation is written here, turn by turn.
            say: is told each step in a line.

        Raises:
            GenerationFailed: the VLM's replies stayed unreadable.
            VlmcarError: the backend had no answer.
        """
        prompts = Prompts(self.prompts)
        shown = _Shown(images[0].shape[0] // frames[0].shape[0], prompts)
        decomposed = self.decompose(images, vlm, folder, say)
        subtasks, conversation = decomposed.subtasks, decomposed.conversation
        ask = _Asker(conversation, prompts, self.readable_attempts, say)
        names = ", ".join(f"`{subtask.name}`" for subtask in subtasks)
        say(f"write: a program for {names}")
        listed = "\n".join(f"{n}. `{s.name}`: {s.description}" for n, s in enumerate(subtasks, start=1))
        program = ask(
            shown.size_note(frames[0])
            + prompts.fill("write", subtasks=listed, names=names, **_size(frames[0])),
            shown.enlarged(frames) if shown.scale > 1 else (),
            partial(read_program, subtasks=subtasks),
        )

        for attempt in range(1, self.program_attempts + 1):
            say(f"verify: attempt {attempt} of at most {self.program_attempts}, program {program.hash}")
            verdict = verify(program)
            if verdict.accepted or attempt == self.program_attempts:
                return Generated(program, verdict, attempt, conversation)
            failed = sorted({check.name for check in verdict.checks if not check.passed})
            say(f"rejected ({', '.join(failed)}); the VLM sees the failures and writes again")
            program = ask(
                prompts.fill("repair", feedback=verdict.feedback + shown.feedback_note(verdict)),
                shown.enlarged(verdict.feedback_frames),
                partial(read_repair, subtasks=program.subtasks, max_subtasks=self.max_subtasks),
            )
        raise AssertionError("unreachable: program_attempts is at least 1")

    def decompose(
        self, images: tuple[Frame, Frame], vlm: VLM, folder: Path, say: Callable[[str], None] = print
    ) -> Decomposed:
        """The first half of ``generate``: the VLM describes the task and splits it into sub-tasks.

        Raises:
            GenerationFailed, VlmcarError: as ``generate``.
        """
        prompts = Prompts(self.prompts)
        conversation = Conversation(vlm, prompts.fill("system"), folder)
        ask = _Asker(conversation, prompts, self.readable_attempts, say)

        say("describe: what do the initial and the goal image show?")
        ask(prompts.fill("describe", **_size(images[0])), images, read_description)

        say("decompose: which sub-tasks lead there?")
        subtasks = ask(
            prompts.fill("decompose", max_subtasks=self.max_subtasks),
            (),
            partial(read_subtasks, max_subtasks=self.max_subtasks),
        )
        return Decomposed(subtasks, conversation)


def _size(image: Frame) -> dict[str, int]:
    return {"height": image.shape[0], "width": image.shape[1]}


@dataclass(frozen=True)
class _Shown:
    """How frames are shown to the VLM where they are smaller than its images: pixels become blocks."""

    scale: int
    prompts: Prompts

    def enlarged(self, frames: Sequence[Frame]) -> tuple[Frame, ...]:
        return tuple(frame.repeat(self.scale, axis=0).repeat(self.scale, axis=1) for frame in frames)

    def size_note(self, frame: Frame) -> str:
        if self.scale == 1:
            return ""
        return self.prompts.fill("smaller", scale=self.scale, **_size(frame)) + "\n\n"

    def feedback_note(self, verdict: Verdict) -> str:
        if self.scale == 1 or not verdict.feedback_frames:
            return ""
        return "\n\n" + self.prompts.fill("enlarged", scale=self.scale)


@dataclass(frozen=True)
class _Asker:
    """Asks until the reply can be read, saying back each time what was wrong with it."""

    conversation: Conversation
    prompts: Prompts
    attempts: int
    say: Callable[[str], None]

    def __call__(self, text: str, images: Sequence[Frame], read: Callable[[str], T]) -> T:
        reply = self.conversation.ask(text, images)
        for attempt in range(1, self.attempts + 1):
            try:
                return read(reply)
            except UnreadableReply as problem:
                if attempt == self.attempts:
                    raise GenerationFailed(
                        f"after {attempt} replies the VLM's answer could still not be used: {problem}"
                    ) from None
                self.say(f"reply {attempt} of at most {self.attempts} could not be used: {problem}")
                reply = self.conversation.ask(self.prompts.fill("unreadable", problem=problem))
        raise AssertionError("unreachable: readable_attempts is at least 1")
