"""``vlm=offline``: replays recorded conversations, to the letter and the pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vlmcar.installation import recordings
from vlmcar.types import ConfigError, Frame, Message, Reply, VlmcarError
from vlmcar.vlm.conversation import FILE, digest, image_digest, load
from vlmcar.vlm.simulated import Simulated


class NotRecorded(VlmcarError):
    """No recording answers exactly this conversation."""


@dataclass
class Offline:
    """Answers a conversation that was recorded before, and no other.

    An answer is replayed only to the same words and the same pixels that it was given to, so a changed
    prompt, image or verification never meets an answer to something else.
    """

    name: str
    recordings: str | None
    """Folder with one recording per sub-folder, each as ``Conversation`` writes it, or of one recording; ``None``:
    those that come with the suite and those under ``results/recordings``, of which the latter count first."""
    simulated: Simulated
    """Stands in where the VLM itself is to judge frames: no recording can."""
    record: bool

    cache = False
    replays = True  # the recordings are a cache

    def __post_init__(self) -> None:
        if self.recordings is not None and not Path(self.recordings).is_dir():
            raise ConfigError(
                f"vlm.recordings={self.recordings} is no folder; null takes the recordings that come with the suite"
            )

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:
        """The recordings that show these images, by content."""
        names = [f"{image_digest(image)}.png" for image in images]
        texts = [(folder / FILE).read_text(encoding="utf-8", errors="replace") for folder in self._folders]
        fitting = [text for text in texts if all(name in text for name in names)]
        return {"vlm": self.name, "recordings": hashlib.sha256("".join(fitting).encode()).hexdigest()[:12]}

    def reply(self, messages: Sequence[Message]) -> Reply:
        """The recorded answer to these messages.

        Raises:
            NotRecorded: says how far a recording fits, and what else can answer.
        """
        answer = self._answers.get(digest(messages))
        if answer is not None:
            return answer
        turns = sum(message.role == "user" for message in messages)
        recorded = ", ".join(folder.name for folder in self._folders) or "none"
        if turns == 1:
            problem = f"no recording was made with these images and prompts (recorded: {recorded})"
        else:
            problem = (
                f"the recording has no answer to turn {turns} as it is now: prompts, program screening or "
                "verification settings differ from those it was made with"
            )
        raise NotRecorded(f"vlm=offline: {problem}. Use vlm=manual to answer by hand in any chat page.")

    @cached_property
    def _folders(self) -> list[Path]:
        """Of single recordings; what a later one answers counts."""
        roots = recordings() if self.recordings is None else [Path(self.recordings)]
        return [path.parent for root in roots for path in sorted((*root.glob(FILE), *root.glob(f"*/{FILE}")))]

    @cached_property
    def _answers(self) -> dict[str, Reply]:
        answers = {}
        for folder in self._folders:
            try:
                messages, replies = load(folder)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise VlmcarError(f"the recording {folder} cannot be read: {error}") from None
            remaining = iter(replies)
            for position, message in enumerate(messages):
                if message.role == "assistant":
                    answers[digest(messages[:position])] = next(remaining)
        return answers
