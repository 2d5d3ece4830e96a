"""``vlm=openai``: any OpenAI-compatible chat endpoint, hosted or local."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import cv2
import numpy as np

from vlmcar.types import ConfigError, Decisions, Frame, Message, NoReply, Refused, Reply, Truncated
from vlmcar.vlm.conversation import without_thoughts
from vlmcar.vlm.endpoint import OPENAI, Endpoint

MAX_TOKENS = ("max_completion_tokens", "max_tokens")
OWN = ("model", "messages", "temperature", "seed", "stream", "n", *MAX_TOKENS)
"""Parameters of a request that ``extra`` may not hold: they have settings of their own, or would break the reply."""
SECRET = re.compile(r"key$|token$|auth|secret|passw|credential|bearer|cookie", re.IGNORECASE)
"""Names under which people put keys, anywhere in ``extra``; limits such as max_tokens are none."""

PROMPT = """You see {shown}.

Answer each question with yes or no.

{questions}

Reply with exactly {lines} and nothing else, in this form:
{form}"""
PICTURE = "<picture-{number}>"
"""What stands for a picture in a typed decision's state."""
WORDING = {"chat": PROMPT, "systemone": PICTURE}
ANSWER = re.compile(r"[ \t]*([1-9][0-9]{0,5})\.(.*)", re.ASCII)
YES_OR_NO = re.compile(r"[ \t]*(yes|no)\.?[ \t]*", re.ASCII | re.IGNORECASE)


class Asked(NamedTuple):
    """What one response says, and what it took."""

    answer: Any
    """Text, or probabilities."""
    problem: NoReply | None
    """Why ``answer`` is no answer, where the endpoint replied all the same."""
    model: str
    requests: int
    input_tokens: int | None
    output_tokens: int | None


@dataclass
class OpenAI:
    """Asks over HTTP. The key stays in its environment variable and in the client: nothing that is written knows it."""

    name: str
    model: str
    base_url: str | None
    api_key_env: str | None
    temperature: float | None
    max_tokens: int
    max_tokens_parameter: str
    seed: int | None
    extra: dict[str, Any]
    timeout_seconds: float
    max_retries: int
    decisions: str
    parallel: int
    input_price: float | None
    output_price: float | None
    cache: bool
    record: bool

    def __post_init__(self) -> None:
        _check_address(self.base_url)
        _check_key_name(self.api_key_env)
        _check_extra(self.extra)
        if not self.model.strip():
            raise ConfigError("vlm.model is empty: give the endpoint's name of a model, as vlm.model=gpt-5.2")
        ranges = {
            "temperature": (0, 2),
            "max_tokens": (1, 10**7),
            "timeout_seconds": (0.01, 3600),
            "max_retries": (0, 20),
            "parallel": (1, 256),
            "input_price": (0, 10**6),
            "output_price": (0, 10**6),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"vlm.{name}={value} must be from {least} to {most}")
        if self.max_tokens_parameter not in MAX_TOKENS:
            raise ConfigError(
                f"vlm.max_tokens_parameter={self.max_tokens_parameter} is neither {' nor '.join(MAX_TOKENS)}"
            )
        if self.decisions not in WORDING:
            raise ConfigError(f"vlm.decisions={self.decisions} is neither {' nor '.join(WORDING)}")

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:  # noqa: ARG002
        return {
            "vlm": self.name,
            "base_url": (self.base_url or OPENAI).rstrip("/"),
            **{name: getattr(self, name) for name in ("model", "temperature", "max_tokens", "seed", "extra")},
        }

    def decision_identity(self) -> Mapping[str, Any]:
        """As ``identity``, and how it is asked: what was decided once was an answer to this wording."""
        wording = hashlib.sha256(WORDING[self.decisions].encode()).hexdigest()[:8]
        return {**self.identity([]), "decisions": f"{self.decisions}-{wording}"}

    def reply(self, messages: Sequence[Message]) -> Reply:
        """Send the whole conversation and take the answer.

        Raises:
            NoReply: and its kinds ``Refused`` and ``Truncated``.
            VlmcarError: the key or the ``openai`` package is missing.
        """
        started = time.perf_counter()
        asked = self._chat(messages)
        reply = Reply(
            text="" if asked.problem else asked.answer,
            model=asked.model,
            seconds=time.perf_counter() - started,
            input_tokens=asked.input_tokens,
            output_tokens=asked.output_tokens,
            cost=self._cost(asked.input_tokens, asked.output_tokens),
        )
        if asked.problem:
            asked.problem.spent = reply
            raise asked.problem
        return reply

    def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
        """Ask every question about every view: one request a view, ``parallel`` of them at once.

        By chat, P(yes) is 1 or 0. A view whose reply is refused, truncated or empty is NaN, and so is each answer
        that is not plainly yes or no.

        Raises:
            NoReply: the endpoint is out of reach, out of time or talks nonsense. Its ``spent`` holds what was
                answered before, the rest NaN.
        """
        started = time.perf_counter()
        if not views or not questions:
            return Decisions(np.empty((len(views), len(questions))), self.model, 0, 0.0, 0, 0, 0.0)
        _ = self._endpoint  # one for all threads
        ask = self._ask_by_chat if self.decisions == "chat" else self._ask_systemone
        pool = ThreadPoolExecutor(min(self.parallel, len(views)))
        try:
            futures = [pool.submit(ask, view, questions) for view in views]
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # an error ends it at once
        done = [future.done() and not future.cancelled() for future in futures]
        errors = [future.exception() for future, over in zip(futures, done, strict=True) if over]
        answers = [
            future.result() if over and future.exception() is None else None
            for future, over in zip(futures, done, strict=True)
        ]
        decisions = self._decisions(answers, len(questions), time.perf_counter() - started)
        for error in filter(None, errors):
            if isinstance(error, NoReply):
                error.spent = decisions
            raise error
        return decisions

    def _decisions(self, asked: Sequence[Asked | None], questions: int, seconds: float) -> Decisions:
        """All views together; those without an answer are NaN."""
        probabilities = np.full((len(asked), questions), np.nan)
        for item, one in enumerate(asked):
            if one is not None:
                probabilities[item] = one.answer
        answers = [one for one in asked if one is not None]
        tokens = [_sum([getattr(one, f"{side}_tokens") for one in answers]) for side in ("input", "output")]
        return Decisions(
            probabilities,
            model=", ".join(sorted({one.model for one in answers})) or self.model,
            calls=sum(one.requests for one in answers),
            seconds=seconds,
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost=self._cost(*tokens),
            refused=sum(isinstance(one.problem, Refused) for one in answers),
            truncated=sum(isinstance(one.problem, Truncated) for one in answers),
        )

    @cached_property
    def _endpoint(self) -> Endpoint:
        return Endpoint(self.base_url, self.api_key_env, self.timeout_seconds, self.max_retries)

    def _chat(self, messages: Sequence[Message]) -> Asked:
        body: dict[str, Any] = {
            **self.extra,
            "model": self.model,
            "messages": [_message(message) for message in messages],
            self.max_tokens_parameter: self.max_tokens,
        }
        for name in ("temperature", "seed"):
            if getattr(self, name) is not None:
                body[name] = getattr(self, name)
        data, requests = self._endpoint.post("/chat/completions", body)
        text, problem = self._read(data)
        return self._asked(text, problem, data, requests, ("prompt_tokens", "completion_tokens"))

    def _read(self, data: Mapping[str, Any]) -> tuple[str, NoReply | None]:
        """The text of a chat completion, and why it is not an answer."""
        choices = data.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            raise self._endpoint.nonsense("choices[0].message", data)
        content, refusal, reason = message.get("content"), message.get("refusal"), choice.get("finish_reason")
        text = self._endpoint.scrub(content) if isinstance(content, str) else ""
        # Some servers leave what a model thinks first in the answer.
        text = without_thoughts(text)
        if refusal or reason == "content_filter":
            said = self._endpoint.clean(str(refusal or text)) or "without a word"
            return text, Refused(
                f"{self.model} at {self._endpoint.url} refused to answer: {said} (try another vlm.model)"
            )
        if reason == "length":
            return text, Truncated(
                f"the reply of {self.model} was cut at vlm.max_tokens={self.max_tokens}, thinking included: raise it"
            )
        if not text:
            return text, self._endpoint.nonsense("text in choices[0].message.content", data)
        return text, None

    def _ask_by_chat(self, view: tuple[Frame, ...], questions: Sequence[str]) -> Asked:
        asked = self._chat([Message("user", decision_prompt(len(view), questions), view)])
        text = "" if asked.problem else asked.answer
        return asked._replace(answer=parse_decisions(text, len(questions)))

    def _ask_systemone(self, view: tuple[Frame, ...], questions: Sequence[str]) -> Asked:
        """The typed decisions of ``transformers serve``: probabilities from next-token logits, nothing is generated."""
        names = [PICTURE.format(number=number) for number in range(1, len(view) + 1)]
        body = {
            "model": self.model,
            "state": "\n".join(names),
            "questions": {str(n): {"type": "noul", "instructions": text} for n, text in enumerate(questions)},
            "assets": {
                name: {"type": "image", "format": "png", "data_base64": _base64_png(image)}
                for name, image in zip(names, view, strict=True)
            },
        }
        data, requests = self._endpoint.post("/systemone", body)
        answers = data.get("answers")
        found = [answers.get(str(n)) for n in range(len(questions))] if isinstance(answers, dict) else []
        values = [answer.get("noul") if isinstance(answer, dict) else None for answer in found]
        if not values or not all(_is_probability(value) for value in values):
            raise self._endpoint.nonsense("a probability from 0 to 1 for every question", data)
        return self._asked(values, None, data, requests, ("input_tokens", "output_tokens"))

    def _asked(
        self,
        answer: Any,
        problem: NoReply | None,
        data: Mapping[str, Any],
        requests: int,
        keys: tuple[str, str],
    ) -> Asked:
        usage = data.get("usage")
        counts = [usage.get(key) if isinstance(usage, dict) else None for key in keys]
        tokens = [count if type(count) is int and count >= 0 else None for count in counts]
        model = data.get("model")
        model = self._endpoint.clean(model) if isinstance(model, str) and model.strip() else self.model
        return Asked(answer, problem, model, requests, *tokens)

    def _cost(self, *tokens: int | None) -> float | None:
        """US dollars for (input, output) tokens."""
        parts = [
            None if price is None or count is None else price * count / 1e6
            for price, count in zip((self.input_price, self.output_price), tokens, strict=True)
        ]
        return _sum(parts)


def decision_prompt(pictures: int, questions: Sequence[str]) -> str:
    """All questions about one view, numbered from 1, each on one line."""
    count = len(questions)
    return PROMPT.format(
        shown="one picture" if pictures == 1 else f"{pictures} pictures, in order",
        questions="\n".join(f"{n}. {' '.join(text.split())}" for n, text in enumerate(questions, start=1)),
        lines="one line" if count == 1 else f"{count} lines",
        form="\n".join(f"{n}. yes or no" for n in range(1, count + 1)),
    )


def parse_decisions(text: str, num_questions: int) -> list[float]:
    """1 for yes, 0 for no, and NaN for anything else: nothing is guessed.

    A question is answered by exactly one line that starts with its number and a period, and has nothing but yes or
    no after it, in any case, with or without a period. Lines without a number are none of ours.
    """
    answers: dict[int, list[float]] = {}
    for line in text.splitlines():
        if numbered := ANSWER.fullmatch(line):
            said = YES_OR_NO.fullmatch(numbered[2])
            value = math.nan if said is None else float(said[1].lower() == "yes")
            answers.setdefault(int(numbered[1]), []).append(value)
    given = [answers.get(number, []) for number in range(1, num_questions + 1)]
    return [values[0] if len(values) == 1 else math.nan for values in given]


def _message(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    images = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64_png(image)}"}}
        for image in message.images
    ]
    return {"role": message.role, "content": [*images, {"type": "text", "text": message.text}]}


def _base64_png(image: Frame) -> str:
    """PNG is lossless: the endpoint sees these very pixels."""
    written, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert written
    return base64.b64encode(png.tobytes()).decode()


def _is_probability(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _sum(parts: Sequence[Any]) -> Any:
    """Unknown if any part is."""
    return None if None in parts else sum(parts)


def _check_address(base_url: str | None) -> None:
    if base_url is None:
        return
    if any(mark in base_url for mark in "@?#"):
        raise ConfigError(
            "vlm.base_url may hold no user, password, query or fragment, so it is not shown here; it is "
            "http(s)://host/path alone, and the key belongs into the variable that vlm.api_key_env names"
        )
    try:
        parts = urlsplit(base_url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")  # as sockets will
    except ValueError:  # and UnicodeError, which is one
        right = False
    if not right or not base_url.isprintable() or " " in base_url:
        raise ConfigError(f"vlm.base_url={base_url!r} is no address such as http://localhost:11434/v1")


def _check_key_name(name: str | None) -> None:
    """Keys have small letters or dashes, or are long; whoever put one here must not find it in a log."""
    if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ConfigError(
            f"vlm.api_key_env ({len(name)} characters, not shown: it may be the key) must be the NAME of an "
            "environment variable, in capitals, such as OPENAI_API_KEY; null: the endpoint wants no key"
        )


def _keys(value: Any) -> Iterator[str]:
    """The names in mappings within mappings and lists."""
    if isinstance(value, Mapping):
        yield from map(str, value)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _keys(part)


def _check_extra(extra: Mapping[str, Any]) -> None:
    for key in _keys(extra):
        if SECRET.search(key):
            raise ConfigError(
                f"vlm.extra: {key} would be written to disk: a key belongs where vlm.api_key_env says"
            )
    for key in extra:
        if key in OWN:
            raise ConfigError(
                f"vlm.extra.{key} has a setting of its own, or would change the form of the reply"
            )
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"vlm.extra must be JSON: {error}") from None
