"""The cache and the ledger around a backend: itself a VLM, and all that the rest of the code ever asks."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import VLM, Decider, Decisions, Frame, Message, NoReply, Refused, Reply, Truncated
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

    def branch(self, name: str, turns: int) -> CountedVLM:
        """For a conversation that shares its first ``turns`` turns with another one; cache and ledger are the same."""
        other = copy.copy(self)
        begin = getattr(self.backend, "branch", None)  # of a backend whose chats have places
        other.backend = begin(name, turns) if begin else self.backend
        return other

    def reply(self, messages: Sequence[Message]) -> Reply:
        """The kept answer to exactly these messages, or a new one. Refusals and errors are never kept.

        Raises:
            NoReply: as the backend does.
        """
        if self._cache is None:
            return self._ask(messages)
        request = {
            "vlm": dict(self.identity([image for message in messages for image in message.images])),
            "messages": [
                {"role": m.role, "text": m.text, "images": [image_digest(image) for image in m.images]}
                for m in messages
            ],
        }
        with self._cache.lock(request):  # parallel runs ask once
            kept = self._cache.get(request)
            if kept is not None:
                reply = Reply(**kept)
                self.ledger.add("program", "cached", _usage_of(reply, answers=1))
                return reply
            reply = self._ask(messages)
            self._cache.put(request, dataclasses.asdict(reply))
            return reply

    def _ask(self, messages: Sequence[Message]) -> Reply:
        started = time.perf_counter()
        try:
            reply = self.backend.reply(messages)
        except NoReply as error:
            self._failed("program", error, started)
            raise
        source = "cached" if getattr(self.backend, "replays", False) else "asked"
        self.ledger.add("program", source, _usage_of(reply, answers=1))
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
        except NoReply as error:
            if isinstance(error.spent, Decisions):  # what did come is paid for
                self._keep([requests[item] for item in new], error.spent)
            self._failed("decisions", error, started)
            raise
        unclear = np.isnan(decided.probabilities)
        usage = _usage_of(decided, answers=unclear.size)
        usage.unclear = int(unclear.sum())
        self.ledger.add("decisions", "asked", usage)
        probabilities[new] = self._keep([requests[item] for item in new], decided)
        return dataclasses.replace(decided, probabilities=probabilities)

    def _keep(self, requests: Sequence[Mapping[str, Any]], decided: Decisions) -> NDArray[np.float64]:
        """Put clear answers into the cache; where another run was first, its answer holds."""
        probabilities = decided.probabilities.copy()
        if self._cache is None:
            return probabilities
        share = _share(decided)
        for place, request in enumerate(requests):
            if not np.isnan(probabilities[place]).any():
                answer = {"probabilities": probabilities[place].tolist(), "usage": share}
                probabilities[place] = self._cache.put(request, answer)["probabilities"]
        return probabilities

    def _request(self, view: tuple[Frame, ...], questions: Sequence[str]) -> dict[str, Any]:
        assert isinstance(self.backend, Decider)
        return {
            "vlm": dict(self.backend.decision_identity()),
            "images": [image_digest(image) for image in view],
            "questions": list(questions),
        }

    def _failed(self, purpose: str, error: NoReply, started: float) -> None:
        unknown = Usage(calls=1, seconds=time.perf_counter() - started)
        usage = unknown if error.spent is None else _usage_of(error.spent)
        if isinstance(error.spent, Decisions):
            usage.calls += 1  # the one that failed is not among those that were answered
            usage.answers = int((~np.isnan(error.spent.probabilities)).sum())
        if isinstance(error, Refused):
            usage.refused += 1
        elif isinstance(error, Truncated):
            usage.truncated += 1
        else:
            usage.failed += 1
        self.ledger.add(purpose, "asked", usage)


def _usage_of(answer: Reply | Decisions, answers: int = 0) -> Usage:
    return Usage(
        calls=answer.calls if isinstance(answer, Decisions) else 1,
        answers=answers,
        refused=answer.refused if isinstance(answer, Decisions) else 0,
        truncated=answer.truncated if isinstance(answer, Decisions) else 0,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        seconds=answer.seconds,
        cost=answer.cost,
    )


def _share(decided: Decisions) -> dict[str, Any]:
    """What one view of a batch took, on average."""
    views, questions = decided.probabilities.shape

    def part(value: float | None) -> float | None:
        return None if value is None else value / views

    tokens = {name: part(getattr(decided, name)) for name in ("input_tokens", "output_tokens")}
    return {
        "calls": decided.calls / views,
        "answers": questions,
        "seconds": decided.seconds / views,
        "cost": part(decided.cost),
        **{name: None if value is None else round(value) for name, value in tokens.items()},
    }
