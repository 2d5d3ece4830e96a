"""A stored program is taken for another run only if it was verified for what that run does with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT, flat
from vlmcar.config import build
from vlmcar.obtain import ingredients


def test_a_program_is_verified_for_each_reward_that_pays_for_it(
    config: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``bonus`` and ``every_frame`` have the same settings; only one of them can be farmed."""
    monkeypatch.chdir(ROOT)
    rewards = [path.stem for path in sorted((ROOT / "conf" / "reward").glob("*.yaml"))]
    settings = ("env=minigrid/doorkey_5x5", "vlm=manual", "vlm.answered_by=a person")
    made_of = [
        ingredients(build(config(*settings, f"reward={reward}")), (flat(0), flat(1))) for reward in rewards
    ]
    assert len(rewards) >= 3
    assert all(made_of[i] != made_of[k] for i in range(len(rewards)) for k in range(i))
