"""What is gathered for many MiniGrid environments at once is what MiniGrid makes one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import minigrid  # noqa: F401
import numpy as np
import pytest
from hydra.utils import instantiate
from minigrid.core.grid import Grid
from minigrid.core.world_object import Door, Wall
from omegaconf import OmegaConf

from tests.conftest import ROOT
from vlmcar.env.minigrid_boards import Boards, Cells, visible
from vlmcar.env.minigrid_render import TileRenderer
from vlmcar.env.vector import FrameVecEnv

REGISTERED = sorted(name for name in gymnasium.registry if name.startswith(("MiniGrid-", "BabyAI-")))
WITHOUT_ITS_FILES = "MiniGrid-WFC-"  # these read patterns that the package does not contain
YAMLS = sorted((ROOT / "conf/env/minigrid").glob("*.yaml"))


@pytest.mark.parametrize("name", [name for name in REGISTERED if not name.startswith(WITHOUT_ITS_FILES)])
def test_pictures_and_views_of_every_registered_environment(name: str) -> None:
    """At tile sizes 8, 16 and 32, on random states."""
    env: Any = gymnasium.make(name).unwrapped
    cells = Cells()
    boards = Boards([env], cells)
    renderers = [TileRenderer(size, cells) for size in (8, 16, 32)]
    rng = np.random.default_rng(0)
    for seed in range(2):
        env.reset(seed=seed)
        for step in range(12):
            boards.sync(0)
            seen = cells.encoded[boards.views()][0]
            expected = env.gen_obs()["image"]
            np.testing.assert_array_equal(seen.reshape(expected.shape), expected)
            if step % 5 == 0:
                for renderer in renderers:
                    drawn = renderer.frames(renderer.maps(boards.snapshot()))[0]
                    expected = env.get_frame(highlight=False, tile_size=renderer.tile_size)
                    np.testing.assert_array_equal(drawn, expected)
            _, _, terminated, truncated, _ = env.step(int(rng.integers(env.action_space.n)))
            if terminated or truncated:
                break


@pytest.mark.parametrize("auto_reset", [True, False])
@pytest.mark.parametrize("yaml", YAMLS, ids=lambda path: path.stem)
def test_it_does_what_stepping_one_by_one_does(yaml: Path, auto_reset: bool) -> None:
    """Experts' actions besides random ones, so that doors open and episodes end in every way."""
    task = instantiate(OmegaConf.load(yaml))
    num_envs = 3
    one_by_one = FrameVecEnv([task.make_env] * num_envs, range(num_envs), True, auto_reset)
    at_once = task.make_vec(num_envs, range(num_envs), True, auto_reset)
    plans = [task.expert(seed).actions.tolist() for seed in range(num_envs)]
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(at_once.reset(), one_by_one.reset())
    ended = 0
    for step in range(700):
        actions = rng.integers(0, 7, num_envs)
        if step < max(map(len, plans)):
            actions = np.array([plan[step] if step < len(plan) else 6 for plan in plans])
        expected, got = one_by_one.step(actions), at_once.step(actions)
        for wanted, made in zip(expected[:3], got[:3], strict=True):
            np.testing.assert_array_equal(made, wanted)
            assert made.dtype == wanted.dtype
        for wanted, made in zip(expected[3], got[3], strict=True):
            np.testing.assert_equal(made, wanted)
        for name in ("frames", "initial", "reset_frames", "finished"):
            np.testing.assert_array_equal(getattr(at_once, name), getattr(one_by_one, name))
        ended += int(expected[2].sum())
    assert ended >= num_envs


@pytest.mark.parametrize("seed", range(20))
def test_what_is_hidden(seed: int) -> None:
    """Against MiniGrid's own rule on random walls and doors."""
    rng = np.random.default_rng(seed)
    size = (5, 7, 9)[seed % 3]
    grid = Grid(size, size)
    opaque = rng.random((size, size)) < 0.3
    for column, row in np.argwhere(opaque):
        grid.set(int(column), int(row), Wall() if rng.random() < 0.5 else Door("red"))
    expected = grid.process_vis((size // 2, size - 1))
    np.testing.assert_array_equal(visible(opaque), expected)


def test_equal_maps_are_equal_pictures_and_other_maps_are_others() -> None:
    env: Any = gymnasium.make("MiniGrid-DoorKey-8x8-v0").unwrapped
    renderer = TileRenderer(8)
    boards = Boards([env], renderer.cells)
    pictures: dict[bytes, bytes] = {}
    rng = np.random.default_rng(0)
    for seed in range(3):
        env.reset(seed=seed)
        for _ in range(60):
            env.step(int(rng.integers(6)))
            boards.sync(0)
            maps = renderer.maps(boards.snapshot())
            picture = renderer.frames(maps)[0].tobytes()
            assert pictures.setdefault(maps.tobytes(), picture) == picture
    assert len(set(pictures.values())) == len(pictures) > 40


def test_what_was_shown_before_stays_what_it_was() -> None:
    task = instantiate(OmegaConf.load(YAMLS[0]))
    venv = task.make_vec(2, [0, 1], True, True)
    venv.reset()
    looks, frames = [], []
    rng = np.random.default_rng(0)
    for _ in range(300):
        venv.step(rng.integers(0, 7, 2))
        looks += [venv.look(), venv.first_look(np.arange(2))]
        frames += [venv.frames, venv.reset_frames]
    shown = venv.shown(looks)
    drawn = np.empty_like(np.concatenate(frames))
    pictures = [shown.picture(i) for i in range(len(drawn))]
    pictures[0].draw_all(pictures, drawn)
    np.testing.assert_array_equal(drawn, np.concatenate(frames))
    assert len(set(shown.keys)) == len({picture.tobytes() for picture in drawn})
