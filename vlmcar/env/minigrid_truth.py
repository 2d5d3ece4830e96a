"""Ground truth of MiniGrid states, to *measure* how accurate programs are.

Generation, feedback, verification and the VLM-CaR reward never import this.
"""

from __future__ import annotations

from typing import Any


def predicates(env: Any) -> dict[str, bool]:
    """What is so in the current state of an unwrapped ``MiniGridEnv``; the same for every task."""
    cells = [cell for cell in env.grid.grid if cell is not None]
    doors = [cell for cell in cells if cell.type == "door"]
    held = None if env.carrying is None else env.carrying.type
    below = env.grid.get(*env.agent_pos)
    return {
        "holding_key": held == "key",
        "holding_box": held == "box",
        "holding_ball": held == "ball",
        "holding_nothing": held is None,
        "a_door_is_open": any(door.is_open for door in doors),
        "no_door_is_locked": not any(door.is_locked for door in doors),
        "on_goal": below is not None and below.type == "goal",
        "in_doorway": below is not None and below.type == "door",
        "box_is_gone": not any(cell.type == "box" for cell in cells),
    }
