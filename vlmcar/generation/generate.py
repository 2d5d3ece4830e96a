"""The conversation that makes a program: describe, decompose, then propose and verify until one is accepted."""

from __future__ import annotations

import dataclasses
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vlmcar.generation.budget import Budget, BudgetSpent, GenerationFailed, check_limits, check_price
from vlmcar.generation.parsing import read_description, read_subtasks
from vlmcar.generation.prompts import Prompts
from vlmcar.generation.turns import (
    CANDIDATES,
    Asker,
    Candidate,
    Decomposed,
    Shown,
    Writer,
    Written,
    size,
)
from vlmcar.types import VLM, ConfigError, Frame, Program, Refused, Reply, Truncated, Verdict
from vlmcar.vlm.conversation import Conversation, save
from vlmcar.vlm.counted import CountedVLM


@dataclass(frozen=True)
class Generated:
    """The best program that was verified, its verdict, and how it came about."""

    program: Program
    verdict: Verdict
    attempts: int
    """Programs that were verified."""
    conversation: Conversation
    """The one that ends with this program, or with a later one that was worse."""
    replies: tuple[Reply, ...]
    """Of all conversations; what several share is there once."""
    ended: str
    """Why the search went no further, and which setting lets it."""


@dataclass
class Generation(ABC):
    """The search for a program; its kinds differ in how the next candidate is asked for."""

    name: str
    prompts: str
    max_subtasks: int
    readable_attempts: int
    max_calls: int | None
    """Turns that are asked, of the VLM or of what was kept of it; ``None``: no limit."""
    max_dollars: float | None
    """US dollars paid by one search, or one refinement; ``None``: no limit."""

    branches = False
    """Whether candidates have conversations of their own, and one without a program stops nothing."""
    tries_all = False
    """Whether the search goes on after a program was accepted."""

    def __post_init__(self) -> None:
        for count in ("max_subtasks", "readable_attempts", *self.counts()):
            if getattr(self, count) < 1:
                raise ConfigError(f"generation.{count}={getattr(self, count)} must be at least 1")
        check_limits(self.max_calls, self.max_dollars)
        Prompts(self.prompts)

    def counts(self) -> tuple[str, ...]:
        """Names of this search's own settings, all of them whole numbers above 0."""
        return ()

    @property
    @abstractmethod
    def most(self) -> int:
        """Programs that are asked for, at most."""

    @property
    @abstractmethod
    def more(self) -> str:
        """The setting that allows more of them."""

    @abstractmethod
    def propose(self, writer: Writer, number: int, tried: Sequence[Candidate]) -> Written:
        """Ask for the next program.

        Args:
            writer: asks for it.
            number: of this program, from 1.
            tried: those that were verified before, in order.

        Raises:
            GenerationFailed, VlmcarError: none came.
        """

    def check_with(self, vlm: VLM, writes: bool) -> None:
        """Whether this VLM can serve this search.

        Args:
            vlm: a component of ``conf/vlm``.
            writes: a program is wanted, not only sub-tasks.

        Raises:
            ConfigError: it cannot, and which one can.
        """
        check_price(self.max_dollars, vlm)
        if not (self.branches and writes):
            return
        if getattr(vlm, "replays", False):
            raise ConfigError(
                f"generation={self.name} asks for several programs, and vlm={vlm.name} replays one conversation: "
                "take vlm=openai, vlm=transformers or vlm=manual, or generation=repair"
            )
        if vlm.record:
            raise ConfigError(
                "vlm.record=true keeps what vlm=offline can replay: generation=single or repair, and not "
                f"generation={self.name}"
            )

    def generate(
        self,
        images: tuple[Frame, Frame],
        frames: tuple[Frame, Frame],
        vlm: CountedVLM,
        verify: Callable[[Program], Verdict],
        rank: Callable[[Verdict], tuple[float, ...]],
        folder: Path,
        say: Callable[[str], None] = print,
    ) -> Generated:
        """Propose and verify until a program is accepted, or programs or budget are spent; the best one counts.

        Args:
            images: the initial and the goal image, uint8 (height, width, 3) RGB, 0-255.
            frames: the same two as programs get them. Where these are smaller, the VLM is told so, and sees
                them enlarged.
            vlm: who answers.
            verify: decides about each program; the feedback of its verdict goes back to the VLM.
            rank: of verdicts, more is better; of equals the first is taken.
            folder: the conversation is written here, turn by turn; where there are several, each with its program
                in a folder of ``candidates``, and the best one's here at the end.
            say: is told each step in a line.

        Raises:
            GenerationFailed: the VLM's replies stayed unreadable, or the budget was spent before there was a program.
            VlmcarError: the backend had no answer.
        """
        shutil.rmtree(folder / CANDIDATES, ignore_errors=True)
        shown = Shown(images[0].shape[0] // frames[0].shape[0], Prompts(self.prompts))
        start = self.decompose(images, vlm, folder, say)
        writer = Writer(start, vlm, frames, shown, self._asker(vlm, say), self.max_subtasks, folder)
        tried, ended = self._search(writer, verify, rank, say)
        best = ranked(tried)[0]
        if self.branches:
            say(f"program {best.number} is the best of {len(tried)}")
            save(folder, best.conversation.messages, best.conversation.replies)
        return Generated(best.program, best.verdict, len(tried), best.conversation, writer.replies(), ended)

    def refine(
        self,
        exploited: Candidate,
        images: tuple[Frame, Frame],
        frames: tuple[Frame, Frame],
        vlm: CountedVLM,
        verify: Callable[[Program], Verdict],
        folder: Path,
        say: Callable[[str], None] = print,
    ) -> Generated:
        """Go on with the conversation of a program that was accepted, and that a trained policy then went past.

        Whatever the search is, this is repair: its failures go back, until a program is accepted.

        Args:
            exploited: the program; its verdict says what the policy did.
            images, frames, vlm, verify, folder, say: as in `generate`.

        Raises:
            GenerationFailed: no program was accepted.
            VlmcarError: the backend had no answer.
        """
        shown = Shown(images[0].shape[0] // frames[0].shape[0], Prompts(self.prompts))
        start = Decomposed(exploited.program.subtasks, exploited.conversation)
        writer = Writer(start, vlm, frames, shown, self._asker(vlm, say), self.max_subtasks, folder)
        last = exploited
        for number in range(1, self.most + 1):
            program, conversation = writer.repaired(last)
            say(f"verify: refinement {number} of at most {self.most}, program {program.hash}")
            verdict = verify(program)
            if verdict.accepted:
                return Generated(program, verdict, number, conversation, writer.replies(), "")
            last = Candidate(number, program, conversation, verdict, ())
        raise GenerationFailed(f"no refined program was accepted in {self.most} attempts; try {self.more}")

    def _search(
        self,
        writer: Writer,
        verify: Callable[[Program], Verdict],
        rank: Callable[[Verdict], tuple[float, ...]],
        say: Callable[[str], None],
    ) -> tuple[list[Candidate], str]:
        """The loop: at least one candidate, and why there are no more."""
        tried: list[Candidate] = []
        problem = ""
        for number in range(1, self.most + 1):
            try:
                program, conversation = self.propose(writer, number, tried)
            except BudgetSpent as spent:
                if not tried:
                    raise BudgetSpent(f"{spent}; no program was verified") from None
                say(str(spent))
                return tried, str(spent)
            except (GenerationFailed, Refused, Truncated) as failed:
                if not self.branches:
                    raise
                problem = str(failed)
                say(f"no program {number}: {problem}")
                continue
            say(f"verify: attempt {number} of at most {self.most}, program {program.hash}")
            verdict = verify(program)
            tried.append(Candidate(number, program, conversation, verdict, rank(verdict)))
            if self.branches:
                _keep(tried[-1], writer.folder / CANDIDATES / str(number))
            if verdict.accepted and not self.tries_all:
                break
        if not tried:
            raise GenerationFailed(f"none of {self.most} programs could be verified; the last: {problem}")
        return tried, f"try another vlm=, or {self.more}"

    def decompose(
        self, images: tuple[Frame, Frame], vlm: CountedVLM, folder: Path, say: Callable[[str], None] = print
    ) -> Decomposed:
        """The first half of ``generate``: the VLM describes the task and splits it into sub-tasks.

        Raises:
            GenerationFailed, VlmcarError: as ``generate``.
        """
        prompts = Prompts(self.prompts)
        conversation = Conversation(vlm, prompts.fill("system"), folder)
        ask = self._asker(vlm, say)

        say("describe: what do the initial and the goal image show?")
        ask(conversation, prompts.fill("describe", **size(images[0])), images, read_description)

        say("decompose: which sub-tasks lead there?")
        subtasks = ask(
            conversation,
            prompts.fill("decompose", max_subtasks=self.max_subtasks),
            (),
            partial(read_subtasks, max_subtasks=self.max_subtasks),
        )
        return Decomposed(subtasks, conversation)

    def _asker(self, vlm: CountedVLM, say: Callable[[str], None]) -> Asker:
        budget = Budget(vlm.ledger, self.max_calls, self.max_dollars)
        return Asker(Prompts(self.prompts), self.readable_attempts, budget, say)


def ranked(tried: Sequence[Candidate]) -> list[Candidate]:
    """The best first; of equals the earlier, and of one program that was written twice the first."""
    best: dict[str, Candidate] = {}
    for candidate in sorted(tried, key=lambda one: one.rank, reverse=True):  # keeps the order of equals
        best.setdefault(candidate.program.hash, candidate)
    return list(best.values())


def _keep(candidate: Candidate, folder: Path) -> None:
    """The program and its verdict beside its conversation, in the form of the store of programs."""
    (folder / "program.py").write_text(candidate.program.source, encoding="utf-8")
    replies = candidate.conversation.replies
    entry: dict[str, Any] = {
        "accepted": candidate.verdict.accepted,
        "program_hash": candidate.program.hash,
        "attempts": candidate.number,
        "vlm_calls": len(replies),
        "vlm_model": replies[-1].model,
        "subtasks": [dataclasses.asdict(subtask) for subtask in candidate.program.subtasks],
        "checks": [dataclasses.asdict(check) for check in candidate.verdict.checks],
        "feedback": candidate.verdict.feedback,
    }
    (folder / "verdict.json").write_text(json.dumps(entry, indent=1), encoding="utf-8")
