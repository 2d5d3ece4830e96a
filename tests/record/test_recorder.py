"""What a run tells while it trains: how far the agent gets, from the rows that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlmcar.record.folder import TRAIN, RunFolder
from vlmcar.record.none import NoLogger
from vlmcar.record.recorder import RunRecorder


class Shown:
    """A console's place: keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, float | None, str]] = []

    def update(self, steps: int, success: float | None, subtasks: str = "") -> None:
        self.told.append((steps, success, subtasks))


def recorder(folder: Path, num_subtasks: int) -> RunRecorder:
    return RunRecorder(RunFolder(folder), NoLogger("none"), Shown(), dict, num_subtasks=num_subtasks)


@pytest.mark.parametrize(("num_subtasks", "told"), [(3, ["", "0.5 of 3", "2.0 of 3"]), (0, ["", "", ""])])
def test_progress_says_how_many_sub_tasks_the_last_rows_episodes_did(
    tmp_path: Path, num_subtasks: int, told: list[str]
) -> None:
    one = recorder(tmp_path, num_subtasks)
    one.progress(50, None)
    for steps, done in ((100, 0.5), (200, 2.0)):
        one.train_row({"steps": steps, "subtasks_done": done})
        one.progress(steps, 0.0)
    assert one.console.told == [(50, None, told[0]), (100, 0.0, told[1]), (200, 0.0, told[2])]
    again = recorder(tmp_path, num_subtasks)  # a run that goes on
    again.progress(201, 0.0)
    assert again.console.told == [(201, 0.0, told[2])]
    assert (tmp_path / TRAIN).is_file()
