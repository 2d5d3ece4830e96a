"""Expert plans for any Procgen game: weighted A* over saved states.

The library itself answers what an action leads to; a game adds a key that merges states and an estimate of the
steps left (``vlmcar.env.procgen_games``). Experts stand for demonstrations: the method's input.
"""

from __future__ import annotations

import heapq
import itertools
import math

import numpy as np

from vlmcar.env.procgen_games import Game
from vlmcar.env.procgen_simulator import Simulator
from vlmcar.env.procgen_state import read

_WEIGHT = 3.0  # above 1: fewer states are looked at, for a plan that may be longer by as much


class NoPlanError(Exception):
    """The level was not completed within the search limit."""


def plan(simulator: Simulator, start: bytes, max_steps: int, max_states: int) -> list[int]:
    """Actions that complete the level.

    Args:
        simulator: with one copy per action of its game.
        start: the level's first state.
        max_steps: length of a plan at most.
        max_states: states expanded before giving up.

    Returns:
        Indices into the game's actions; the same on every call.

    Raises:
        NoPlanError: no plan was found.
    """
    game: Game = simulator.game
    order = itertools.count()
    queue: list[tuple[float, int, bytes, tuple[int, ...]]] = [(0.0, next(order), start, ())]
    seen = {game.key(read(start))}
    expanded = 0
    while queue and expanded < max_states:
        _, _, raw, actions = heapq.heappop(queue)
        if len(actions) >= max_steps:
            continue
        expanded += 1
        choices = game.choices(read(raw))
        for copy in range(len(choices)):
            simulator.restore(copy, raw)
        simulator.act(np.resize(np.array(choices), simulator.num))
        _, _, ended, complete = simulator.observe()
        for copy, action in enumerate(choices):
            if complete[copy]:
                return [*actions, action]
            if ended[copy]:
                continue
            state = read(simulator.save(copy))
            key = game.key(state)
            distance = game.distance(state)
            if key not in seen and math.isfinite(distance):
                seen.add(key)
                estimate = len(actions) + 1 + _WEIGHT * distance
                heapq.heappush(queue, (estimate, next(order), state.raw, (*actions, action)))
    raise NoPlanError(f"no plan of at most {max_steps} steps among {expanded} states (limit {max_states})")
