"""Episodes in NumPy's npz files, one each: the only kind of file that also holds actions and rewards."""

from __future__ import annotations

import os
import tempfile
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vlmcar.env.demonstrations.recording import Recording, actions_of, refuse_size, rewards_of
from vlmcar.env.words import first_line
from vlmcar.types import ConfigError, Trajectory, VlmcarError

_NAMES = ("frames", "actions", "rewards", "success", "seed")


def recording(path: Path) -> Recording:
    """The episode of one file; arrays of other names are left alone.

    Raises:
        VlmcarError: it cannot be read, has no frames, or arrays of the wrong shape or type.
    """
    name, arrays = str(path), _load(path)
    frames = arrays["frames"]
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise VlmcarError(
            f"{name}: frames must be uint8 (steps + 1, height, width, 3) RGB; they are {frames.dtype} {frames.shape}"
        )
    steps = len(frames) - 1
    actions, rewards = arrays.get("actions"), arrays.get("rewards")
    seed = _number(arrays, "seed", name)
    return Recording(
        name,
        frames,
        None if actions is None else actions_of(actions, steps, name),
        None if rewards is None else rewards_of(rewards, steps, name),
        success=_number(arrays, "success", name) != 0,
        seed=seed,
    )


def write_npz(path: str | Path, trajectory: Trajectory) -> None:
    """Keep an episode as a file that ``read`` gives back, but for its kind; written whole or not at all.

    Args:
        path: ends in ``.npz``; its folder is made, and a file that is there is replaced.
        trajectory: any; ``seed`` is that of the environment's reset.

    Raises:
        ConfigError: another ending.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".npz":
        raise ConfigError(f"{path} must end in .npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(getattr(trajectory, name)) for name in _NAMES}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        whole = Path(folder) / "episode.npz"
        np.savez_compressed(whole, **arrays)
        os.replace(whole, path)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with opened as file:
            if "frames" not in file:
                raise VlmcarError(f"{path} has no array called frames, but {', '.join(file) or 'nothing'}")
            refuse_size(file.zip.getinfo("frames.npy").file_size, str(path))  # before it is unpacked
            return {name: file[name] for name in _NAMES if name in file}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, NotImplementedError) as error:
        raise VlmcarError(
            f"{path} cannot be read as an npz file ({first_line(error)}): write it anew"
        ) from error


def _number(arrays: dict[str, NDArray[Any]], what: str, name: str) -> int | None:
    """A single whole number of 0 or more, or ``None`` where it is not there."""
    value = arrays.get(what)
    if value is None:
        return None
    if value.size != 1 or value.dtype.kind not in "biu" or value.item() < 0:
        raise VlmcarError(
            f"{name}: {what} must be a single whole number of 0 or more; it is {value.dtype} {value.shape}"
        )
    return int(value.item())
