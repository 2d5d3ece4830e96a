"""``logger=wandb``: config, curves, images, the program and its verdict, in Weights & Biases."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmcar.record.processes import below
from vlmcar.types import ConfigError, Frame

_MODES = ("auto", "online", "offline")
SENT = "sent.json"
"""In a run's ``wandb`` folder: what W&B has been told, so that a resumed run tells nothing twice."""
UNSENT = "unsent"
"""In the folder of an online run that broke off: `make wandb-sync` sends it."""


@dataclass
class WandB:
    """Weights & Biases through its own client.

    Runs are grouped by everything but the seed, so that seeds average with one click. The run folder's csv
    files stay the record: without a connection at the start the run is kept offline, and a failure later on ends
    what W&B is told, never the run.
    """

    name: str
    project: str
    entity: str | None
    mode: str
    init_seconds: float
    """For which a connection is tried at the start."""
    finish_seconds: float
    """For which the end waits until everything is uploaded."""

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ConfigError(f"logger.mode={self.mode} is none of {', '.join(_MODES)}")
        for name in ("init_seconds", "finish_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"logger.{name}={getattr(self, name)} must be above 0")

    def start(self, folder: Path, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Open the run; a resumed one goes on under the same id. Without a connection it is kept offline."""
        self._run: Any = None
        self._sent = _Sent(folder / "wandb" / SENT, str(manifest["wandb_id"]))
        try:
            self._run = self._opened(folder, manifest, config)
            self._run.define_metric("steps")
            self._run.define_metric("*", step_metric="steps")
        except Exception as error:
            self._give_up(error)

    def _opened(self, folder: Path, manifest: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
        import wandb

        os.environ.setdefault("WANDB_SILENT", "true")
        parts = [str(manifest[key]) for key in ("env", "method", "label", "vlm", "algorithm")]
        group = "/".join(part for part in parts if part)
        client = wandb.Settings(
            console="off",
            silent=True,
            x_disable_stats=True,
            init_timeout=self.init_seconds,
            finish_timeout=self.finish_seconds,
            finish_timeout_raises=True,
        )
        settings: dict[str, Any] = {
            "project": self.project,
            "entity": self.entity,
            "dir": str(folder),
            "id": str(manifest["wandb_id"]),
            "resume": "allow",
            "reinit": "create_new",  # never the one before, which may be broken
            "group": group,
            "name": f"{group}/seed_{manifest['seed']}" + _refined(manifest),
            "tags": [str(manifest["config_hash"])],
            "config": {**config, "manifest": dict(manifest)},
            "settings": client,
        }
        try:
            return wandb.init(mode=self._mode(), **settings)
        except (wandb.Error, ValueError) as error:
            print(
                f"W&B cannot be used online ({_reason(error)}); this run is kept offline, for `make wandb-sync`",
                flush=True,
            )
            self._end_service()  # or it would say that a run of this id is in use
            return wandb.init(mode="offline", **settings)

    def _end_service(self) -> None:
        """End W&B's own process, which has been seen not to end by itself."""
        import wandb

        def kill() -> None:
            for pid in below(os.getpid(), "wandb-core"):
                os.kill(pid, signal.SIGKILL)

        timer = threading.Timer(self.init_seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            wandb.teardown()
        finally:
            timer.cancel()

    def log(self, metrics: Mapping[str, float], steps: int) -> None:
        """One point of each curve; missing values (nan) are left out, and what an earlier session has told."""
        new = self._sent.later({name: steps for name, value in metrics.items() if value == value})
        if new:
            self._tell(lambda run: run.log({**{name: metrics[name] for name in new}, "steps": steps}), new)

    def images(self, images: Mapping[str, Frame]) -> None:
        """Frames by name."""
        new = self._sent.others(
            {name: hashlib.sha256(image.tobytes()).hexdigest() for name, image in images.items()}
        )
        if new:
            import wandb

            self._tell(lambda run: run.log({name: wandb.Image(images[name]) for name in new}), new)

    def text(self, name: str, content: str) -> None:
        """A program or a verdict, shown as preformatted text."""
        new = self._sent.others({name: hashlib.sha256(content.encode()).hexdigest()})
        if new:
            import html

            import wandb

            shown = f"<pre>{html.escape(content)}</pre>"
            self._tell(lambda run: run.log({name: wandb.Html(shown)}), new)

    def finish(self, result: Mapping[str, Any] | None) -> None:
        """Close the run; ``None`` marks it as failed."""

        def close(run: Any) -> None:
            if result is not None:
                run.summary.update(json.loads(json.dumps(result)))
                if (result.get("audit") or {}).get("exploited"):
                    run.tags = (*(run.tags or ()), "reward exploited")
            run.finish(exit_code=0 if result is not None else 1)

        self._tell(close, {})

    def _tell(self, do: Callable[[Any], Any], new: Mapping[str, Any]) -> None:
        if self._run is None:
            return
        try:
            do(self._run)
            self._sent.add(new)
        except Exception as error:  # whatever it is: no training ends because of its pictures
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Tell W&B nothing more in this session, and say so once."""
        print(
            f"W&B failed ({_reason(error)}): the csv files go on; `make wandb-sync` sends later what it had",
            flush=True,
        )
        with suppress(Exception):  # nothing that is asked of a broken client may break the run
            Path(self._run.dir).with_name(UNSENT).touch()
        self._run = None

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


class _Sent:
    """What W&B has been told of a run: the last step of each curve, the digest of each picture and text."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._path, self._id = path, run_id
        self._known: dict[str, Any] = {}
        with suppress(OSError, ValueError, AttributeError):  # none, or half a file
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.get("id") == run_id:
                self._known = content["sent"]

    def later(self, steps: Mapping[str, int]) -> dict[str, int]:
        """Those curves whose point at this step is new: a resumed run goes over the same steps once more."""
        return {name: at for name, at in steps.items() if at > self._known.get(name, -1)}

    def others(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Those whose content is another."""
        return {name: digest for name, digest in digests.items() if digest != self._known.get(name)}

    def add(self, new: Mapping[str, Any]) -> None:
        if not new:
            return
        self._known |= new
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".partial")
        temporary.write_text(json.dumps({"id": self._id, "sent": self._known}), encoding="utf-8")
        os.replace(temporary, self._path)


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
