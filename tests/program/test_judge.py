"""The judge: asks once per distinct pair, remembers, and replays a lost batch once."""

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from vlmcar.program.errors import ProgramCrashed, ProgramTimedOut
from vlmcar.program.judge import ProgramJudge, Shape
from vlmcar.program.process import Process
from vlmcar.program.sandbox import Sandbox, Worker
from vlmcar.types import Frames, Judge, Program

from .helpers import BRIGHT, CHANGED, LEVEL, grey, program, sandbox


@pytest.fixture
def judge() -> Iterator[ProgramJudge]:
    with ProgramJudge(program(BRIGHT, LEVEL, CHANGED), sandbox()) as judge:
        yield judge


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """Every worker started from now on."""
    workers: list[Worker] = []
    original = Sandbox.start

    def start(self: Sandbox, program: Program, shape: Shape, spare: Process | None = None) -> Worker:
        workers.append(original(self, program, shape, spare))
        return workers[-1]

    monkeypatch.setattr(Sandbox, "start", start)
    return workers


def test_is_a_judge_with_known_answers(judge: ProgramJudge) -> None:
    assert isinstance(judge, Judge)
    assert judge.num_subtasks == 3
    answers = judge.progress(grey(0, 0, 51), grey(0, 255, 51))
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, np.array([[0, 0, 0], [1, 1, 1], [0, 0.2, 0]]), rtol=1e-6)


def test_each_distinct_pair_is_judged_once(judge: ProgramJudge, starts: list[Worker]) -> None:
    initial, frames = grey(0, 0, 0, 9, 9), grey(5, 5, 9, 9, 5)
    expected = [[0, 5 / 255, 1]] * 2 + [[0, 9 / 255, 1], [0, 9 / 255, 0], [0, 5 / 255, 1]]
    np.testing.assert_allclose(judge.progress(initial, frames), expected, rtol=1e-6)
    assert (judge.frames_judged, judge.frames_remembered) == (4, 1)
    np.testing.assert_allclose(judge.progress(initial[::-1], frames[::-1]), expected[::-1], rtol=1e-6)
    assert (judge.frames_judged, judge.frames_remembered) == (4, 6)
    np.testing.assert_allclose(judge.progress(grey(0, 1), grey(5, 1))[:, 2], [1, 0])
    assert (judge.frames_judged, judge.frames_remembered) == (5, 7)
    assert len(starts) == 1
    assert judge.seconds > 0


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    with ProgramJudge(program(LEVEL), sandbox(), remember=2) as judge:
        answers = judge.progress(grey(0, 0, 0), grey(1, 2, 3))  # more than it remembers
        np.testing.assert_allclose(answers[:, 0], np.array([1, 2, 3]) / 255, rtol=1e-6)
        judge.progress(grey(0), grey(2))  # used again: now 3 is the oldest
        judge.progress(grey(0), grey(4))
        assert (judge.frames_judged, judge.frames_remembered) == (4, 1)
        judge.progress(grey(0, 0), grey(2, 4))
        assert (judge.frames_judged, judge.frames_remembered) == (4, 3)
        judge.progress(grey(0), grey(3))
        assert judge.frames_judged == 5


def test_another_shape_gets_its_own_worker(starts: list[Worker]) -> None:
    body = "return bool(frame.shape[0] > frame.shape[1])"
    with ProgramJudge(program(body), sandbox()) as judge:
        for _ in range(2):
            assert judge.progress(grey(0, shape=(16, 8, 3)), grey(0, shape=(16, 8, 3))) == 1
            assert judge.progress(grey(0, shape=(8, 16, 3)), grey(0, shape=(8, 16, 3))) == 0
    assert [worker.shape for worker in starts] == [(16, 8, 3), (8, 16, 3)]


def test_nothing_starts_before_the_first_frame(starts: list[Worker]) -> None:
    judge = ProgramJudge(program(BRIGHT), sandbox())
    judge.close()
    assert starts == []


def test_a_lost_worker_is_replaced_and_the_batch_replayed(judge: ProgramJudge, starts: list[Worker]) -> None:
    judge.progress(grey(0), grey(0))
    os.kill(starts[0].pid, signal.SIGKILL)
    np.testing.assert_allclose(judge.progress(grey(0), grey(255)), [[1, 1, 1]])
    assert len(starts) == 2
    assert not os.path.exists(f"/proc/{starts[0].pid}")


def test_a_second_time_out_is_final(starts: list[Worker]) -> None:
    body = "while frame[0, 0, 0] == 9: pass\nreturn True"
    with ProgramJudge(program(body), sandbox()) as judge:
        judge.progress(grey(0), grey(1))
        with pytest.raises(ProgramTimedOut) as caught:
            judge.progress(grey(0, 0, 0, 0), grey(1, 1, 2, 9))
        assert len(starts) == 2
        assert caught.value.index == 3  # of the caller's batch, although two items were not sent
        assert not any(worker.alive for worker in starts)
        assert judge.progress(grey(0), grey(2)) == 1  # a third worker serves the next batch


def test_an_exception_is_final_without_replay(starts: list[Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    body = "assert frame[0, 0, 0] != 9\nreturn True"
    with ProgramJudge(program("return True", body), sandbox()) as judge:
        np.testing.assert_array_equal(judge.progress(grey(0), grey(1)), [[1, 1]])
        runs, run = [], starts[0].run

        def counted(initial: Frames, frames: Frames) -> NDArray[np.float32]:
            runs.append(len(frames))
            return run(initial, frames)

        monkeypatch.setattr(starts[0], "run", counted)
        with pytest.raises(ProgramCrashed) as caught:
            judge.progress(grey(0, 0, 0, 0), grey(1, 2, 2, 9))
        assert (caught.value.subtask, caught.value.index) == ("second", 3)
        assert (judge.frames_judged, judge.frames_remembered) == (1, 0)
        np.testing.assert_array_equal(judge.progress(grey(0), grey(2)), [[1, 1]])
    assert len(starts) == 1
    assert runs == [2, 1]  # the failed batch once, as its two distinct new pairs; then the next


def test_close_is_final_for_processes_and_may_be_repeated(starts: list[Worker]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    judge = ProgramJudge(program(BRIGHT), sandbox())
    judge.progress(grey(0), grey(0))
    judge.close()
    judge.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert not os.path.exists(f"/proc/{starts[0].pid}")
