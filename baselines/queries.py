"""Judges that are asked frame by frame: the VLM itself, or a simulated one in its place."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.frames import batches, digest
from vlmcar.types import Decider, Frame, Frames, SubTask, Truth, VlmcarError
from vlmcar.verification.agreement import is_so
from vlmcar.vlm.ledger import Ledger, Usage
from vlmcar.vlm.simulated import Simulated

_TRIED = 50
"""Frames after which a VLM that never says yes or no is taken for one that never will."""

Ask = Callable[[list[int], list[bytes]], NDArray[np.float64]]
"""Places in the batch, and the names of what is shown there -> P(yes), float64 (places, num_subtasks)."""


class Queries:
    """Which frames are asked about: distinct ones, not asked before, within the limit.

    Args:
        remember: frames whose answers are kept; the least recently used leave first.
        max_queries: frames asked about in this run, at most; ``None``: no limit. Beyond it a new frame is not
            judged, and no sub-task is done on it.
        threshold: least P(yes) that counts as done. An unclear answer (NaN) does not.
        asked_before: frames asked about by an earlier session of this run.

    Attributes:
        frames_judged: frames asked about.
        frames_remembered: frames answered from memory.
        frames_unasked: frames that came after the limit.
        answers_unclear: answers that were neither yes nor no.
        seconds: wall time spent here and in asking.
    """

    def __init__(
        self, remember: int, max_queries: int | None, threshold: float, asked_before: int = 0
    ) -> None:
        self.remember = remember
        self.max_queries = max_queries
        self.threshold = threshold
        self.asked_before = asked_before
        self.frames_judged = self.frames_remembered = self.frames_unasked = self.answers_unclear = 0
        self.seconds = 0.0
        self._memory: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    def progress(self, shown: Sequence[bytes], num_subtasks: int, ask: Ask) -> NDArray[np.float32]:
        """Progress 1 where a sub-task is done and 0 elsewhere, float32 (batch, num_subtasks).

        Args:
            shown: (batch): names of what is shown, equal where one answer holds for both.
            num_subtasks: answers per frame.
            ask: called once at most, with what is new.
        """
        started = time.perf_counter()
        answers = self._remembered(shown)
        new: dict[bytes, int] = {}
        for item, key in enumerate(shown):
            if key not in answers:
                new.setdefault(key, item)
        chosen = self._within_limit(new)
        if chosen:
            probabilities = ask(list(chosen.values()), list(chosen))  # (asked, num_subtasks)
            self._count_unclear(probabilities, len(chosen))
            done = (np.nan_to_num(probabilities, nan=0.0) >= self.threshold).astype(np.float32)
            answers.update(zip(chosen, done, strict=True))
            self._keep(dict(zip(chosen, done, strict=True)))
        self.frames_judged += len(chosen)
        self.frames_unasked += sum(key not in answers for key in shown)
        self.frames_remembered += sum(key in answers for key in shown) - len(chosen)
        nothing = np.zeros(num_subtasks, np.float32)
        self.seconds += time.perf_counter() - started
        return np.stack([answers.get(key, nothing) for key in shown])

    def close(self) -> None:
        self._memory.clear()

    def save(self, path: Path) -> None:
        """Keep the answers, so that a resumed run need not ask again; whole or not at all."""
        keys = np.array([list(key) for key in self._memory], dtype=np.uint8)
        temporary = path.with_suffix(".partial.npz")
        np.savez_compressed(
            temporary, keys=keys, answers=np.array(list(self._memory.values()), dtype=np.float32)
        )
        os.replace(temporary, path)

    def load(self, path: Path) -> None:
        """Take in what ``save`` kept; nothing where there is no such file.

        Raises:
            VlmcarError: it cannot be read.
        """
        if not path.is_file():
            return
        try:
            with np.load(path) as kept:
                answers = {
                    bytes(key): answer for key, answer in zip(kept["keys"], kept["answers"], strict=True)
                }
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise VlmcarError(
                f"{path} cannot be read ({error}): remove it, and the same command asks about those frames again"
            ) from None
        self._keep(answers)

    def _count_unclear(self, probabilities: NDArray[np.float64], frames: int) -> None:
        """Raises `VlmcarError` where nothing but unclear answers came: they cost, and teach nothing."""
        self.answers_unclear += int(np.isnan(probabilities).sum())
        asked = self.frames_judged + frames
        if asked >= _TRIED and self.answers_unclear == asked * probabilities.shape[1]:
            raise VlmcarError(
                f"none of the answers about {asked} frames was yes or no: the VLM refuses, is cut off (raise "
                "vlm.max_tokens) or says something else; ledger.json counts which"
            )

    def _remembered(self, shown: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        known = {key: self._memory[key] for key in shown if key in self._memory}
        for key in known:
            self._memory.move_to_end(key)
        return known

    def _within_limit(self, new: dict[bytes, int]) -> dict[bytes, int]:
        if self.max_queries is None:
            return new
        left = max(0, self.max_queries - self.asked_before - self.frames_judged)
        return dict(list(new.items())[:left])

    def _keep(self, answers: Mapping[bytes, NDArray[np.float32]]) -> None:
        self._memory.update(answers)
        while len(self._memory) > self.remember:
            self._memory.popitem(last=False)


class VLMJudge:
    """Asks the VLM; implements `vlmcar.types.Judge`.

    Args:
        vlm: a ``Decider``.
        questions: one per sub-task.
        queries: which frames are asked about.
        show_initial: show the first frame of the episode beside the current one.
        least_pixels: frames lower than this are enlarged by a whole factor, since a VLM sees little in a few pixels.
    """

    def __init__(
        self, vlm: Decider, questions: Sequence[str], queries: Queries, show_initial: bool, least_pixels: int
    ) -> None:
        self.vlm = vlm
        self.questions = tuple(questions)
        self.num_subtasks = len(questions)
        self.queries = queries
        self.show_initial = show_initial
        self.least_pixels = least_pixels

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """As `vlmcar.types.Judge.progress`: 1 where the VLM says that it is done, 0 elsewhere.

        Raises:
            NoReply: the VLM could not be asked.
        """

        initial, frames = batches(initial, frames)

        def ask(items: list[int], _: list[bytes]) -> NDArray[np.float64]:
            views = [self._view(initial[item], frames[item]) for item in items]
            return self.vlm.decide(views, self.questions).probabilities

        return self.queries.progress(_names(initial, frames, self.show_initial), self.num_subtasks, ask)

    def _view(self, initial: Frame, frame: Frame) -> tuple[Frame, ...]:
        shown = (initial, frame) if self.show_initial else (frame,)
        scale = -(-self.least_pixels // frame.shape[0])
        return tuple(picture.repeat(scale, axis=0).repeat(scale, axis=1) for picture in shown)

    def close(self) -> None:
        self.queries.close()


class SimulatedJudge:
    """Knows ground truth and errs on purpose; implements `vlmcar.types.TruthJudge`.

    Args:
        simulated: error rates, declared latency and price.
        subtasks: what it is asked about.
        truths: sub-task -> ground-truth expression (`vlmcar.verification.agreement.is_so`).
        queries: which frames are asked about.
        ledger: gets the *projected* cost.
        sees_state: tells apart what looks the same, as no VLM could.

    Raises:
        VlmcarError: a sub-task without ground truth.
    """

    def __init__(
        self,
        simulated: Simulated,
        subtasks: Sequence[SubTask],
        truths: Mapping[str, str],
        queries: Queries,
        ledger: Ledger,
        sees_state: bool,
    ) -> None:
        names = [subtask.name for subtask in subtasks]
        if missing := [name for name in names if name not in truths]:
            raise VlmcarError(
                f"a simulated judge needs the ground truth of {', '.join(missing)} in truth.yaml"
            )
        self.simulated = simulated
        self.names = names
        self.expressions = [truths[name] for name in names]
        self.num_subtasks = len(names)
        self.queries = queries
        self.ledger = ledger
        self.sees_state = sees_state

    def progress_given(self, initial: Frames, frames: Frames, truth: Truth) -> NDArray[np.float32]:
        """As `vlmcar.types.TruthJudge.progress_given`: 1 where it says "done", 0 elsewhere."""
        so = np.stack([is_so(expression, truth) for expression in self.expressions], axis=1)
        names = _names(*batches(initial, frames), compare=True)
        if self.sees_state:
            names = [name + row.tobytes() for name, row in zip(names, so, strict=True)]

        def ask(items: list[int], shown: list[bytes]) -> NDArray[np.float64]:
            price = self.simulated.dollars_per_query
            usage = Usage(
                calls=len(items),
                answers=len(items) * self.num_subtasks,
                input_tokens=None,
                output_tokens=None,
                seconds=len(items) * self.simulated.seconds_per_query,
                cost=None if price is None else len(items) * price,
            )
            self.ledger.add("decisions", "projected", usage)
            return self.simulated.answers(shown, self.names, so[items]).astype(np.float64)

        return self.queries.progress(names, self.num_subtasks, ask)

    def close(self) -> None:
        self.queries.close()


def _names(initial: Frames, frames: Frames, compare: bool) -> list[bytes]:
    """Names of what is shown: of the frames, or of each with the first frame of its episode."""
    if not compare:
        return [digest(frame) for frame in frames]
    return [digest(first) + digest(frame) for first, frame in zip(initial, frames, strict=True)]
