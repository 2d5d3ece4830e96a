"""``vlm=manual``: a folder with the exact prompt and images per turn; someone puts the answer beside them."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmcar.types import ConfigError, Frame, Message, Reply, VlmcarError
from vlmcar.vlm.conversation import image_digest, write_png


@dataclass
class Manual:
    """Any chat page is a VLM: paste the prompt, attach the images, save the answer.

    Turn n lies in ``<folder>/turn_<n>/``: ``prompt.md``, ``image_1.png``, ..., and in ``answered_by.txt`` who was
    asked. The answer is expected in ``answer.md`` there. Answers that already exist are taken, so a stopped
    conversation goes on where it was. A conversation that branches off from another one has a sub-folder, and is a new
    chat: its first prompt holds what was said before.
    """

    name: str
    folder: str
    answered_by: str
    poll_seconds: float
    timeout_minutes: float
    record: bool

    cache = False  # its folder keeps the answers
    first_turn = 1  # of the chat

    def __post_init__(self) -> None:
        if not self.answered_by.strip():
            raise ConfigError('vlm.answered_by is empty: say who answers, as vlm.answered_by="a person"')
        if self.poll_seconds <= 0 or self.timeout_minutes <= 0:
            raise ConfigError("vlm.poll_seconds and vlm.timeout_minutes must be above 0")

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:  # noqa: ARG002
        return {"vlm": self.name, "answered_by": self.answered_by}

    def branch(self, name: str, turns: int) -> Manual:
        """For a conversation that goes on after so many turns of this one, in a chat of its own."""
        other = dataclasses.replace(self, folder=str(Path(self.folder) / name))
        other.first_turn = turns + 1
        return other

    def reply(self, messages: Sequence[Message]) -> Reply:
        """Write the turn, then wait for its answer.

        Raises:
            VlmcarError: the folder holds another conversation, or somebody else's answer, or no answer came in time.
        """
        number = sum(message.role == "user" for message in messages)
        folder = Path(self.folder) / f"turn_{number}"
        self._write_turn(folder, messages)
        answer = folder / "answer.md"
        started = time.monotonic()
        if not answer.exists():
            chat = "in a new chat" if number == self.first_turn else "in the same chat"
            images = " with the image_*.png beside it" if any(folder.glob("image_*.png")) else ""
            print(
                f"manual VLM, turn {number}: send {folder / 'prompt.md'}{images} {chat}, and save the answer "
                f"as {answer} (waiting {self.timeout_minutes:g} minutes at most)",
                flush=True,
            )
        before = ""
        while True:
            text = answer.read_text(encoding="utf-8", errors="replace") if answer.exists() else ""
            if text.strip() and text == before:  # it has stopped to change
                return Reply(text=text, model=self.answered_by, seconds=time.monotonic() - started)
            if time.monotonic() - started > 60 * self.timeout_minutes:
                raise VlmcarError(f"no answer in {answer} after {self.timeout_minutes:g} minutes")
            before = text
            time.sleep(self.poll_seconds)

    def _write_turn(self, folder: Path, messages: Sequence[Message]) -> None:
        text, images = messages[-1].text, messages[-1].images
        if sum(message.role == "user" for message in messages) == self.first_turn:
            text = _opening(messages)
            images = tuple(image for message in messages for image in message.images)
        folder.mkdir(parents=True, exist_ok=True)
        prompt = folder / "prompt.md"
        shown = folder / "images.json"
        digests = json.dumps([image_digest(image) for image in images])
        if any(
            path.exists() and path.read_text(encoding="utf-8") != content
            for path, content in ((prompt, text), (shown, digests))
        ):
            raise VlmcarError(
                f"{prompt} belongs to another conversation; remove {folder.parent} or choose another vlm.folder"
            )
        self._note_who_answers(folder)
        for number, image in enumerate(images, start=1):
            write_png(folder / f"image_{number}.png", image)
        shown.write_text(digests, encoding="utf-8")  # so that answers are not taken for other pictures
        prompt.write_text(text, encoding="utf-8")  # last: whoever waits for it finds the images there

    def _note_who_answers(self, folder: Path) -> None:
        """So that an answer never goes by another name; whose those of older folders are, nobody wrote down."""
        note, answer = folder / "answered_by.txt", folder / "answer.md"
        if not answer.exists():
            note.write_text(self.answered_by, encoding="utf-8")
        elif note.exists() and (who := note.read_text(encoding="utf-8").strip()) != self.answered_by.strip():
            raise VlmcarError(
                f"{answer} was written by {who}: give the same vlm.answered_by, or another vlm.folder"
            )


def _opening(messages: Sequence[Message]) -> str:
    """The first prompt of a chat: the system prompt stands before, and what was said in the chat it branches off."""
    if all(message.role != "assistant" for message in messages):
        return "\n\n".join(message.text for message in messages)
    parts, shown = [], 0
    for message in messages:
        if message.role == "assistant":
            parts.append(f"(To this you answered:)\n\n{message.text}\n\n(Then you were asked:)")
            continue
        parts.append(message.text)
        if count := len(message.images):
            files = ", ".join(f"image_{shown + n}.png" for n in range(1, count + 1))
            parts.append(f"(Attached to this, in order: {files})")
            shown += count
    return "\n\n".join(parts)
