"""What can go wrong with a program. None of it is ever read as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from vlmcar.types import VlmcarError

TEXT_LIMIT = 300
"""Most characters of a program's own words that reach a log, a terminal or a VLM."""


def readable(text: str) -> str:
    """One line of printable ASCII, at most `TEXT_LIMIT` characters and an ellipsis."""
    line = ascii(" ".join(text[: 2 * TEXT_LIMIT].split()))[1:-1]
    return line if len(line) <= TEXT_LIMIT else line[:TEXT_LIMIT] + "..."


class ProgramError(VlmcarError):
    """A program gave no answer; the message is one line that a VLM can act on.

    Attributes:
        kind: ``screened``, ``crashed``, ``timed_out`` or ``answered_wrongly``: four different verdicts.
        subtask: name of the sub-task whose function was running; None where none was or it is not known.
        index: which item of the batch, from 0; None likewise.
    """

    kind: ClassVar[str]
    _verb: ClassVar[str]

    def __init__(self, detail: str, subtask: str | None = None, index: int | None = None) -> None:
        super().__init__(detail, subtask, index)
        self.detail = detail
        self.subtask = subtask
        self.index = index

    def __str__(self) -> str:
        where = f" in {self.subtask!r}" if self.subtask is not None else ""
        which = f" on item {self.index}" if self.index is not None else ""
        return f"program {self._verb}{where}{which}: {self.detail}"


class ProgramScreened(ProgramError):
    """The source breaks the program contract; it was not run."""

    kind = "screened"
    _verb = "was screened out"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.args = (tuple(problems),)  # what unpickling in another process passes back
        self.problems: tuple[str, ...] = tuple(problems)


class ProgramCrashed(ProgramError):
    """The program raised, returned something that is not an answer, or ended its process."""

    kind = "crashed"
    _verb = "crashed"


class ProgramTimedOut(ProgramError):
    """The program did not answer within its deadline and was killed."""

    kind = "timed_out"
    _verb = "timed out"


class ProgramAnsweredWrongly(ProgramError):
    """The program returned something that is no answer, or another answer for the same frames."""

    kind = "answered_wrongly"
    _verb = "answered wrongly"


class ProgramImpure(ProgramAnsweredWrongly):
    """Frames were judged again and got other answers: what was learned from the answers is worth nothing.

    Attributes:
        replayed: frames that were judged again.
        different: of which got another answer, or none.
    """

    def __init__(self, replayed: int, different: int) -> None:
        super().__init__(
            f"{different} of {replayed} frames got another answer, or none, when a fresh process judged them again in "
            "another order: it depends on more than the two frames"
        )
        self.args = (replayed, different)  # what unpickling in another process passes back
        self.replayed = replayed
        self.different = different
