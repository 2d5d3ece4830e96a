"""Shared pieces: small tasks, programs with known answers, composed configs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from vlmcar.env.minigrid import MiniGrid
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import Program, SubTask

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def config() -> Callable[..., DictConfig]:
    """Compose the real configuration with overrides."""

    def composed(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    return composed


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(startup_seconds=30.0, frame_seconds=0.5, memory_mb=512, batch=256, allow_weak=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Procgen's expert plans are kept: each is searched for once, whichever test process needs it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "experts"


@pytest.fixture(scope="session")
def doorkey() -> MiniGrid:
    """DoorKey-5x5: 160 x 160 pixels at the tile size that ``doorkey.py`` is written for."""
    return MiniGrid(
        "doorkey_5x5", "MiniGrid-DoorKey-5x5-v0", tile_size=32, image_seed=0, steps=1000, thresholds={}
    )


@pytest.fixture(scope="session")
def doorkey_program() -> Program:
    """A right program for DoorKey, written by hand for these tests."""
    names = ("pick_up_key", "open_door", "reach_goal")
    source = (PROGRAMS / "doorkey.py").read_text(encoding="utf-8")
    return Program(tuple(SubTask(name, f"{name} is done.") for name in names), source)


def flat(value: int, height: int = 4, width: int = 4) -> np.ndarray:
    """uint8 (height, width, 3) of one value."""
    return np.full((height, width, 3), value, dtype=np.uint8)
