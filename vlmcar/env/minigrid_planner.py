"""Expert trajectories for any MiniGrid environment: the shortest path over simulator states.

Breadth-first search that lets the simulator itself answer "what would this action do?": no rule of any
task is written here. States are saved and restored in place, which is far cheaper than copying the
environment.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

ACTIONS = range(6)  # left, right, forward, pickup, drop, toggle; "done" never changes a state


class NoPlanError(Exception):
    """The goal cannot be reached from here within the search limit."""


class _State(NamedTuple):
    """All of a MiniGrid state that an action can change."""

    agent_pos: tuple[int, int]
    agent_dir: int
    carrying: Any
    cells: list[Any]
    fields: list[tuple[Any, dict[str, Any]]]
    """Each movable or changeable object with a copy of its attributes."""


def shortest_plan(env: Any, max_states: int = 200_000) -> list[int]:
    """The shortest action sequence that the environment rewards, found by breadth-first search.

    Args:
        env: an unwrapped ``MiniGridEnv``, freshly reset; left as it was found.
        max_states: states expanded before giving up.

    Returns:
        Actions from the current state to success; ties go to the lower action number, so the plan is
        the same on every call.

    Raises:
        NoPlanError: no success was found among ``max_states`` states.
    """
    start, steps_taken = _save(env), env.step_count
    own = vars(env).get("gen_obs")
    env.gen_obs = lambda: None  # the search needs no observations: they are most of a step's time
    try:
        return _search(env, start, max_states)
    finally:
        if own is None:
            del env.gen_obs
        else:
            env.gen_obs = own
        _restore(env, start)
        env.step_count = steps_taken


def _search(env: Any, start: _State, max_states: int) -> list[int]:
    queue: deque[tuple[_State, tuple[int, ...]]] = deque([(start, ())])
    seen = {_key(env)}
    expanded = 0
    while queue and expanded < max_states:
        state, plan = queue.popleft()
        expanded += 1
        for action in ACTIONS:
            _restore(env, state)
            env.step_count = 0  # the time limit is no obstacle to the search
            _, reward, terminated, _, _ = env.step(action)
            if terminated:
                if reward > 0:
                    return [*plan, action]
                continue
            key = _key(env)
            if key not in seen:
                seen.add(key)
                queue.append((_save(env), (*plan, action)))
    raise NoPlanError(f"no plan among {expanded} states (limit {max_states})")


def _objects(env: Any) -> list[Any]:
    on_grid = [cell for cell in env.grid.grid if cell is not None and cell.type != "wall"]
    return on_grid if env.carrying is None else [*on_grid, env.carrying]


def _save(env: Any) -> _State:
    return _State(
        tuple(env.agent_pos),
        env.agent_dir,
        env.carrying,
        list(env.grid.grid),
        [(thing, dict(vars(thing))) for thing in _objects(env)],
    )


def _restore(env: Any, state: _State) -> None:
    env.agent_pos, env.agent_dir, env.carrying = state.agent_pos, state.agent_dir, state.carrying
    env.grid.grid[:] = state.cells
    for thing, attributes in state.fields:
        vars(thing).update(attributes)


def _key(env: Any) -> tuple[Any, ...]:
    """Equal for states from which the same futures are open."""
    cells = tuple(
        (position, id(cell), cell.encode())
        for position, cell in enumerate(env.grid.grid)
        if cell is not None and cell.type != "wall"
    )
    return tuple(env.agent_pos), env.agent_dir, id(env.carrying), cells
