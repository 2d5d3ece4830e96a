"""A conversation with a VLM, kept whole: every turn as it was sent and received."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vlmcar.types import VLM, Frame, Message, Reply

FILE = "conversation.jsonl"
IMAGES = "images"


class Conversation:
    """Asks a VLM in turns and keeps what both sides said.

    Args:
        vlm: who answers.
        system: the system prompt.
        folder: where every turn is written at once, so that a killed run loses none; ``None`` keeps them
            in memory only.
    """

    def __init__(self, vlm: VLM, system: str, folder: Path | None = None) -> None:
        self.vlm = vlm
        self.messages: list[Message] = [Message("system", system)]
        self.replies: list[Reply] = []
        self.folder = folder
        self._save()

    def ask(self, text: str, images: Sequence[Frame] = ()) -> str:
        """Send one turn and return the text of the answer."""
        self.messages.append(Message("user", text, tuple(images)))
        self._save()
        reply = self.vlm.reply(self.messages)
        # Half a surrogate pair is no text: it could be neither written nor hashed.
        reply = dataclasses.replace(reply, text=reply.text.encode("utf-8", "replace").decode("utf-8"))
        self.replies.append(reply)
        self.messages.append(Message("assistant", reply.text))
        self._save()
        return reply.text

    def fork(self, vlm: VLM, folder: Path | None = None) -> Conversation:
        """Another conversation that goes on from here, kept in another folder."""
        other = Conversation(vlm, self.messages[0].text, folder)
        other.messages, other.replies = list(self.messages), list(self.replies)
        other._save()
        return other

    @classmethod
    def resume(cls, vlm: VLM, kept: Path, folder: Path) -> Conversation:
        """One that was kept, to go on in another folder.

        Raises:
            OSError, ValueError, KeyError: as `load`.
        """
        messages, replies = load(kept)
        conversation = cls(vlm, messages[0].text, folder)
        conversation.messages, conversation.replies = messages, replies
        conversation._save()
        return conversation

    def _save(self) -> None:
        if self.folder is not None:
            save(self.folder, self.messages, self.replies)


def save(folder: Path, messages: Sequence[Message], replies: Sequence[Reply]) -> None:
    """Write ``conversation.jsonl`` (one message a line) and its images as PNG, named by content."""
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    answers = iter(replies)
    lines = []
    for message in messages:
        row: dict[str, Any] = {"role": message.role, "text": message.text}
        if message.images:
            row["images"] = [_save_image(folder / IMAGES, image) for image in message.images]
        if message.role == "assistant":
            row["reply"] = {k: v for k, v in dataclasses.asdict(next(answers)).items() if k != "text"}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    temporary = folder / (FILE + ".partial")
    temporary.write_text("".join(lines), encoding="utf-8")
    temporary.replace(folder / FILE)


def load(folder: Path) -> tuple[list[Message], list[Reply]]:
    """Read what ``save`` wrote.

    Raises:
        OSError, ValueError, KeyError: the files are missing or not what ``save`` writes.
    """
    messages, replies = [], []
    for line in filter(
        None, (folder / FILE).read_text(encoding="utf-8").split("\n")
    ):  # texts hold other line ends
        row = json.loads(line)
        images = tuple(read_png(folder / IMAGES / name) for name in row.get("images", ()))
        messages.append(Message(row["role"], row["text"], images))
        if row["role"] == "assistant":
            replies.append(Reply(text=row["text"], **row["reply"]))
    return messages, replies


def without_thoughts(text: str) -> str:
    """The answer alone: what a model thinks first ends with ``</think>``, where it marks it."""
    return text.rpartition("</think>")[2].strip()


def digest(messages: Sequence[Message]) -> str:
    """16 hex digits over roles, texts and pixels: equal for equal conversations."""
    sha = hashlib.sha256()
    for message in messages:
        sha.update(json.dumps([message.role, message.text, len(message.images)]).encode())
        for image in message.images:
            sha.update(image_digest(image).encode())
    return sha.hexdigest()[:16]


def image_digest(image: Frame) -> str:
    """16 hex digits over the shape and the pixels."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


def write_png(path: Path, image: Frame) -> None:
    """Write a frame as PNG (lossless)."""
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f"could not write {path}")


def read_png(path: Path) -> Frame:
    """What `write_png` wrote.

    Raises:
        ValueError: it is missing, or no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None  # OpenCV would warn
    if image is None:
        raise ValueError(f"{path} is missing or no image")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _save_image(folder: Path, image: Frame) -> str:
    name = f"{image_digest(image)}.png"
    if not (folder / name).exists():
        write_png(folder / name, image)
    return name
