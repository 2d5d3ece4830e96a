"""Where the training loop's rows go: csv files, the logger, the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlmcar.record.console import Console
from vlmcar.record.folder import EVAL, TRAIN, RunFolder


class RunRecorder:
    """Keeps one run's rows and checkpoints in its folder, and tells logger and console."""

    def __init__(self, folder: RunFolder, logger: Any, console: Console) -> None:
        self.folder = folder
        self.logger = logger
        self.console = console

    def train_row(self, row: Mapping[str, float]) -> None:
        self._row(TRAIN, "train", row)

    def eval_row(self, row: Mapping[str, float]) -> None:
        self._row(EVAL, "eval", row)

    def _row(self, file: str, prefix: str, row: Mapping[str, float]) -> None:
        self.folder.append(file, row)
        metrics = {f"{prefix}/{key}": value for key, value in row.items() if key != "steps"}
        self.logger.log(metrics, int(row["steps"]))

    def progress(self, steps: int, success: float | None) -> None:
        self.console.update(steps, success)

    def checkpoint(self, model: Any) -> None:
        self.folder.save_checkpoint(model)
