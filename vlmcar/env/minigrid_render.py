"""MiniGrid's own picture of the full grid, drawn from cached tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from minigrid.core.grid import Grid

from vlmcar.types import Frame


class TileRenderer:
    """Draws what ``env.get_frame(highlight=False, tile_size=tile_size)`` draws, pixel for pixel, faster.

    A tile depends only on its cell's encoding and the agent's direction, so each is drawn once by
    MiniGrid and gathered from then on.
    """

    def __init__(self, tile_size: int) -> None:
        self.tile_size = tile_size
        self._index: dict[tuple[Any, int | None], int] = {}
        self._tiles = np.empty((0, tile_size, tile_size, 3), dtype=np.uint8)

    def __call__(self, env: Any) -> Frame:
        """Render an unwrapped ``MiniGridEnv``: uint8 (rows * tile, columns * tile, 3) RGB, 0-255."""
        grid = env.grid
        agent = env.agent_pos[1] * grid.width + env.agent_pos[0]
        indices = [
            self._tile(cell, env.agent_dir if position == agent else None)
            for position, cell in enumerate(grid.grid)
        ]
        tiles = self._tiles[indices].reshape(grid.height, grid.width, self.tile_size, self.tile_size, 3)
        # (rows, columns, tile, tile, 3) -> (rows, tile, columns, tile, 3) -> one picture
        return tiles.transpose(0, 2, 1, 3, 4).reshape(
            grid.height * self.tile_size, grid.width * self.tile_size, 3
        )

    def _tile(self, cell: Any, agent_dir: int | None) -> int:
        key = (None if cell is None else cell.encode(), agent_dir)
        if key not in self._index:
            tile = Grid.render_tile(cell, agent_dir=agent_dir, tile_size=self.tile_size)
            self._index[key] = len(self._tiles)
            self._tiles = np.concatenate([self._tiles, tile[None].astype(np.uint8)])  # MiniGrid's are float
        return self._index[key]
