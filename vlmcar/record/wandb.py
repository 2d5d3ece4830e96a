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
    files stay the record; without a connection at the start, the run is kept offline.
    """

    name: str
    project: str
    entity: str | None
    mode: str

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ConfigError(f"logger.mode={self.mode} is none of {', '.join(_MODES)}")

    def start(self, folder: Path, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Open the run; a resumed one goes on under the same id. Without a connection it is kept offline."""
        import wandb

        os.environ.setdefault("WANDB_SILENT", "true")
        parts = [str(manifest[key]) for key in ("env", "method", "label", "vlm", "algorithm")]
        group = "/".join(part for part in parts if part)
        settings: dict[str, Any] = {
            "project": self.project,
            "entity": self.entity,
            "dir": str(folder),
            "id": str(manifest["wandb_id"]),
            "resume": "allow",
            "group": group,
            "name": f"{group}/seed_{manifest['seed']}" + _refined(manifest),
            "tags": [str(manifest["config_hash"])],
            "config": {**config, "manifest": dict(manifest)},
            "settings": wandb.Settings(console="off", silent=True, x_disable_stats=True),
        }
        try:
            self._run = wandb.init(mode=self._mode(), **settings)
        except (wandb.Error, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            print(
                f"W&B cannot be used online ({reason}); this run is kept offline, for `wandb sync`",
                flush=True,
            )
            self._run = wandb.init(mode="offline", **settings)
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
            if (result.get("audit") or {}).get("exploited"):
                self._run.tags = (*(self._run.tags or ()), "reward exploited")
        self._run.finish(exit_code=0 if result is not None else 1)

    def _mode(self) -> Any:
        if self.mode != "auto":
            return self.mode
        if os.environ.get("WANDB_MODE"):
            return os.environ["WANDB_MODE"]
        import wandb

        return "online" if wandb.login(prompt=False) else "offline"


def _refined(manifest: Mapping[str, Any]) -> str:
    """A training that began again on a refined program is a run of its own."""
    return f"/refined_{manifest['refinements']}" if manifest.get("refinements") else ""
