"""A program answers, or it raises a readable error; nothing it does reaches the trainer."""

import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vlmcar.program.errors import (
    ProgramAnsweredWrongly,
    ProgramCrashed,
    ProgramError,
    ProgramImpure,
    ProgramScreened,
    ProgramTimedOut,
    readable,
)
from vlmcar.program.sandbox import Worker
from vlmcar.types import ConfigError, Program, VlmcarError

from .helpers import BRIGHT, CHANGED, LEVEL, SHAPE, grey, program, sandbox

Start = Callable[..., Worker]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts workers that end with the test."""
    workers = []

    def start_worker(program: Program, **changes: float) -> Worker:
        workers.append(sandbox(**changes).start(program, SHAPE))
        return workers[-1]

    yield start_worker
    for worker in workers:
        worker.close()


@pytest.fixture
def unscreened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any source through, to see what the process itself withstands."""
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())


def test_known_answers(start: Start) -> None:
    worker = start(program(BRIGHT, LEVEL, CHANGED))
    answers = worker.run(grey(0, 0, 51), grey(0, 255, 51))
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, np.array([[0, 0, 0], [1, 1, 1], [0, 0.2, 0]]), rtol=1e-6)


def test_empty_batch(start: Start) -> None:
    assert start(program(BRIGHT, LEVEL)).run(grey(), grey()).shape == (0, 2)


@pytest.mark.parametrize("good", ["np.bool_(True)", "True", "1.0", "np.float32(1)", "np.float64(1)"])
def test_allowed_types(start: Start, good: str) -> None:
    assert start(program(f"return {good}")).run(grey(0), grey(0)) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("1", "int 1"),
        ("None", "NoneType None"),
        ("np.uint8(1)", "uint8 1"),
        ("frame > 100", "an array of shape (32, 32, 3) and dtype bool"),
        ("np.array(True)", "an array of shape () and dtype bool"),
        ("float('nan')", "float nan"),
        ("float('inf')", "float inf"),
        ("1.5", "float 1.5"),
        ("-0.1", "float -0.1"),
        ("'yes'", "str yes"),
        ("(True,)", "a tuple"),
    ],
)
def test_anything_else_is_no_answer(start: Start, answer: str, words: str) -> None:
    worker = start(program("return True", f"return {answer} if frame[0, 0, 0] == 9 else True"))
    with pytest.raises(ProgramAnsweredWrongly) as caught:
        worker.run(grey(0, 0, 0), grey(0, 9, 0))
    assert (caught.value.kind, caught.value.subtask, caught.value.index) == ("answered_wrongly", "second", 1)
    assert f"returned {words}" in str(caught.value)
    assert "bool, or a float in [0, 1]" in str(caught.value)
    np.testing.assert_array_equal(worker.run(grey(0), grey(0)), [[1, 1]])  # still serves


def test_exceptions_name_sub_task_item_and_line(start: Start) -> None:
    worker = start(program("return True", "x = 1 // int(frame[0, 0, 0])\nreturn True"), batch=2)
    with pytest.raises(ProgramCrashed) as caught:
        worker.run(grey(0, 0, 0, 0), grey(1, 1, 1, 0))
    message = str(caught.value)
    assert message.startswith("program crashed in 'second' on item 3: line 8: ZeroDivisionError: ")
    assert caught.value.index == 3
    assert worker.alive


def test_cv2_errors_are_short(start: Start) -> None:
    worker = start(program("cv2.cvtColor(frame[..., 0], cv2.COLOR_RGB2HSV)\nreturn True"))
    with pytest.raises(ProgramCrashed, match=r"line 6: cv2.error: Invalid number of channels"):
        worker.run(grey(0), grey(0))


@pytest.mark.parametrize(
    "exit", ["raise SystemExit(0)", "raise KeyboardInterrupt", "assert False, 'x' * 10**6"]
)
def test_every_exception_is_reported_and_bounded(start: Start, exit: str) -> None:
    with pytest.raises(ProgramCrashed) as caught:
        start(program(exit)).run(grey(0), grey(0))
    assert len(str(caught.value)) < 400


def test_text_of_the_program_is_one_printable_line(start: Start) -> None:
    worker = start(program(r"raise ValueError('\x1b[31mred\nline\u202e\0')"))
    with pytest.raises(ProgramCrashed) as caught:
        worker.run(grey(0), grey(0))
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    assert r"ValueError: \x1b[31mred line\u202e\x00" in str(caught.value)
    assert readable("a" * 1000).endswith("a...")


def test_module_body_errors(start: Start) -> None:
    with pytest.raises(ProgramCrashed, match="while loading, line 4: NameError: name 'missing'"):
        start(program("return True", head="x = missing"))
    with pytest.raises(ProgramTimedOut, match=r"1 s \+ 1 frame \* frame_seconds=0.02 of CPU time") as caught:
        start(program("return True", head="while True: pass"))
    assert caught.value.subtask is None
    assert caught.value.index is None


def test_endless_loop_times_out_in_bounds(start: Start) -> None:
    worker = start(program("return True", "while frame[0, 0, 0] == 9: pass\nreturn True"))
    began = time.monotonic()
    with pytest.raises(ProgramTimedOut) as caught:
        worker.run(grey(0, 0), grey(0, 9))
    assert 1.0 < time.monotonic() - began < 3.0  # the deadline is 1 s + 2 * 0.02 s
    assert (caught.value.subtask, caught.value.index) == ("second", 1)
    assert not os.path.exists(f"/proc/{worker.pid}")
    with pytest.raises(VlmcarError, match="closed"):
        worker.run(grey(0), grey(0))
    assert start(program(BRIGHT)).run(grey(0), grey(255)) == 1  # the next program is untouched


def test_memory_bomb(start: Start) -> None:
    worker = start(program("return bool(np.ones((4096, 1024, 1024), np.uint8).any())"))
    with pytest.raises(ProgramCrashed, match="MemoryError"):
        worker.run(grey(0), grey(0))


def test_deep_recursion(start: Start) -> None:
    worker = start(program("return down(0)", head="def down(n):\n    return down(n + 1)"))
    with pytest.raises(ProgramCrashed, match="RecursionError"):
        worker.run(grey(0), grey(0))


@pytest.mark.usefixtures("unscreened")
@pytest.mark.parametrize(
    ("death", "words"),
    [
        ("import os; os.abort()", "made a system call that programs may not make"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os._exit(0)", "exit code 0"),
    ],
)
def test_death_of_the_process_is_a_crash(start: Start, death: str, words: str) -> None:
    worker = start(program("return True", death))
    with pytest.raises(ProgramCrashed, match=words) as caught:
        worker.run(grey(0), grey(0))
    assert (caught.value.subtask, caught.value.index) == ("second", 0)
    assert not worker.alive
    assert not os.path.exists(f"/proc/{worker.pid}")


def test_in_place_edits_stay_in_the_call(start: Start) -> None:
    """Every function of every item sees the frames as they were given."""
    vandal = "clean = frame.mean() == 50 and initial.mean() == 20\nframe[:] = 0\ninitial[:] = 0\n"
    vandal += "frame.setflags(write=False)\nreturn bool(clean)"
    worker = start(program(vandal, vandal))
    initial, frames = grey(20, 20, 20), grey(50, 50, 50)
    for _ in range(2):
        assert worker.run(initial, frames).all()
    assert (initial == 20).all()
    assert (frames == 50).all()
    assert (worker.process.shared.images[:3] == 50).all()


def test_chunks_equal_one_by_one(start: Start) -> None:
    rng = np.random.default_rng(0)
    initial, frames = rng.integers(0, 256, (2, 11, *SHAPE), dtype=np.uint8)
    initial[5:] = initial[0]
    source = program(LEVEL, "return float((initial > frame).mean())")
    whole, chunked = start(source).run(initial, frames), start(source, batch=3).run(initial, frames)
    one_by_one = start(source, batch=1)
    single = [one_by_one.run(initial[i : i + 1], frames[i : i + 1])[0] for i in range(11)]
    np.testing.assert_array_equal(whole, chunked)
    np.testing.assert_array_equal(whole, single)
    np.testing.assert_allclose(whole[:, 0], frames.mean(axis=(1, 2, 3)) / 255, rtol=1e-6)


def test_screened_source_is_never_run(start: Start, tmp_path: Path) -> None:
    target = tmp_path / "written.npy"
    with pytest.raises(ProgramScreened) as caught:
        start(program(f"np.save('{target}', frame)\nreturn True"))
    (problem,) = caught.value.problems
    assert problem.startswith("line 6: '.save' is not allowed")
    assert caught.value.kind == "screened"
    assert not target.exists()


def test_wrong_frames_are_the_callers_error(start: Start) -> None:
    worker = start(program(BRIGHT))
    with pytest.raises(VlmcarError, match="float32"):
        worker.run(grey(0).astype(np.float32), grey(0))
    with pytest.raises(VlmcarError, match="same shape"):
        worker.run(grey(0), grey(0, 1))
    with pytest.raises(VlmcarError, match=r"\(16, 16, 3\)"):
        worker.run(grey(0, shape=(16, 16, 3)), grey(0, shape=(16, 16, 3)))
    assert worker.alive


def test_interrupt_closes_the_worker(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C an answer may still be under way: the worker must not serve again."""
    worker = start(program(BRIGHT))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker.process, "receive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        worker.run(grey(0), grey(0))
    assert not worker.alive


@pytest.mark.parametrize(
    "error",
    [
        ProgramCrashed("x", "first", 3),
        ProgramTimedOut("x"),
        ProgramAnsweredWrongly("x"),
        ProgramScreened(["a", "b"]),
        ProgramImpure(9, 2),
    ],
)
def test_errors_survive_pickling(error: ProgramError) -> None:
    """joblib brings them back from another process."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"startup_seconds": 0.0}, "startup_seconds=0.0"),
        ({"frame_seconds": -1.0}, "frame_seconds=-1.0"),
        ({"frame_seconds": float("inf")}, "frame_seconds=inf"),
        ({"memory_mb": 8}, "memory_mb=8 must be at least 64"),
        ({"batch": 0}, "batch=0"),
        ({"batch": 10**6}, "batch=1000000"),
    ],
)
def test_nonsense_values_are_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sandbox(**changes)
