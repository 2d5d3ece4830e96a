"""Gymnasium's mountain cars, with observations from -1 to 1: their speeds are below 0.1, which networks hardly see."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.wrappers import RescaleObservation


def mountain_car(**kwargs: Any) -> gymnasium.Env:
    """For ``env.env_id=examples.classic:mountain_car``."""
    return RescaleObservation(gymnasium.make("MountainCar-v0", **kwargs), -1.0, 1.0)


def mountain_car_continuous(**kwargs: Any) -> gymnasium.Env:
    """The same car with a motor that pushes as hard as it is told."""
    return RescaleObservation(gymnasium.make("MountainCarContinuous-v0", **kwargs), -1.0, 1.0)
