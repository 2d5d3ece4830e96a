"""Hand-written experts for five of Gymnasium's classic tasks.

Each takes an environment, made by ``gymnasium.make``, and returns a policy: observation -> action. Only the
observation is acted on; ``env`` is asked for what does not change, such as a map. So a policy can be used for
any number of episodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Policy = Callable[[Any], Any]


def mountain_car(env: Any) -> Policy:  # noqa: ARG001
    """MountainCar-v0: push the way the car rolls, from rest to the left; every push then adds energy."""

    def act(observation: NDArray[np.float32]) -> int:
        _, velocity = observation
        return 2 if velocity > 0 else 0

    return act


def mountain_car_continuous(env: Any) -> Policy:  # noqa: ARG001
    """MountainCarContinuous-v0: as ``mountain_car``, with full force."""

    def act(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        _, velocity = observation
        return np.array([1.0 if velocity > 0 else -1.0], dtype=np.float32)

    return act


def acrobot(env: Any) -> Policy:  # noqa: ARG001
    """Acrobot-v1: turn the middle joint against the swing of the upper link, which pumps energy into it."""

    def act(observation: NDArray[np.float32]) -> int:
        upper_speed = observation[4]
        return 0 if upper_speed > 0 else 2

    return act


def frozen_lake(env: Any) -> Policy:
    """FrozenLake-v1 with ``is_slippery=False``: a shortest path to the goal."""
    return _planned(env, rewarded=lambda reward: reward > 0)


def taxi(env: Any) -> Policy:
    """Taxi-v4, neither rainy nor fickle: a shortest way to fetch the passenger and deliver them."""
    return _planned(env, rewarded=lambda reward: reward == 20)


def joystick(env: Any) -> Policy:  # noqa: ARG001
    """`examples.parcel.Joystick`: straight to the parcel, and then straight to the mat."""
    from examples.parcel import CELLS, MAT_AT

    def act(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        robot, parcel, carries = observation[:2], observation[2:4], observation[4]
        target = MAT_AT / (CELLS - 1) if carries else parcel
        return np.clip((target - robot) * (CELLS - 1) / 0.5, -1.0, 1.0).astype(np.float32)

    return act


def _planned(env: Any, rewarded: Callable[[float], bool]) -> Policy:
    """Fewest steps to a rewarded transition, from each state of a deterministic table of transitions."""
    table = env.unwrapped.P
    before: dict[Hashable, list[tuple[Hashable, int]]] = {state: [] for state in table}
    ends: list[tuple[Hashable, int]] = []
    for state, actions in table.items():
        for action, outcomes in actions.items():
            ((_, next_state, reward, terminated),) = outcomes
            if terminated and rewarded(reward):
                ends.append((state, action))
            elif not terminated:
                before[next_state].append((state, action))
    best = _backwards(ends, before)
    return lambda observation: best[int(observation)]


def _backwards(
    ends: Iterable[tuple[Hashable, int]], before: dict[Hashable, list[tuple[Hashable, int]]]
) -> dict[Hashable, int]:
    """Breadth-first from the last transitions back: the first action that reaches a state's end is the best."""
    best: dict[Hashable, int] = {}
    waiting = deque(ends)
    while waiting:
        state, action = waiting.popleft()
        if state not in best:
            best[state] = action
            waiting.extend(before[state])
    return best
