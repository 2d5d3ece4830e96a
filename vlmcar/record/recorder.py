"""Where the training loop's rows go: csv files, the logger, the console."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vlmcar.record.console import Console
from vlmcar.record.folder import ANSWERS, EVAL, LEDGER, TRAIN, RunFolder, how_far


class RunRecorder:
    """Keeps one run's rows and checkpoints in its folder, and tells logger and console.

    Args:
        spent: what the VLM has been asked and what that took so far, as ``vlmcar.vlm.ledger.Ledger.entries``
            gives it; kept with every row, so that a resumed run counts on.
        keep_answers: writes what the judge remembers into a file, with every checkpoint; ``None``: it need not.
        num_subtasks: of the judge; 0: nobody judges.
    """

    def __init__(
        self,
        folder: RunFolder,
        logger: Any,
        console: Console,
        spent: Callable[[], dict[str, Any]],
        keep_answers: Callable[[Path], None] | None = None,
        num_subtasks: int = 0,
    ) -> None:
        self.folder = folder
        self.logger = logger
        self.console = console
        self.spent = spent
        self.keep_answers = keep_answers
        self.num_subtasks = num_subtasks
        self._subtasks = folder.subtasks_done(num_subtasks)  # of a run that goes on
        self._said = False

    def train_row(self, row: Mapping[str, float]) -> None:
        self._row(TRAIN, "train", row)
        if self.num_subtasks and not math.isnan(done := row.get("subtasks_done", math.nan)):
            self._subtasks = how_far(done, self.num_subtasks)
        self.keep_spent()
        for purpose, sources in self.spent().items():
            for source, usage in sources.items():
                known = {f"vlm/{purpose}/{source}/{k}": v for k, v in usage.items() if v is not None}
                self.logger.log(known, int(row["steps"]))

    def eval_row(self, row: Mapping[str, float]) -> None:
        self._row(EVAL, "eval", row)

    def _row(self, file: str, prefix: str, row: Mapping[str, float]) -> None:
        self.folder.append(file, row)
        metrics = {f"{prefix}/{key}": value for key, value in row.items() if key != "steps"}
        self.logger.log(metrics, int(row["steps"]))

    def progress(self, steps: int, success: float | None) -> None:
        self.console.update(steps, success, self._subtasks)

    def checkpoint(self, checkpoint: Any) -> None:
        """Keep a ``vlmcar.training.state.Checkpoint``."""
        if self.keep_answers:
            self.keep_answers(self.folder.path / ANSWERS)
        self.folder.save_checkpoint(checkpoint)
        if checkpoint.environments is None and not self._said:
            self._said = True
            self.console.say(
                "this environment cannot be saved: a run that is stopped goes on with new episodes"
            )

    def keep_spent(self) -> None:
        """What was spent stays spent, also by a run that is killed and goes on from an earlier step."""
        self.folder.write_json(LEDGER, self.spent(), durable=False)
