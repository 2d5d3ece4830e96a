"""What the planner and the adapter must know of each Procgen game; a new game is one class and a yaml.

Rules and numbers are those of the library's C++ sources (``procgen/src/games/<name>.cpp``).
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Hashable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vlmcar.env.procgen_state import WALL, State

LEFT, DOWN, STAY, UP, RIGHT = 1, 3, 4, 5, 7
"""Of Procgen's 15 actions: the others are diagonals or do nothing in these games."""

Cell = tuple[int, int]
"""Column and row of the grid."""


class Game:
    """A game: what its agent can do, and how far a state is from the goal."""

    name: ClassVar[str]
    time_limit: ClassVar[int]
    """Steps after which the library ends an episode."""
    actions: ClassVar[Sequence[int]] = (LEFT, DOWN, STAY, UP, RIGHT)
    """Procgen's numbers of the actions that the policy chooses from."""

    def without_goal(self, state: State) -> bytes:
        """The same state and picture, but reaching the goal does not end the episode."""
        raise NotImplementedError

    def key(self, state: State) -> Hashable:
        """Equal for states between which the search need not tell."""
        raise NotImplementedError

    def distance(self, state: State) -> float:
        """About how many steps are left to the goal."""
        raise NotImplementedError

    def choices(self, state: State) -> Sequence[int]:  # noqa: ARG002
        """Indices of the actions worth trying."""
        return range(len(self.actions))


class Maze(Game):
    """Reach the cheese through a maze, a cell per step."""

    name = "maze"
    time_limit = 500
    _GOAL = 2

    def without_goal(self, state: State) -> bytes:
        return state.without_cells(self._GOAL)  # the game, too, empties the cell that was reached

    def key(self, state: State) -> Hashable:
        return _cell(state.agent)

    def distance(self, state: State) -> float:
        row, column = np.argwhere(state.grid == self._GOAL)[0]
        return float(_steps_to((column, row), state.grid != WALL)[_cell(state.agent)[::-1]])


class Heist(Game):
    """Collect keys, open the locks of their colours, reach the gem."""

    name = "heist"
    time_limit = 1000
    _LOCK, _KEY, _GEM = 1, 2, 9
    _CELLS_PER_STEP = 0.61
    _DETOUR = 30.0  # steps, for each key that is still to be collected

    def without_goal(self, state: State) -> bytes:
        return state.without_collisions(self._GEM)

    def key(self, state: State) -> Hashable:
        return (*np.round(state.agent * (5, 5, 3, 3)).astype(int).tolist(), len(state.types))

    def distance(self, state: State) -> float:
        types, themes = state.types, state.themes
        free = state.grid != WALL
        keys_left = set(themes[types == self._KEY].tolist())
        for number in np.flatnonzero(types == self._LOCK):
            if int(themes[number]) in keys_left:
                column, row = _cell(state.positions[number])
                free[row, column] = False
        left = self._DETOUR * len(keys_left)
        goals = np.flatnonzero((types == self._GEM) | (types == self._KEY))
        reachable = []
        for number in goals:
            steps = self._walk(state, _cell(state.positions[number]), free)
            if math.isfinite(steps):
                reachable.append((types[number] != self._GEM, steps))
        if not reachable:
            return math.inf
        is_key, steps = min(reachable)  # the gem, if nothing is in the way, else the nearest key
        return steps + (left if is_key else 0.0)

    def _walk(self, state: State, goal: Cell, free: NDArray[np.bool_]) -> float:
        """Steps from where the agent stands, which may be between two cells."""
        steps = _steps_to(goal, free)
        column, row = _cell(state.agent)
        best = math.inf
        for dx, dy in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
            x, y = column + dx, row + dy
            if 0 <= y < len(steps) and 0 <= x < steps.shape[1] and math.isfinite(steps[y, x]):
                away = abs(state.agent[0] - x - 0.5) + abs(state.agent[1] - y - 0.5)
                best = min(best, float(steps[y, x] + away))
        return best / self._CELLS_PER_STEP


class Miner(Game):
    """Collect every diamond, then reach the exit; undermined boulders fall."""

    name = "miner"
    time_limit = 1000
    _BOULDERS, _DIAMONDS, _EXIT = (1, 3), (2, 4), 6
    _BLOCKED = 25.0  # steps, for a way that boulders block now

    def without_goal(self, state: State) -> bytes:
        return state.without_collisions(self._EXIT)

    def key(self, state: State) -> Hashable:
        return _cell(state.agent), state.grid.tobytes()

    def distance(self, state: State) -> float:
        free = ~np.isin(state.grid, self._BOULDERS)
        exit_cell = _cell(state.positions[int(np.argmax(state.types == self._EXIT))])
        diamonds = [(int(x), int(y)) for y, x in np.argwhere(np.isin(state.grid, self._DIAMONDS))]
        agent = _cell(state.agent)
        fields = {place: _steps_to(place, free) for place in [*diamonds, exit_cell]}

        def way(here: Cell, there: Cell) -> float:
            steps = float(fields[there][here[1], here[0]])
            if math.isfinite(steps):
                return steps
            return abs(here[0] - there[0]) + abs(here[1] - there[1]) + self._BLOCKED

        return min(
            sum(way(here, there) for here, there in itertools.pairwise([agent, *order, exit_cell]))
            for order in itertools.permutations(diamonds)
        )


class Leaper(Game):
    """Cross the road between cars and the river on logs, a leap of one row at a time."""

    name = "leaper"
    time_limit = 500
    _FINISH = 5
    _STEPS_PER_LEAP = 5.0

    def without_goal(self, state: State) -> bytes:
        return state.without_collisions(self._FINISH)

    def key(self, state: State) -> Hashable:
        x, y, *_ = state.agent
        return state.time, round(8 * float(x)), round(8 * float(y))

    def distance(self, state: State) -> float:
        goal = float(state.positions[int(np.argmax(state.types == self._FINISH))][1])
        return self._STEPS_PER_LEAP * max(goal - float(state.agent[1]), 0.0)

    def choices(self, state: State) -> Sequence[int]:
        leaping = bool(state.agent[2:].any())
        return [self.actions.index(STAY)] if leaping else super().choices(state)


GAMES: dict[str, Game] = {game.name: game for game in (Heist(), Leaper(), Maze(), Miner())}


def _cell(position: NDArray[np.float32]) -> Cell:
    return int(position[0]), int(position[1])


def _steps_to(goal: Cell, free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cells to walk from each cell to the goal, float64 (height, width); infinite where there is no way."""
    height, width = free.shape
    steps = np.full((height, width), np.inf)
    steps[goal[1], goal[0]] = 0.0
    queue = deque([goal])
    while queue:
        x, y = queue.popleft()
        for nx, ny in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if 0 <= nx < width and 0 <= ny < height and free[ny, nx] and steps[ny, nx] == np.inf:
                steps[ny, nx] = steps[y, x] + 1
                queue.append((nx, ny))
    return steps
