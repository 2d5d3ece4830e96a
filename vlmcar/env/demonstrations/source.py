"""Which kind of demonstrations a source is: told here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vlmcar.env.demonstrations.acting import Expert, acting
from vlmcar.env.demonstrations.recorded import MINARI, read
from vlmcar.types import ConfigError, Trajectory


@dataclass
class Recorded:
    """Episodes on disk, which are read when they are first asked for."""

    source: str
    most: int | None = None
    size: tuple[int, int] | None = None

    @cached_property
    def trajectories(self) -> list[Trajectory]:
        """As ``read`` gives them, with its errors."""
        return read(self.source, self.most, self.size)


def open_source(
    source: str, algorithm: str | None = None, most: int | None = None, size: tuple[int, int] | None = None
) -> Recorded | Expert:
    """What a source is; nothing is read, loaded or imported yet.

    Args:
        source: as this package's docstring says.
        algorithm: of a Stable-Baselines3 policy; ``None`` for everything else.
        most: of recorded episodes, as ``read`` has it.
        size: likewise.

    Raises:
        ConfigError: there is no such source, or ``algorithm`` is missing or has nothing to name.
    """
    path = Path(source).expanduser()
    looks_recorded = source.startswith(MINARI) or (path.exists() and path.suffix.lower() != ".zip")
    if not looks_recorded and (":" in source or path.suffix.lower() == ".zip"):
        return acting(source, algorithm)
    if not looks_recorded:
        raise ConfigError(
            f"{source} does not exist: give a folder, a video, an npz file, minari:<dataset id>, a policy's .zip, or "
            "module:function"
        )
    if algorithm is not None:
        raise ConfigError(
            f"algorithm={algorithm} belongs to a policy's .zip; for the episodes of {source} leave it null"
        )
    return Recorded(source, most, size)
