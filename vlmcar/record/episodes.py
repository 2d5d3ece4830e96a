"""Episodes to look at: the frames of one as a single picture, and what was judged and paid on them as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FOLDER = "episodes"
COLUMNS = 12
"""Frames side by side in the picture."""
MOST = 144
"""Frames kept of a longer episode: those on which something is paid or done, and others evenly between."""
LARGEST = 256
"""Pixels of a frame's longer side; larger frames are made smaller."""


def write_episode(
    folder: Path,
    frames: NDArray[np.uint8],
    paid: NDArray[np.float64] | None,
    env_rewards: NDArray[np.float32],
    progress: NDArray[np.float32] | None,
    facts: Mapping[str, Any],
) -> None:
    """Write ``<kind>.png`` and ``<kind>.json`` into a run's ``episodes`` folder.

    Args:
        folder: the run's.
        frames: uint8 (steps + 1, height, width, 3) RGB, 0-255.
        paid: (steps + 1,): the agent's reward for getting to each frame, 0 for the first; ``None``: not known.
        env_rewards: (steps,): the environment's own.
        progress: (steps + 1, num_subtasks) in [0, 1]; ``None``: nothing judged this episode.
        facts: JSON, with its ``kind``; stands in the file beside the numbers.
    """
    env_paid = np.concatenate([[0.0], env_rewards.astype(np.float64)])
    kept = _kept(env_paid if paid is None else paid, progress)
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    tiles = [_small(frames[t]) for t in kept]
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // COLUMNS)
    sheet = np.zeros((rows * height, min(len(tiles), COLUMNS) * width, 3), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // COLUMNS * height, number % COLUMNS * width
        sheet[top : top + height, left : left + width] = tile
    image = str(place / f"{facts['kind']}.png")
    if not cv2.imwrite(image, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"could not write {image}")
    content = {
        **facts,
        "steps": len(frames) - 1,
        "frames": kept,
        "columns": COLUMNS,
        "height": height,
        "width": width,
        "return": None if paid is None else _summed(paid, kept),
        "env_return": _summed(env_paid, kept),
        "progress": None if progress is None else [[round(float(p), 3) for p in progress[t]] for t in kept],
    }
    # Last: its presence means that the picture is there.
    (place / f"{facts['kind']}.json").write_text(json.dumps(content), encoding="utf-8")


def _kept(paid: NDArray[np.float64], progress: NDArray[np.float32] | None) -> list[int]:
    """Numbers of the frames to keep, in order."""
    last = len(paid) - 1
    if last < MOST:
        return list(range(last + 1))
    telling = {0, last, *np.flatnonzero(paid).tolist()}
    if progress is not None:
        telling |= {int(t) + 1 for t in np.flatnonzero((progress[1:] != progress[:-1]).any(axis=1))}
    if len(telling) > MOST // 2:
        order = sorted(telling)
        telling = {order[round(place)] for place in np.linspace(0, len(order) - 1, MOST // 2)}
    others = np.linspace(0, last, MOST - len(telling)).round().astype(int).tolist()
    return sorted({*telling, *others})


def _summed(rewards: NDArray[np.float64], kept: list[int]) -> list[float]:
    """What has been collected up to each of these frames."""
    collected = np.cumsum(rewards)
    return [round(float(collected[t]), 4) for t in kept]


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    longest = max(frame.shape[:2])
    if longest <= LARGEST:
        return frame
    size = (round(frame.shape[1] * LARGEST / longest), round(frame.shape[0] * LARGEST / longest))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
