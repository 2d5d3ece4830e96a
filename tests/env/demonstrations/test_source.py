"""Which kind of demonstrations a source is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vlmcar.env.demonstrations import Recorded, open_source
from vlmcar.env.demonstrations.acting import Function, SavedPolicy
from vlmcar.types import ConfigError, VlmcarError


def test_each_kind_is_known_by_its_name(tmp_path: Path) -> None:
    for name in ("policy.zip", "one.npz", "one.mp4"):
        (tmp_path / name).write_bytes(b"not read yet")
    assert open_source(str(tmp_path)) == Recorded(str(tmp_path))
    assert open_source(str(tmp_path / "one.npz")) == Recorded(str(tmp_path / "one.npz"))
    assert open_source("minari:a/b-v0") == Recorded("minari:a/b-v0")
    assert open_source(str(tmp_path / "policy.zip"), "sac") == SavedPolicy(
        str(tmp_path / "policy.zip"), "sac"
    )
    assert open_source("package.module:function") == Function("package.module", "function")


def test_a_folder_with_a_colon_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "monday:morning").mkdir()
    assert isinstance(open_source(str(tmp_path / "monday:morning")), Recorded)


def test_recorded_episodes_are_read_once_and_late(tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    path.write_bytes(b"broken")
    recorded = open_source(str(path))
    assert isinstance(recorded, Recorded)
    with pytest.raises(VlmcarError, match="cannot be read as an npz file"):
        _ = recorded.trajectories
    np.savez(path, frames=np.zeros((3, 4, 4, 3), np.uint8))
    assert len(recorded.trajectories[0].frames) == 3
    assert recorded.trajectories is recorded.trajectories
    np.savez(tmp_path / "two.npz", frames=np.zeros((5, 4, 4, 3), np.uint8))
    fewer = open_source(str(tmp_path), most=1, size=(2, 3))
    assert isinstance(fewer, Recorded)
    assert [trajectory.frames.shape for trajectory in fewer.trajectories] == [(3, 2, 3, 3)]


@pytest.mark.parametrize("source", ["nowhere", "nowhere.npz", "some/where.mp4"])
def test_what_is_nothing(source: str) -> None:
    with pytest.raises(ConfigError, match=f"{source} does not exist: give a folder, a video, an npz file"):
        open_source(source)


def test_recorded_episodes_have_no_algorithm(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="algorithm=ppo belongs to a policy's .zip; for the episodes of"):
        open_source(str(tmp_path), "ppo")


def test_a_policy_without_its_algorithm(tmp_path: Path) -> None:
    (tmp_path / "policy.zip").touch()
    with pytest.raises(ConfigError, match="does not say which algorithm wrote it"):
        open_source(str(tmp_path / "policy.zip"))
