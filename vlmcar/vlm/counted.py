"""The cache and the ledger around a backend: itself a VLM, and all that the rest of the code ever asks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vlmcar.types import VLM, Decider, Decisions, Frame, Message, NoReply, Reply
from vlmcar.vlm.cache import Cache
from vlmcar.vlm.conversation import image_digest
from vlmcar.vlm.ledger import Ledger, Usage

FOLDER = "vlm_cache"


class CountedVLM:
    """Answers from the cache where it can, asks the backend where it must, and books both.

    Args:
        backend: a component of ``conf/vlm``.
        results: the cache lies in ``<results>/vlm_cache/<name>``, unless the backend has none.
        ledger: is told of every call.
    """

    def __init__(self, backend: VLM, results: Path, ledger: Ledger) -> None:
        self.backend = backend
        self.name = backend.name
        self.cache = backend.cache
        self.record = backend.record
        self.ledger = ledger
        self._cache = Cache(results / FOLDER / backend.name) if backend.cache else None

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:
        return self.backend.identity(images)

    def reply(self, messages: Sequence[Message]) -> Reply:
        """The kept answer to exactly these messages, or a new one. Refusals and errors are never kept.

        Raises:
            NoReply: as the backend does.
        """
        request = {
            "vlm": dict(self.identity([image for message in messages for image in message.images])),
            "messages": [
                {"role": m.role, "text": m.text, "images": [image_digest(image) for image in m.images]}
                for m in messages
            ],
        }
        kept = self._cache.get(request) if self._cache else None
        if kept is not None:
            reply = Reply(**kept)
            self.ledger.add("program", "cached", _usage_of(reply, 1))
            return reply
        started = time.perf_counter()
        try:
            reply = self.backend.reply(messages)
        except NoReply:
            self._failed("program", started)
            raise
        source = "cached" if getattr(self.backend, "replays", False) else "asked"
        self.ledger.add("program", source, _usage_of(reply, 1))
        if self._cache:
            self._cache.put(request, dataclasses.asdict(reply))
        return reply

    def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
        """As the backend, which is asked only about views that were not decided before. Unclear answers are not kept.

        Raises:
            NoReply: as the backend does.
        """
        assert isinstance(self.backend, Decider)
        requests = [self._request(view, questions) for view in views]
        probabilities = np.full((len(views), len(questions)), np.nan)
        new = []
        for item, request in enumerate(requests):
            kept = self._cache.get(request) if self._cache else None
            if kept is None:
                new.append(item)
            else:
                probabilities[item] = kept["probabilities"]
                self.ledger.add("decisions", "cached", Usage(**kept["usage"]))
        if not new:
            return Decisions(probabilities, self.name, calls=0, seconds=0.0)
        started = time.perf_counter()
        try:
            decided = self.backend.decide([views[item] for item in new], questions)
        except NoReply:
            self._failed("decisions", started)
            raise
        probabilities[new] = decided.probabilities
        unclear = np.isnan(decided.probabilities)
        self.ledger.add("decisions", "asked", _usage_of(decided, unclear.size, int(unclear.sum())))
        if self._cache:
            share = _share(decided, len(new), len(questions))
            for place, item in enumerate(new):
                if not unclear[place].any():
                    answer = {"probabilities": decided.probabilities[place].tolist(), "usage": share}
                    self._cache.put(requests[item], answer)
        return dataclasses.replace(decided, probabilities=probabilities)

    def _request(self, view: tuple[Frame, ...], questions: Sequence[str]) -> dict[str, Any]:
        return {
            "vlm": dict(self.identity(view)),
            "images": [image_digest(image) for image in view],
            "questions": list(questions),
        }

    def _failed(self, purpose: str, started: float) -> None:
        seconds = time.perf_counter() - started
        self.ledger.add(purpose, "asked", Usage(calls=1, failed=1, seconds=seconds))


def _usage_of(answer: Reply | Decisions, answers: int, unclear: int = 0) -> Usage:
    return Usage(
        calls=answer.calls if isinstance(answer, Decisions) else 1,
        answers=answers,
        unclear=unclear,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        seconds=answer.seconds,
        cost=answer.cost,
    )


def _share(decided: Decisions, views: int, questions: int) -> dict[str, Any]:
    """What one view of a batch took, on average; its calls are what they are worth saved: one view's."""

    def part(value: float | None) -> float | None:
        return None if value is None else value / views

    tokens = {name: part(getattr(decided, name)) for name in ("input_tokens", "output_tokens")}
    return {
        "calls": max(1, round(decided.calls / views)),
        "answers": questions,
        "seconds": decided.seconds / views,
        "cost": part(decided.cost),
        **{name: None if value is None else round(value) for name, value in tokens.items()},
    }
