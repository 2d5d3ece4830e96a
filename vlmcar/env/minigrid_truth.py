"""Ground truth of MiniGrid states, to *measure* how accurate programs are.

Generation, feedback, verification and the VLM-CaR reward never import this; simulated judges, which say so in their
name, get it from ``make_vec(truth=True)``.
"""

from __future__ import annotations

from typing import Any


class Truth:
    """Says what is so in a state, in terms of how the episode began; the same for every task.

    Args:
        env: an unwrapped ``MiniGridEnv``, freshly reset. The tasks here have at most one key and at most
            one door that starts locked.
    """

    def __init__(self, env: Any) -> None:
        self.env = env
        doors = [(position, cell) for position, cell in _cells(env) if cell.type == "door"]
        self.locked = [(position, door) for position, door in doors if door.is_locked]
        self.unlocked = [door for _, door in doors if not door.is_locked]
        self.keys = [position for position, cell in _cells(env) if cell.type == "key"]

    def predicates(self) -> dict[str, bool]:
        """What is so in the environment's current state, by name."""
        env = self.env
        held = None if env.carrying is None else env.carrying.type
        below = env.grid.get(*env.agent_pos)
        ahead = tuple(int(x) for x in env.front_pos)
        keys = [position for position, cell in _cells(env) if cell.type == "key"]
        return {
            "holding_key": held == "key",
            "holding_box": held == "box",
            "holding_ball": held == "ball",
            "key_on_floor": bool(keys),
            "key_moved": keys != self.keys,
            "locked_door_unlocked": any(not door.is_locked for _, door in self.locked),
            "locked_door_open": any(door.is_open for _, door in self.locked),
            "facing_locked_door": any(position == ahead for position, _ in self.locked),
            "right_of_locked_door": any(env.agent_pos[0] > position[0] for position, _ in self.locked),
            "unlocked_door_open": any(door.is_open for door in self.unlocked),
            "on_goal": below is not None and below.type == "goal",
        }


def _cells(env: Any) -> list[tuple[tuple[int, int], Any]]:
    """Position (column, row) and content of every cell that is not empty."""
    width = env.grid.width
    return [((n % width, n // width), cell) for n, cell in enumerate(env.grid.grid) if cell is not None]
