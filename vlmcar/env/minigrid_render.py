"""MiniGrid's own picture of the full grid, gathered from tiles for many environments at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from minigrid.core.grid import Grid
from numpy.typing import NDArray

from vlmcar.env.minigrid_boards import Boards, Cells, Codes, Snapshot
from vlmcar.types import Frame, Frames

NOBODY = 4
"""In place of the agent's direction: it is elsewhere."""
_NAMES = itertools.count()


class MapPicture:
    """A map that is drawn when somebody has to look: a `vlmcar.types.Picture`."""

    __slots__ = ("key", "map", "renderer", "shape")

    def __init__(self, key: bytes, map: Codes, renderer: TileRenderer) -> None:
        self.key = key
        self.map = map
        self.renderer = renderer
        self.shape = (map.shape[0] * renderer.tile_size, map.shape[1] * renderer.tile_size, 3)

    @staticmethod
    def draw_all(pictures: Sequence[MapPicture], out: Frames) -> None:
        pictures[0].renderer.frames(np.stack([picture.map for picture in pictures]), out)


class ShownMaps:
    """Maps side by side: a `vlmcar.types.Shown`."""

    def __init__(self, maps: Codes, renderer: TileRenderer) -> None:
        self.maps = maps
        self.renderer = renderer
        size, data = maps[0].nbytes, maps.tobytes()
        self.keys = [renderer.name + data[at : at + size] for at in range(0, len(data), size)]

    def picture(self, i: int) -> MapPicture:
        return MapPicture(self.keys[i], self.maps[i], self.renderer)


class TileRenderer:
    """Draws what ``env.get_frame(highlight=False, tile_size=tile_size)`` draws, pixel for pixel, faster.

    Each kind of tile, a code with or without the agent looking in a direction, is drawn once by MiniGrid. A picture
    is then described by its **map**, the numbers of its tiles, and gathered from them.
    """

    def __init__(self, tile_size: int, cells: Cells | None = None) -> None:
        self.tile_size = tile_size
        self.cells = cells or Cells()
        self._boards: Boards | None = None
        self._numbers = np.full((0, NOBODY + 1), -1, dtype=np.int16)  # by code and direction
        self._tile_rows = np.empty((0, tile_size * 3), dtype=np.uint8)
        self.name = next(_NAMES).to_bytes(8, "little")
        """Of this renderer, since others number their tiles in another way."""

    def __call__(self, env: Any) -> Frame:
        """Render an unwrapped ``MiniGridEnv``: uint8 (rows * tile, columns * tile, 3) RGB, 0-255."""
        if self._boards is None or self._boards.envs[0] is not env:
            self._boards = Boards([env], self.cells)
        self._boards.sync(0)
        return self.frames(self.maps(self._boards.snapshot()))[0]

    def maps(self, *snapshots: Snapshot) -> Codes:
        """The numbers of the tiles: int16 (pictures, height, width). Equal maps are equal pictures."""
        codes, agents = (np.concatenate(parts) for parts in zip(*snapshots, strict=True))
        rows, columns, directions = agents.T
        maps = self._number(codes, NOBODY)
        each = np.arange(len(codes))
        maps[each, rows, columns] = self._number(codes[each, rows, columns], directions)
        return maps

    def frames(self, maps: Codes, out: Frames | None = None) -> Frames:
        """Draw maps: uint8 (pictures, height * tile, width * tile, 3), contiguous; into `out` where it is given."""
        count, height, width = maps.shape
        size = self.tile_size
        if out is None:
            out = np.empty((count, height * size, width * size, 3), dtype=np.uint8)
        rows = maps[:, :, None, :].astype(np.intp) * size + np.arange(size)[:, None]
        # (count, height, tile, width) rows of tiles, in the order in which a picture has them
        np.take(self._tile_rows, rows.ravel(), axis=0, out=out.reshape(-1, size * 3), mode="clip")
        return out

    def _number(self, codes: Codes, directions: int | NDArray[np.int64]) -> Codes:
        known = len(self._numbers)
        if known < len(self.cells.encoded):
            new = np.full((len(self.cells.encoded) - known, NOBODY + 1), -1, dtype=np.int16)
            self._numbers = np.concatenate([self._numbers, new])
        numbers: Codes = self._numbers[codes, directions]
        unknown = numbers < 0
        if unknown.any():
            kinds = np.stack([part[unknown] for part in np.broadcast_arrays(codes, directions)])
            for code, direction in np.unique(kinds, axis=1).T.tolist():
                self._add(code, direction)
            numbers = self._numbers[codes, directions]
        return numbers

    def _add(self, code: int, direction: int) -> None:
        agent = None if direction == NOBODY else direction
        tile = Grid.render_tile(self.cells.example(code), agent_dir=agent, tile_size=self.tile_size)
        self._numbers[code, direction] = len(self._tile_rows) // self.tile_size
        tile = tile.astype(np.uint8)  # MiniGrid's are float
        self._tile_rows = np.concatenate([self._tile_rows, tile.reshape(self.tile_size, -1)])
