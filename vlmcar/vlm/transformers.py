"""``vlm=transformers``: a model with open weights on this machine, in chat and as a judge of frames."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import ConfigError, Decisions, Frame, Message, NoReply, Reply, Truncated, VlmcarError
from vlmcar.vlm.conversation import without_thoughts
from vlmcar.vlm.weights import Loaded, fingerprint, first_line, folder_of, load, memory, packages, quiet

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
YES = ("Yes", "yes", "YES", " Yes", " yes")
NO = ("No", "no", "NO", " No", " no")
INSTRUCTION = "Answer with Yes or No."


@dataclass
class Transformers:
    """Any image-text-to-text model that transformers can load, from a folder or the Hugging Face hub.

    A yes-or-no question is decided from the scores of the next token, in one forward pass for up to
    ``batch_size`` views; nothing is written or sampled there.
    """

    name: str
    model: str
    """A folder with ``config.json`` and weights, or a hub id."""
    revision: str | None
    """Branch, tag or commit on the hub; ``None``: its main branch. A folder has none."""
    device: str
    dtype: str
    max_tokens: int
    """New tokens per reply, at most."""
    temperature: float
    """0: always the likeliest token."""
    seed: int
    """Of sampling, when ``temperature`` is above 0."""
    batch_size: int
    """Views per forward pass in ``decide``, at most."""
    min_answer_mass: float
    """Least probability of yes and no together, in [0, 1]; an answer with less is neither."""
    input_price: float | None
    """US dollars per million tokens; ``None``: unknown."""
    output_price: float | None
    cache: bool
    record: bool

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ConfigError("vlm.model is empty: name a folder with a model, or a hub id")
        for key, known in (("device", DEVICES), ("dtype", DTYPES)):
            if getattr(self, key) not in known:
                raise ConfigError(f"vlm.{key}={getattr(self, key)} is none of {', '.join(known)}")
        for key in ("max_tokens", "batch_size"):
            if getattr(self, key) < 1:
                raise ConfigError(f"vlm.{key}={getattr(self, key)} must be at least 1")
        for key in ("temperature", "seed", "input_price", "output_price"):
            if (getattr(self, key) or 0) < 0:
                raise ConfigError(f"vlm.{key}={getattr(self, key)} must be 0 or more")
        if not 0 <= self.min_answer_mass <= 1:
            raise ConfigError(f"vlm.min_answer_mass={self.min_answer_mass} is a probability from 0 to 1")

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:  # noqa: ARG002
        """What decides the answers. A folder is known by its content: where it lies changes no answer.

        Raises:
            VlmcarError: the model is a path, and no folder is there.
        """
        return {
            "vlm": self.name,
            **self._model_identity,
            "dtype": self.dtype,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            **({"seed": self.seed} if self.temperature > 0 else {}),
        }

    def decision_identity(self) -> Mapping[str, Any]:
        """What decides yes or no; nothing is written or sampled there."""
        wording = hashlib.sha256(repr((INSTRUCTION, YES, NO)).encode()).hexdigest()[:8]
        return {
            "vlm": self.name,
            **self._model_identity,
            "dtype": self.dtype,
            "min_answer_mass": self.min_answer_mass,
            "wording": wording,
        }

    def reply(self, messages: Sequence[Message]) -> Reply:
        """Write the answer to a conversation, in the model's own chat format.

        Raises:
            VlmcarError: the model cannot be loaded, or its chat format has no place for this conversation.
            NoReply: it answered nothing, or the memory was too small.
            Truncated: ``max_tokens`` were used up before the answer ended.
        """
        loaded = self._loaded
        started = time.perf_counter()
        inputs = self._inputs([messages])
        length = inputs["input_ids"].shape[1]
        with memory(loaded.device, "take vlm.dtype=bfloat16, a lower vlm.max_tokens or a smaller model"):
            tokens = self._generate(inputs)[0, length:].tolist()
        if len(tokens) >= self.max_tokens and tokens[-1] not in self._end_tokens:
            raise Truncated(
                f"{self.model} used up vlm.max_tokens={self.max_tokens} before its answer ended; allow more"
            )
        text = without_thoughts(loaded.processor.tokenizer.decode(tokens, skip_special_tokens=True))
        if not text:
            raise NoReply(f"{self.model} answered nothing")
        return Reply(
            text=text,
            model=self._who,
            seconds=time.perf_counter() - started,
            input_tokens=length,
            output_tokens=len(tokens),
            cost=self._cost(length, len(tokens)),
        )

    def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
        """P(yes) = yes / (yes + no), where either is the next-token probability of all its spellings together.

        Args:
            views: (batch): pictures that are shown together, in order; each uint8 (height, width, 3) RGB.
            questions: (num_questions): each stands after the pictures, and before ``INSTRUCTION``.

        Raises:
            VlmcarError: the model cannot be loaded, or has no single token for yes or no.
            NoReply: the memory was too small.
        """
        _ = self._answer_tokens  # loaded and checked before the clock starts
        started = time.perf_counter()
        probabilities = np.full((len(views), len(questions)), np.nan)
        calls = tokens = 0
        for start in range(0, len(views), self.batch_size):
            part = slice(start, start + self.batch_size)
            for column, question in enumerate(questions):
                probabilities[part, column], length = self._decide(views[part], question)
                calls, tokens = calls + 1, tokens + length
        return Decisions(
            probabilities,
            self._who,
            calls=calls,
            seconds=time.perf_counter() - started,
            input_tokens=tokens,
            output_tokens=0,  # answers are read off the scores, not written
            cost=self._cost(tokens, 0),
        )

    def _decide(self, views: Sequence[tuple[Frame, ...]], question: str) -> tuple[NDArray[np.float64], int]:
        """P(yes), float64 (batch,), and the number of input tokens."""
        text = f"{question}\n{INSTRUCTION}"
        inputs = self._inputs([[Message("user", text, view)] for view in views], think=False)
        advice = f"take vlm.batch_size below {len(views)}, vlm.dtype=bfloat16 or a smaller model"
        with memory(self._loaded.device, advice):
            scores = self._next_token_scores(inputs).float()  # (batch, vocabulary)
            sums = [scores[:, list(tokens)].logsumexp(-1) for tokens in self._answer_tokens]
            yes, no, all_tokens = (s.double().cpu().numpy() for s in (*sums, scores.logsumexp(-1)))
        either = np.logaddexp(yes, no)  # in logarithms, since either may be too small for a probability
        answered = np.exp(either - all_tokens) >= self.min_answer_mass
        return np.where(answered, np.exp(yes - either), np.nan), int(inputs["attention_mask"].sum())

    def _next_token_scores(self, inputs: Mapping[str, Any]) -> Any:
        """One forward pass: (batch, vocabulary), before any sampling rule.

        Through ``generate``, which knows for every architecture how positions go with padding on the left, and
        has scores computed for the last position only, where the model can.
        """
        once = {"max_new_tokens": 1, "do_sample": False, "num_beams": 1, "use_cache": False}
        with packages()[0].inference_mode(), quiet(bars=True):
            output = self._loaded.model.generate(
                **inputs, **once, output_logits=True, return_dict_in_generate=True
            )
        return output.logits[0]

    def _generate(self, inputs: Mapping[str, Any]) -> Any:
        """Prompt and answer, (1, tokens)."""
        rule = (
            {"do_sample": True, "temperature": self.temperature} if self.temperature else {"do_sample": False}
        )
        with packages()[0].inference_mode(), quiet(bars=True), self._seeded():
            return self._loaded.model.generate(**inputs, **rule, max_new_tokens=self.max_tokens)

    @contextlib.contextmanager
    def _seeded(self) -> Iterator[None]:
        """The generators that training draws from stay as they are."""
        torch, _ = packages()
        used = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        with torch.random.fork_rng(devices=used, enabled=self.temperature > 0):
            if self.temperature > 0:
                torch.manual_seed(self.seed)
            yield

    def _inputs(self, conversations: Sequence[Sequence[Message]], think: bool = True) -> Mapping[str, Any]:
        """What the model reads, on its device; shorter prompts of a batch are padded.

        ``think=False`` keeps a model from thinking before it answers, if its chat template has that switch.
        """
        processor, model, device = self._loaded
        texts = [self._text(conversation, think) for conversation in conversations]
        pictures = [
            [_picture(image) for m in conversation for image in m.images] for conversation in conversations
        ]
        start = processor.tokenizer.bos_token  # most templates write it themselves
        inputs = processor(
            text=texts,
            images=pictures if any(pictures) else None,
            padding=True,
            return_tensors="pt",
            add_special_tokens=not (start and texts[0].startswith(start)),
        )
        return dict(inputs.to(device, dtype=model.dtype))

    def _text(self, conversation: Sequence[Message], think: bool) -> str:
        processor = self._loaded.processor
        switch = not think and "enable_thinking" in str(processor.chat_template)
        try:
            return processor.apply_chat_template(
                [_turn(message) for message in conversation],
                add_generation_prompt=True,
                **({"enable_thinking": False} if switch else {}),
            )
        except Exception as error:  # the template is the model's own program, and refuses as it likes
            problem = f"the chat template of vlm.model={self.model} refuses"
            raise VlmcarError(f"{problem}: {first_line(error)}") from None

    @cached_property
    def _folder(self) -> Path | None:
        return folder_of(self.model)

    @cached_property
    def _model_identity(self) -> Mapping[str, Any]:
        if self._folder is None:
            return {"model": self.model, "revision": self.revision}
        return {"model": self._folder.resolve().name, "content": fingerprint(self._folder)}

    @cached_property
    def _loaded(self) -> Loaded:
        return load(self.model, self.revision, self.device, self.dtype)

    @cached_property
    def _answer_tokens(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The single tokens that say yes, and those that say no."""
        tokenizer = self._loaded.processor.tokenizer
        yes, no = _single_tokens(tokenizer, YES), _single_tokens(tokenizer, NO)
        if not yes or not no:
            raise VlmcarError(
                f"vlm.model={self.model} has no single token for {'no' if yes else 'yes'}, so that it cannot decide in "
                "one forward pass: take another model"
            )
        return yes, no

    @cached_property
    def _end_tokens(self) -> tuple[int, ...]:
        end = self._loaded.model.generation_config.eos_token_id
        if end is None:
            end = self._loaded.processor.tokenizer.eos_token_id
        return tuple(end) if isinstance(end, list | tuple) else (end,)

    @property
    def _who(self) -> str:
        return f"{self.model}@{self.revision}" if self.revision and self._folder is None else self.model

    def _cost(self, input_tokens: int, output_tokens: int) -> float | None:
        if self.input_price is None or self.output_price is None:
            return None
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6


def _turn(message: Message) -> dict[str, Any]:
    pictures = [{"type": "image"} for _ in message.images]
    return {"role": message.role, "content": [*pictures, {"type": "text", "text": message.text}]}


def _picture(image: Frame) -> Any:
    """As PIL, which knows where the channels are; an array can be misread."""
    return importlib.import_module("PIL.Image").fromarray(np.ascontiguousarray(image))


def _single_tokens(tokenizer: Any, words: Sequence[str]) -> tuple[int, ...]:
    found = [tokenizer.encode(word, add_special_tokens=False) for word in words]
    singles = {tokens[0] for tokens in found if len(tokens) == 1 and tokens[0] != tokenizer.unk_token_id}
    return tuple(sorted(singles))
