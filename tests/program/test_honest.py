"""Honest programs pass screening, and answer bit for bit as they do in-process: nothing they need is locked away.

Each file in `honest/` is one program, as a VLM might write it; a new file is tested the moment it exists.
"""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vlmcar.program.screening import screen
from vlmcar.types import Frames, Program, SubTask

from .helpers import HONEST, sandbox
from .scenes import pairs

SUBTASKS = (SubTask("first", "One."), SubTask("second", "Two."))
LARGE = list(HONEST)[::6]


def in_process(source: str, initial: Frames, frames: Frames) -> NDArray[np.float32]:
    """float32 (n, 2), without the routines that round by how memory is aligned."""
    namespace: dict[str, Callable[..., float]] = {}
    exec(source, namespace)
    answers = np.zeros((len(frames), 2), np.float32)
    cv2.ipp.setUseIPP(False)
    try:
        for index, name in np.ndindex(len(frames), 2):
            cv2.setRNGSeed(0)
            answers[index, name] = namespace[SUBTASKS[name].name](initial[index].copy(), frames[index].copy())
    finally:
        cv2.ipp.setUseIPP(True)
    return answers


def in_sandbox(source: str, initial: Frames, frames: Frames) -> NDArray[np.float32]:
    """float32 (n, 2)."""
    worker = sandbox(frame_seconds=1.0).start(Program(SUBTASKS, source), frames.shape[1:])
    try:
        return worker.run(initial, frames)
    finally:
        worker.close()


@pytest.mark.parametrize("name", HONEST)
def test_passes_screening(name: str) -> None:
    assert screen(HONEST[name], SUBTASKS) == ()


@pytest.mark.filterwarnings("ignore")  # numpy's, of programs that divide by zero
@pytest.mark.parametrize("name", HONEST)
def test_answers_as_in_process(name: str) -> None:
    initial, frames = pairs(32, size=32)
    answers = in_sandbox(HONEST[name], initial, frames)
    np.testing.assert_array_equal(answers, in_process(HONEST[name], initial, frames))
    assert max(len(np.unique(column)) for column in answers.T) > 1, (
        "it always says the same, and so tests nothing"
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LARGE)
def test_answers_as_in_process_on_large_frames(name: str) -> None:
    initial, frames = pairs(5, size=256)
    answers = in_sandbox(HONEST[name], initial, frames)
    np.testing.assert_array_equal(answers, in_process(HONEST[name], initial, frames))


def test_random_starts_of_cv2_are_fixed_per_call() -> None:
    initial, _ = pairs(2, size=32)
    scene = initial[:1].repeat(6, axis=0)
    assert len(np.unique(in_sandbox(HONEST["kmeans_and_histograms"], scene, scene)[:, 1])) == 1
