"""What MiniGrid's grids hold and what its agents see, as numbers, for many environments at once.

MiniGrid encodes cell by cell, in Python. What a cell is told apart by is its encoding (``WorldObj.encode``), so a cell
becomes a number, its **code**; views are looked up, and pictures are (``vlmcar.env.minigrid_render``).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.core.world_object import Floor, Goal, Lava, Wall
from numpy.typing import NDArray

Codes = NDArray[np.int16]
UNSEEN, EMPTY, WALL = 0, 1, 2
"""Codes that every table begins with."""
_NEVER_CHANGE = (Wall, Floor, Goal, Lava)
_MASKS_KEPT = 100_000


class Cells:
    """Codes of cells, and what each means.

    Attributes:
        encoded: uint8 (codes, 3), ``WorldObj.encode`` of each.
        opaque: bool (codes,), whether the agent cannot see behind it.
    """

    def __init__(self) -> None:
        unseen, empty = (OBJECT_TO_IDX[name] for name in ("unseen", "empty"))
        self._codes: dict[tuple[int, int, int], int] = {}
        self.encoded = np.array([(unseen, 0, 0), (empty, 0, 0)], dtype=np.uint8)
        self.opaque = np.array([False, False])
        self._examples: list[Any] = [None, None]
        assert self.code(Wall()) == WALL

    def code(self, cell: Any) -> int:
        """Of a ``WorldObj``, or of ``None``: nothing there."""
        if cell is None:
            return EMPTY
        key = cell.encode()
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self.encoded)
            self.encoded = np.concatenate([self.encoded, np.array([key], dtype=np.uint8)])
            self.opaque = np.append(self.opaque, not cell.see_behind())
            self._examples.append(copy(cell))  # the cell itself may change
        return code

    def example(self, code: int) -> Any:
        """A ``WorldObj`` of this code, or ``None``."""
        return self._examples[code]


class Snapshot(NamedTuple):
    """What several environments of one size look like at a moment."""

    codes: Codes
    """(envs, height, width), without the agents."""
    agents: NDArray[np.int64]
    """(envs, 3): row, column, direction."""


class Boards:
    """The grids of several unwrapped MiniGrid environments of one size, as codes.

    `sync` reads an environment after each step or reset: what lies where is compared, object by object, and
    what can change by itself (doors, keys, ...) is encoded again. Walls, floors, goals and lava never change.

    Attributes:
        codes: int16 (num_envs, height, width); without the agent.
        agents: int64 (num_envs, 3): row, column, direction.
        carried: int (num_envs,), codes of what they carry; ``EMPTY``: nothing.
    """

    def __init__(self, envs: Sequence[Any], cells: Cells) -> None:
        self.envs = list(envs)
        self.cells = cells
        num_envs = len(self.envs)
        self.width, self.height = self.envs[0].width, self.envs[0].height
        view = self.envs[0].agent_view_size
        self._margin = view - 1  # the view reaches so far beyond the grid, where MiniGrid shows walls
        shape = (num_envs, self.height + 2 * self._margin, self.width + 2 * self._margin)
        self._padded = np.full(shape, WALL, dtype=np.int16)
        inside = slice(self._margin, -self._margin) if self._margin else slice(None)
        self.codes: Codes = self._padded[:, inside, inside]
        self.agents = np.zeros((num_envs, 3), dtype=np.int64)
        self.carried = np.zeros(num_envs, dtype=np.int64)
        self._lying: list[list[Any]] = [[] for _ in self.envs]
        self._changeable: list[list[tuple[int, int, Any]]] = [[] for _ in self.envs]
        self._view = View(view, shape[2], all(env.see_through_walls for env in self.envs))

    def sync(self, i: int) -> None:
        """Take in what environment `i` is like now."""
        env = self.envs[i]
        lying = env.grid.grid
        if lying != self._lying[i]:  # compares objects by identity
            code = self.cells.code
            self._lying[i] = list(lying)
            self.codes[i] = np.array([code(cell) for cell in lying]).reshape(self.height, self.width)
            self._changeable[i] = [
                (*divmod(place, self.width), cell)
                for place, cell in enumerate(lying)
                if cell is not None and type(cell) not in _NEVER_CHANGE
            ]
        else:
            codes = self.codes[i]
            for row, column, cell in self._changeable[i]:
                codes[row, column] = self.cells.code(cell)
        column, row = env.agent_pos
        self.agents[i] = row, column, env.agent_dir
        self.carried[i] = EMPTY if env.carrying is None else self.cells.code(env.carrying)

    def snapshot(self, which: slice | NDArray[np.int64] = slice(None)) -> Snapshot:
        """A copy of what these are like now."""
        return Snapshot(self.codes[which].copy(), self.agents[which].copy())

    def views(self, which: slice | NDArray[np.int64] = slice(None)) -> Codes:
        """What the agents see: int16 (envs, view * view) in the order of MiniGrid's ``image``, cell by cell."""
        rows, columns, directions = self.agents[which].T
        place = (rows + self._margin) * self._padded.shape[2] + columns + self._margin
        flat = self._padded.reshape(len(self.envs), -1)[which]
        return self._view(flat, place, directions, self.carried[which], self.cells.opaque)


class View:
    """MiniGrid's partial view (``gen_obs``): the cells before the agent, those behind walls hidden.

    Args:
        size: cells per side.
        stride: width of the padded grid.
        see_through_walls: nothing is hidden.
    """

    def __init__(self, size: int, stride: int, see_through_walls: bool) -> None:
        self.size = size
        self.see_through_walls = see_through_walls
        self._offsets = np.stack([_offsets(size, stride, direction) for direction in range(4)])
        self._agent = size // 2 * size + size - 1
        self._masks: dict[bytes, NDArray[np.bool_]] = {}

    def __call__(
        self,
        flat: Codes,
        place: NDArray[np.int64],
        directions: NDArray[np.int64],
        carried: NDArray[np.int64],
        opaque: NDArray[np.bool_],
    ) -> Codes:
        seen: Codes = np.take_along_axis(flat, place[:, None] + self._offsets[directions], axis=1)
        if not self.see_through_walls:
            walls = opaque[seen]
            seen = np.where(np.stack([self._mask(row) for row in walls]), seen, np.int16(UNSEEN))
        seen[:, self._agent] = carried
        return seen

    def _mask(self, opaque: NDArray[np.bool_]) -> NDArray[np.bool_]:
        key = opaque.tobytes()
        mask = self._masks.get(key)
        if mask is None:
            if len(self._masks) >= _MASKS_KEPT:
                self._masks.clear()
            mask = self._masks[key] = visible(opaque.reshape(self.size, self.size)).ravel()
        return mask


def visible(opaque: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells of a view light reaches, as MiniGrid's ``Grid.process_vis`` has it.

    Args:
        opaque: bool (columns, rows); the agent is in the middle of the last row.
    """
    width, height = opaque.shape
    lit = np.zeros((width, height), dtype=bool)
    lit[width // 2, height - 1] = True
    for row in reversed(range(height)):
        for columns, side in ((range(width - 1), 1), (range(width - 1, 0, -1), -1)):
            for column in columns:
                if lit[column, row] and not opaque[column, row]:
                    lit[column + side, row] = True
                    if row > 0:
                        lit[column + side, row - 1] = lit[column, row - 1] = True
    return lit


def _offsets(size: int, stride: int, direction: int) -> NDArray[np.int64]:
    """Where each cell of a view lies in the flat padded grid, from the agent's cell."""
    half = size // 2
    left, top = ((0, -half), (-half, 0), (1 - size, -half), (-half, 1 - size))[direction]
    columns, rows = np.meshgrid(left + np.arange(size), top + np.arange(size), indexing="ij")
    offsets = rows * stride + columns  # (columns, rows)
    for _ in range(direction + 1):
        offsets = _rotated_left(offsets)
    return offsets.ravel()


def _rotated_left(grid: NDArray[np.int64]) -> NDArray[np.int64]:
    """As ``Grid.rotate_left``: column i, row j goes to column j, row ``width - 1 - i``."""
    return grid.T[:, ::-1]
