"""Frames per second of this suite's MiniGrid pictures against MiniGrid's own."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from vlmcar.bench.training import components, spread
from vlmcar.env.minigrid_boards import Boards
from vlmcar.env.minigrid_render import TileRenderer

BATCH = 16
"""Environments at a time, as in training."""


def rendering(env: str, rounds: int, batches: int = 40) -> dict[str, Any]:
    """Both draw the same states, in turns, and must draw the same pictures.

    Args:
        env: a choice of the config group ``env``, of MiniGrid.
        rounds: measured rounds, after one that warms up.
        batches: of ``BATCH`` frames per round.
    """
    task: Any = components(env).env
    envs = [task.make_env().unwrapped for _ in range(BATCH)]
    renderer = TileRenderer(task.tile_size)
    boards = Boards(envs, renderer.cells)
    rng = np.random.default_rng(0)
    rates: dict[str, list[float]] = {"get_frame": [], "ours": []}
    for number in range(rounds + 1):
        seconds = dict.fromkeys(rates, 0.0)
        for i, one in enumerate(envs):
            one.reset(seed=number * BATCH + i)
        for _ in range(batches):
            for one in envs:
                one.step(int(rng.integers(6)))
            started = time.perf_counter()
            expected = [one.get_frame(highlight=False, tile_size=task.tile_size) for one in envs]
            between = time.perf_counter()
            for i in range(BATCH):
                boards.sync(i)
            drawn = renderer.frames(renderer.maps(boards.snapshot()))
            seconds["ours"] += time.perf_counter() - between
            seconds["get_frame"] += between - started
            if not np.array_equal(drawn, np.stack(expected)):
                raise AssertionError(f"{env}: the pictures differ")
        if number > 0:
            for name, spent in seconds.items():
                rates[name].append(BATCH * batches / spent)
    return {
        "env": env,
        "tile_size": task.tile_size,
        "frames_per_second": {name: spread(values) for name, values in rates.items()},
        "ratio": spread([a / b for a, b in zip(rates["ours"], rates["get_frame"], strict=True)]),
    }
