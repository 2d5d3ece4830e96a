"""A corridor that is walked along, the program that judges it, and its episodes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from vlmcar.types import Program, SubTask

END = 5
SOURCE = '''"""The brightness says how far along the corridor the walker is: 50 per place."""


def half_way(initial, frame):
    """The walker has come to the middle. It does not matter when."""
    return bool(frame[0, 0, 0] >= 150)


def reach_the_end(initial, frame):
    """The walker stands at the end."""
    return min(float(frame[0, 0, 0]) / 250, 1.0)
'''
PROGRAM = Program(
    (
        SubTask("half_way", "The walker has come to the middle."),
        SubTask("reach_the_end", "The walker stands at the end."),
    ),
    SOURCE,
)


class Corridor(gymnasium.Env):
    """Starts at place 0 or 1; action 1 goes on, 0 back. Terminates at the end, and is cut off after 12 steps."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  (as Gymnasium has it)
    observation_space = gymnasium.spaces.Box(0, END, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = "rgb_array", size: int = 8) -> None:
        self.render_mode = render_mode
        self.size = size
        self._canvas = np.zeros((size, size, 3), dtype=np.uint8)  # drawn into again and again

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps, self.at = 0, int(self.np_random.integers(2))
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        self.at = max(self.at + (1 if action else -1), 0)
        return self._seen(), float(self.at == END), self.at == END, self.steps == 12, {}

    def render(self) -> NDArray[np.uint8]:
        self._canvas[:] = 50 * self.at
        return self._canvas

    def _seen(self) -> NDArray[np.float32]:
        return np.array([self.at], dtype=np.float32)


def action(env: int, episode: int, step: int) -> int:
    """A walk that mostly goes on, and sometimes back: some episodes get to the end, others are cut off."""
    return int((7 * env + 5 * episode + 3 * step) % 10 > 2 + episode % 3)


def walked(*actions: int, start: int = 0) -> NDArray[np.uint8]:
    """Frames (steps + 1, 8, 8, 3) of a walk."""
    places = [start]
    for one in actions:
        places.append(max(places[-1] + (1 if one else -1), 0))
    return np.repeat(np.array(places, np.uint8)[:, None] * 50, 8 * 8 * 3, axis=1).reshape(-1, 8, 8, 3)


RIGHT = [walked(*[0] * n, *[1] * 5) for n in range(5)] + [walked(1, 1, 0, 1, 1, 0, 1, 1, 1)]
"""Six walks to the end."""


def random_walks(count: int) -> list[NDArray[np.uint8]]:
    """None of them gets to the end."""
    rng = np.random.default_rng(0)
    return [walked(*rng.permutation([0] * 6 + [1] * 4).tolist()) for _ in range(count)]


WANDERED = random_walks(60)


def answers(*sources: str) -> list[str]:
    """What a VLM says that describes the corridor, names the two sub-tasks, and writes these programs."""
    listed = json.dumps([dataclasses.asdict(subtask) for subtask in PROGRAM.subtasks])
    return [
        "1. A corridor.\n2. It is brighter.\n3. Walk.\n4. The start.",
        f"```json\n{listed}\n```",
        *(f"```python\n{source}```" for source in sources),
    ]
