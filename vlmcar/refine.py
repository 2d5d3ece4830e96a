"""``audit.refine=true``: a program that a policy went past goes back to the VLM, with the frames that show it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from vlmcar.config import Components
from vlmcar.generation.turns import Candidate
from vlmcar.obtain import ingredients, refuse_rejected, say_spent, verify_program
from vlmcar.record.console import Console
from vlmcar.record.folder import REFINEMENTS, RunFolder
from vlmcar.types import Program, Verdict, VlmcarError
from vlmcar.verification.exploited import Findings
from vlmcar.verification.store import ProgramStore, StoredProgram, load
from vlmcar.vlm.conversation import Conversation
from vlmcar.vlm.conversation import load as load_conversation
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger


class NotToBlame(VlmcarError):
    """Another program would change nothing."""


def refine(
    built: Components, stored: StoredProgram, findings: Findings, console: Console, spent: Ledger
) -> StoredProgram:
    """Another program, accepted by verification and right about the episodes that were found.

    Args:
        built: the run's components.
        stored: the program that was exploited.
        findings: how.
        console: is told each step.
        spent: what the VLM is asked for it.

    Raises:
        NotToBlame, GenerationFailed, Refused: there will be none.
        VlmcarError: the VLM had no answer, or the program has been rejected since.
    """
    if not findings.complete:
        raise NotToBlame(
            "no episode was complete without success, so the program is not to blame: the reward pays for holding on "
            "to what is done; reward=bonus does not"
        )
    store = ProgramStore(Path(built.results) / "programs")
    images = built.env.images()
    about = {**ingredients(built, images), "refines": [stored.folder.name, findings.digest()]}
    folder = store.folder(built.env.id, built.vlm.name, about)
    with store.lock(folder, console.say):
        refined = store.get(folder)
        if refined is None:
            refined = _refined(built, stored, findings, folder, console, spent)
            store.put(refined)
    refuse_rejected(refined)
    return refined


def _refined(
    built: Components,
    stored: StoredProgram,
    findings: Findings,
    folder: Path,
    console: Console,
    spent: Ledger,
) -> StoredProgram:
    most = built.verification.feedback_examples

    def verify(program: Program) -> Verdict:
        pay = built.reward, built.method.env_reward
        about_policy = findings.verify(program, built.sandbox, pay, most)
        if not about_policy.accepted:
            return about_policy
        verdict = verify_program(built, program, console)
        return dataclasses.replace(verdict, checks=(*about_policy.checks, *verdict.checks))

    before = len(load_conversation(stored.folder)[1])
    # A chat of its own: other seeds go on from the same turn, with other episodes.
    vlm = CountedVLM(built.vlm, Path(built.results), spent).branch(f"refined_{folder.name}", before)
    conversation = Conversation.resume(vlm, stored.folder, folder)
    exploited = Candidate(0, stored.program, conversation, findings.verdict(most), ())
    try:
        made = built.generation.refine(
            exploited, built.env.images(), built.env.frames(), vlm, verify, folder, console.say
        )
    finally:
        say_spent(spent, "program", console)
    return StoredProgram(
        made.program,
        made.verdict,
        stored.attempts + made.attempts,
        stored.vlm_calls + len(made.replies) - before,
        made.conversation.replies[-1].model,
        folder,
        Ledger(stored.ledger).merged(spent).entries(),
        stored.frame_shape,
    )


class Refinements:
    """What came before in this run: kept in its folder, so that a killed run goes on with the right program."""

    def __init__(self, folder: RunFolder, results: Path) -> None:
        self._folder = folder
        self._results = results
        kept = folder.read_json(REFINEMENTS) or {}
        self.rounds: list[dict[str, Any]] = kept.get("rounds", [])
        """What each exploited training gave."""
        self._program: str | None = kept.get("program")  # its folder, from the results' folder on

    def __len__(self) -> int:
        return len(self.rounds)

    def put_aside(self) -> None:
        """Make sure that the last of these trainings is, also if a kill came between; before anything is cleared."""
        if self.rounds:
            self._folder.put_aside(len(self))

    def program(self, first: StoredProgram) -> StoredProgram:
        """The one to train on: ``first``, or what it was refined to.

        Raises:
            VlmcarError: it is not there any more, or has been rejected since.
        """
        if not self._program:
            return first
        try:
            refined = load(self._results / self._program)
        except VlmcarError as error:
            raise VlmcarError(f"{error}; add overwrite=true to begin this run again") from None
        refuse_rejected(refined)
        return refined

    def add(self, result: dict[str, Any], refined: StoredProgram) -> None:
        """Put the last training aside, and begin again with this program."""
        self.rounds.append(result)
        self._program = refined.folder.relative_to(self._results).as_posix()
        self._folder.write_json(REFINEMENTS, {"rounds": self.rounds, "program": self._program})
        self.put_aside()
