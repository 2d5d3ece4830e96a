"""What a saved state of a Procgen game says, and how to change it: the bytes of ``get_state``.

The layout follows the ``serialize`` methods of the library's C++ sources: 4-byte integers and floats in a
fixed order, strings with their length before them. Experts, ground truth and the picture of a finished level
read it; nothing that a VLM, a verification or a VLM-CaR reward sees comes from here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPACE, WALL = 100, 51
"""Grid cells that every game knows."""
PLAYER = 0
"""Type of the agent's entity."""

_ENTITY_FIELDS = 31
_X, _Y, _VX, _VY, _RX, _RY, _TYPE, _THEME, _MARGIN = 0, 1, 2, 3, 4, 5, 6, 8, 12


@dataclass(frozen=True)
class State:
    """One saved state. Positions are in grid cells, x to the right, y upwards."""

    raw: bytes
    time: int
    """Steps since the episode began."""
    grid: NDArray[np.int32]
    """int32 (height, width) of cell types; row 0 is the lowest."""
    tail: NDArray[np.int32]
    """What the game itself wrote after everything that all games have."""
    _entities: NDArray[np.int32]
    _levels_at: int
    _entities_at: int
    _grid_at: int

    @property
    def types(self) -> NDArray[np.int32]:
        """int32 (entities,)."""
        return self._entities[:, _TYPE]

    @property
    def themes(self) -> NDArray[np.int32]:
        """int32 (entities,): which picture of its type an entity has, such as the colour of a key."""
        return self._entities[:, _THEME]

    @property
    def positions(self) -> NDArray[np.float32]:
        """float32 (entities, 2): x, y of the centres."""
        return self._entities.view(np.float32)[:, [_X, _Y]]

    @property
    def agent(self) -> NDArray[np.float32]:
        """float32 (4,): x, y and velocity of the agent."""
        return self._entities.view(np.float32)[int(np.argmax(self.types == PLAYER)), : _VY + 1]

    def with_level(self, level: int) -> bytes:
        """The state whose next reset draws this level, and no other."""
        changed = bytearray(self.raw)
        struct.pack_into("<2i", changed, self._levels_at, level, level + 1)
        return bytes(changed)

    def without_collisions(self, kind: int) -> bytes:
        """The state in which the agent passes through entities of this type; they look as before."""
        changed = bytearray(self.raw)
        for number in np.flatnonzero(self.types == kind):
            at = self._entities_at + 4 * (_ENTITY_FIELDS * int(number) + _MARGIN)
            struct.pack_into("<f", changed, at, -1e6)
        return bytes(changed)

    def without_cells(self, kind: int) -> bytes:
        """The state in which grid cells of this type are empty."""
        grid = np.where(self.grid == kind, SPACE, self.grid).astype("<i4").tobytes()
        return self.raw[: self._grid_at] + grid + self.raw[self._grid_at + len(grid) :]


def read(raw: bytes) -> State:
    """Parse a saved state.

    Raises:
        ValueError: the bytes have another layout.
    """
    try:
        return _read(raw)
    except struct.error as error:
        raise ValueError(f"not the layout of a state of Procgen 0.10: {error}") from None


def _read(raw: bytes) -> State:
    integer = struct.Struct("<i")

    def word(at: int) -> int:
        return int(integer.unpack_from(raw, at)[0])

    def after_string(at: int) -> int:
        return at + 4 + word(at)

    levels_at = after_string(4) + 4 * 13  # version, name, 12 options and whether it moves in grid steps
    at = levels_at + 4 * 4  # the range of levels, the game's type and number
    for _ in range(2):  # two generators of random numbers: whether seeded, and their state as text
        at = after_string(at + 4)
    time_at = at + 4 * 13
    at = time_at + 4 * 3  # and whether it waits for a step, and the size of the grid
    count = word(at)
    entities_at = at + 4
    at = after_string(entities_at + 4 * (_ENTITY_FIELDS * count + 19 + 1)) + 4 * 9
    width, height, cells = struct.unpack_from("<3i", raw, at)
    if width * height != cells or not 0 < cells <= 10_000:
        raise ValueError(f"a grid of {width} x {height} with {cells} cells: not the layout of Procgen 0.10")
    grid_at = at + 12
    tail_at = grid_at + 4 * cells
    return State(
        raw=raw,
        time=word(time_at),
        grid=np.frombuffer(raw, "<i4", cells, grid_at).reshape(height, width),
        tail=np.frombuffer(raw, "<i4", (len(raw) - tail_at) // 4, tail_at),
        _entities=np.frombuffer(raw, "<i4", _ENTITY_FIELDS * count, entities_at).reshape(
            count, _ENTITY_FIELDS
        ),
        _levels_at=levels_at,
        _entities_at=entities_at,
        _grid_at=grid_at,
    )
