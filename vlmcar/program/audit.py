"""Judges frames again, later and elsewhere: a pure program gives the answers that it gave.

Screening and a fresh namespace for every frame leave a program few places to keep state in; this finds what they
do not know of.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramError, ProgramImpure
from vlmcar.program.judge import Judged, ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Frames, Program

LARGEST_BATCH = 16


def replay(
    program: Program, sandbox: Sandbox, judged: Sequence[Judged], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Whether each frame gets its answer again: in a fresh process, in another order, in batches of other sizes.

    An error is another answer; one that is about no frame in particular, for the whole batch.

    Returns:
        bool (len(judged),)
    """
    same = np.zeros(len(judged), np.bool_)
    order = rng.permutation(len(judged)).tolist()
    with ProgramJudge(program, sandbox, hot_spare=False) as judge:
        while order:
            shape = judged[order[-1]].frame.shape
            batch = [order.pop()]
            size = rng.integers(1, LARGEST_BATCH + 1)
            while order and len(batch) < size and judged[order[-1]].frame.shape == shape:
                batch.append(order.pop())
            try:
                answers = judge.progress(
                    np.stack([judged[item].initial for item in batch]),
                    np.stack([judged[item].frame for item in batch]),
                )
            except ProgramError as error:
                if error.index is not None:  # the others of the batch are judged once more, without it
                    order += batch[: error.index] + batch[error.index + 1 :]
                continue
            for item, answer in zip(batch, answers, strict=True):
                before = judged[item].answer
                same[item] = (np.isnan(before) | (answer == before)).all()
    return same


class AuditedJudge(ProgramJudge):
    """A `ProgramJudge` that replays a sample of what it judges, as training goes on.

    Attributes:
        frames_audited: frames that were judged again, all with the same answers.
    """

    def __init__(
        self, program: Program, sandbox: Sandbox, share: float, frames: int, workers: int = 1
    ) -> None:
        """Collect this ``share`` of all frames; replay whenever there are this many ``frames``."""
        super().__init__(program, sandbox, workers=workers)
        self.share = share
        self.frames = frames
        self.frames_audited = 0
        self._kept: list[Judged] = []
        self._replay: tuple[int, Future[NDArray[np.bool_]]] | None = None
        self._rng = np.random.default_rng()  # unseeded: a program must not be able to know which frames

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """As `ProgramJudge.progress`.

        Raises:
            ProgramImpure: besides, an earlier frame got another answer now.
        """
        answers = super().progress(initial, frames)
        for item in self.to_audit(len(frames)):
            self._kept.append(Judged(initial[item].copy(), frames[item].copy(), answers[item].copy()))
        if len(self._kept) >= self.frames:
            self.audit()
        return answers

    def to_audit(self, count: int) -> NDArray[np.int64]:
        return np.flatnonzero(self._rng.random(count) < self.share)

    def keep(self, judged: Judged) -> None:
        """Collect it; what has been collected is replayed in a thread, so that nobody waits.

        Raises:
            ProgramImpure: the replay before found another answer.
        """
        self._kept.append(judged)
        if len(self._kept) >= self.frames:
            self._finish()
            kept, self._kept = self._kept, []
            thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
            same = thread.submit(replay, self.program, self.sandbox, kept, np.random.default_rng())
            thread.shutdown(wait=False)  # it ends with the replay
            self._replay = len(kept), same

    def audit(self) -> None:
        """Replay what has been collected, now.

        Raises:
            ProgramImpure: a frame got another answer.
        """
        self._finish()
        kept, self._kept = self._kept, []
        self._check(len(kept), replay(self.program, self.sandbox, kept, self._rng))

    def close(self) -> None:
        super().close()
        if self._replay:
            wait([self._replay[1]])
            self._replay = None
        self._kept.clear()

    def _finish(self) -> None:
        """Wait for the replay in the thread, if there is one."""
        if self._replay:
            (count, same), self._replay = self._replay, None
            self._check(count, same.result())

    def _check(self, count: int, same: NDArray[np.bool_]) -> None:
        if not same.all():
            raise ProgramImpure(count, int((~same).sum()))
        self.frames_audited += count
