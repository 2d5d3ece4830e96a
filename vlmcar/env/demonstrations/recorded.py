"""A source of recorded episodes: which files there are, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from vlmcar.env.demonstrations import npz, pictures, video
from vlmcar.env.demonstrations.order import files, visible
from vlmcar.env.demonstrations.recording import Recording, trajectories
from vlmcar.types import ConfigError, Trajectory

MINARI = "minari:"
FILES: dict[str, tuple[tuple[str, ...], Callable[[Path], Recording]]] = {
    "npz files": ((".npz",), npz.recording),
    "videos": (video.SUFFIXES, video.recording),
}
"""Kinds of files that are an episode each: their suffixes and their reader."""
_READABLE = (
    f"pictures ({', '.join(pictures.SUFFIXES)}), folders of pictures, npz files, or videos "
    f"({', '.join(video.SUFFIXES)})"
)


def read(source: str, most: int | None = None, size: tuple[int, int] | None = None) -> list[Trajectory]:
    """The recorded episodes of a source, with kind ``expert``.

    A trajectory's ``seed`` is that of its reset where the file says it, and its number (0, 1, ...) elsewhere;
    unknown actions are float32 (steps, 0), and unknown rewards 0.

    Args:
        source: a folder, a file, or ``minari:<dataset id>``, as the package's docstring says.
        most: so many episodes are read, the first ones; ``None``: all.
        size: (height, width) in pixels that frames are resized to; ``None``: as they are.

    Raises:
        ConfigError: the source is not there, holds nothing to read, or more than should be in memory.
        VlmcarError: a file is broken, or its episode does not fit the others.
    """
    if source.startswith(MINARI):
        from vlmcar.env.demonstrations import minari

        return trajectories(minari.recordings(source.removeprefix(MINARI)), source, most, size)
    path = Path(source).expanduser()
    if not path.exists():
        raise ConfigError(f"{source} does not exist: give a folder or a file of demonstrations")
    recordings = _of_folder(path) if path.is_dir() else _of_file(path)
    return trajectories(recordings, source, most, size)


def _of_file(path: Path) -> Iterator[Recording]:
    for suffixes, recording in FILES.values():
        if path.suffix.lower() in suffixes:
            return map(recording, [path])
    raise ConfigError(f"{path} cannot be read: give an npz file, a video, or a folder of {_READABLE}")


def _of_folder(folder: Path) -> Iterator[Recording]:
    """Everything of the one kind that the folder holds; of two kinds we cannot know which is meant."""
    found: dict[str, tuple[list[Path], Callable[[Path], Recording]]] = {
        "pictures": ([folder] if _has_pictures(folder) else [], pictures.recording),
        "folders of pictures": (
            [path for path in visible(folder) if _has_pictures(path)],
            pictures.recording,
        ),
        **{kind: (files(folder, suffixes), recording) for kind, (suffixes, recording) in FILES.items()},
    }
    kinds = [kind for kind, (paths, _) in found.items() if paths]
    if not kinds:
        raise ConfigError(f"{folder} holds nothing to read: put {_READABLE} into it")
    if len(kinds) > 1:
        raise ConfigError(f"{folder} holds {' and '.join(kinds)}: leave one kind in it")
    paths, recording = found[kinds[0]]
    return map(recording, paths)


def _has_pictures(path: Path) -> bool:
    return path.is_dir() and bool(files(path, pictures.SUFFIXES))
