"""The training loop's story: learn, record, evaluate, checkpoint, until the budget is spent."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from vlmcar import stopping
from vlmcar.training.evaluate import Evaluations, Evaluator
from vlmcar.types import ConfigError, VlmcarError

MOST_THREADS = 256
MOST_LEVELS = 2**31


class Recorder(Protocol):
    """Where rows, checkpoints and progress go; ``vlmcar.record.recorder.RunRecorder``."""

    def train_row(self, row: dict[str, float]) -> None: ...
    def eval_row(self, row: dict[str, float]) -> None: ...
    def progress(self, steps: int, success: float | None) -> None: ...
    def checkpoint(self, checkpoint: Any) -> None: ...


@dataclass
class Training:
    """Budget and bookkeeping, the same for every method."""

    steps: int
    record_every: int
    eval_every: int
    eval_episodes: int
    final_eval_episodes: int
    eval_seed: int
    checkpoint_every: int
    torch_threads: int
    device: str

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise ConfigError(f"training.device={self.device} is neither cpu nor cuda")
        for name, value in asdict(self).items():
            if name == "device":
                continue
            least = 0 if name == "eval_seed" else 1
            if value < least:
                raise ConfigError(f"training.{name}={value} must be at least {least}")

        if self.torch_threads > MOST_THREADS:  # a million crash the process without a word
            raise ConfigError(f"training.torch_threads={self.torch_threads} must be at most {MOST_THREADS}")
        if self.eval_seed + self.most_episodes > MOST_LEVELS:
            raise ConfigError(
                f"training.eval_seed={self.eval_seed} reaches beyond {MOST_LEVELS}, the last level"
            )

    def check_device(self) -> None:
        """Before the run leaves a file.

        Raises:
            VlmcarError: there is no such device here.
        """
        if self.device == "cpu":
            return
        import torch

        if not torch.cuda.is_available():
            raise VlmcarError(
                f"training.device={self.device}, but PyTorch sees no GPU here; training.device=cpu runs anywhere"
            )

    @property
    def most_episodes(self) -> int:
        """Levels, from ``eval_seed`` on, that any evaluation plays."""
        return max(self.eval_episodes, self.final_eval_episodes)


@dataclass(frozen=True)
class Trained:
    """What a training gave."""

    model: Any
    final: Evaluations
    train_seconds: float
    """Learning with its evaluations, without the final one."""
    steps_per_second: float
    """Training steps per second, evaluations not counted."""


def train(
    settings: Training,
    algorithm: Any,
    venv: Any,
    evaluator: Evaluator,
    recorder: Recorder,
    seed: int,
    checkpoint: Path | None = None,
) -> Trained:
    """Train until the budget is spent.

    Args:
        settings: budget and intervals.
        algorithm: a component of ``conf/algorithm``.
        venv: the rewarded vector environment.
        evaluator: measures success; never sees the reward.
        recorder: keeps rows and checkpoints.
        seed: of the policy's initialisation and exploration.
        checkpoint: what ``recorder`` kept, to go on from: as if nothing had been between, where the environment could
            be saved; otherwise with new episodes.

    Raises:
        Stopped: a signal asked for it (``vlmcar.stopping``); a checkpoint was kept.
    """
    import torch

    from vlmcar.training.bookkeeper import Bookkeeper
    from vlmcar.training.diverged import divergence_explained
    from vlmcar.training.state import read, restore

    torch.set_num_threads(settings.torch_threads)
    state = read(checkpoint) if checkpoint else None
    if checkpoint:
        model = algorithm.load(str(checkpoint), venv, settings.device, anew=state is None)
    else:
        model = algorithm.model(venv, seed, settings.device)
    algorithm.defer(model, venv)
    model.set_logger(_no_log())
    bookkeeper = Bookkeeper(settings, evaluator, recorder, venv)
    if checkpoint and state:
        restore(checkpoint, state, model, venv, bookkeeper)
    started, first_step = time.perf_counter(), model.num_timesteps
    with stopping.polled(), divergence_explained(model):
        model.learn(settings.steps - first_step, callback=bookkeeper, reset_num_timesteps=checkpoint is None)
        bookkeeper.keep()
    seconds = time.perf_counter() - started
    learning = seconds - bookkeeper.evaluation_seconds
    final = bookkeeper.evaluate(settings.final_eval_episodes)
    return Trained(model, final, seconds, (model.num_timesteps - first_step) / max(learning, 1e-9))


def _no_log() -> Any:
    """Rows are the recorder's; Stable-Baselines3's own log would leave a folder in /tmp with every run."""
    from stable_baselines3.common.logger import Logger

    return Logger(folder=None, output_formats=[])
