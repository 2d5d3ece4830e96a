"""Episodes that a run leaves to look at: which frames are kept, and what stands beside them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from vlmcar.record.episodes import COLUMNS, LARGEST, MOST, write_episode


def frames_of(steps: int, size: int = 8) -> np.ndarray:
    """Frame t is all of the value t."""
    return np.repeat(np.arange(steps + 1, dtype=np.uint8), size * size * 3).reshape(steps + 1, size, size, 3)


def tile(folder: Path, number: int) -> np.ndarray:
    facts = json.loads((folder / "episodes/policy.json").read_text())
    sheet = cv2.imread(str(folder / "episodes/policy.png"))[:, :, ::-1]
    top, left = number // facts["columns"] * facts["height"], number % facts["columns"] * facts["width"]
    return sheet[top : top + facts["height"], left : left + facts["width"]]


def test_a_short_episode_is_kept_whole(tmp_path: Path) -> None:
    paid = np.array([0, 0.5, 0, 0.5])
    progress = np.array([[0, 0], [1, 0], [1, 0.25], [1, 1]], np.float32)
    rewards = np.array([0, 0, 0.9], np.float32)
    write_episode(tmp_path, frames_of(3), paid, rewards, progress, {"kind": "policy", "success": True})
    facts = json.loads((tmp_path / "episodes/policy.json").read_text())
    assert facts == {
        "kind": "policy", "success": True, "steps": 3, "frames": [0, 1, 2, 3], "columns": COLUMNS, "height": 8,
        "width": 8, "return": [0.0, 0.5, 0.5, 1.0], "env_return": [0.0, 0.0, 0.0, 0.9],
        "progress": [[0, 0], [1, 0], [1, 0.25], [1, 1]],
    }  # fmt: skip
    for t in range(4):
        assert (tile(tmp_path, t) == t).all()


def test_of_a_long_one_the_telling_frames_are_kept(tmp_path: Path) -> None:
    steps = 250
    paid = np.zeros(steps + 1)
    paid[[77, 200]] = 1
    progress = np.zeros((steps + 1, 1), np.float32)
    progress[33:35] = 1
    write_episode(tmp_path, frames_of(steps), paid, np.zeros(steps, np.float32), progress, {"kind": "policy"})
    facts = json.loads((tmp_path / "episodes/policy.json").read_text())
    kept = facts["frames"]
    assert {0, 33, 35, 77, 200, 250} <= set(kept)
    assert MOST * 0.8 < len(kept) <= MOST
    assert kept == sorted(set(kept))
    assert len(facts["return"]) == len(facts["progress"]) == len(kept)
    assert facts["return"][kept.index(200)] == 2.0
    for number in (0, 20, len(kept) - 1):
        assert (tile(tmp_path, number) == kept[number]).all()


def test_large_frames_are_made_smaller_and_unknown_pay_is_not_zero(tmp_path: Path) -> None:
    frames = np.zeros((2, 300, 600, 3), np.uint8)
    write_episode(tmp_path, frames, None, np.zeros(1, np.float32), None, {"kind": "policy"})
    facts = json.loads((tmp_path / "episodes/policy.json").read_text())
    assert (facts["width"], facts["height"]) == (LARGEST, LARGEST // 2)
    assert facts["return"] is None
    assert facts["progress"] is None
