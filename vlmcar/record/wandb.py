"""``logger=wandb``: config, curves, images, the program and its verdict, in Weights & Biases."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmcar.types import ConfigError, Frame

_MODES = ("auto", "online", "offline")


@dataclass
class WandB:
    """Weights & Biases through its own client.

    Runs are grouped by everything but the seed, so that seeds average with one click. The run folder's csv
    files stay the record; a failing upload never stops a training.
    """

    name: str
    project: str
    entity: str | None
    mode: str

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ConfigError(f"logger.mode={self.mode} is none of {', '.join(_MODES)}")

    def start(self, folder: Path, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Open the run; a resumed one goes on under the same id."""
        import wandb

        os.environ.setdefault("WANDB_SILENT", "true")
        group = "/".join(str(manifest[key]) for key in ("env", "method", "vlm", "algorithm"))
        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=self._mode(),
            dir=str(folder),
            id=str(manifest["wandb_id"]),
            resume="allow",
            group=group,
            name=f"{group}/seed_{manifest['seed']}",
            tags=[str(manifest["config_hash"])],
            config={**config, "manifest": dict(manifest)},
            settings=wandb.Settings(console="off", silent=True, x_disable_stats=True),
        )
        self._run.define_metric("steps")
        self._run.define_metric("*", step_metric="steps")

    def log(self, metrics: Mapping[str, float], steps: int) -> None:
        """One point of each curve; missing values (nan) are left out."""
        self._run.log({**{k: v for k, v in metrics.items() if v == v}, "steps": steps})

    def images(self, images: Mapping[str, Frame]) -> None:
        """Frames by name."""
        import wandb

        self._run.log({name: wandb.Image(image) for name, image in images.items()})

    def text(self, name: str, content: str) -> None:
        """A program or a verdict, shown as preformatted text."""
        import html

        import wandb

        self._run.log({name: wandb.Html(f"<pre>{html.escape(content)}</pre>")})

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Close the run; ``None`` marks it as failed."""
        if result is not None:
            self._run.summary.update(json.loads(json.dumps(result)))
        self._run.finish(exit_code=0 if result is not None else 1)

    def _mode(self) -> Any:
        if self.mode != "auto":
            return self.mode
        import wandb

        return "online" if wandb.login(prompt=False) else "offline"
