"""A local model for tests, tiny, random, and built once per test process; and a server that misbehaves."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.conftest import ROOT
from tests.vlm.misbehaving_server import Server, misbehaving, prepare
from vlmcar.config import component
from vlmcar.vlm import tiny, weights
from vlmcar.vlm.transformers import Transformers


@pytest.fixture(scope="session")
def tiny_vlm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a tiny model; skips where transformers is not installed."""
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("pip install 'vlmcar[transformers]'")
    torch, _ = weights.packages()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # test processes run side by side
    yield tiny.save_tiny_vlm(tmp_path_factory.mktemp("tiny") / "model")
    torch.set_num_threads(threads)


@pytest.fixture
def local_vlm(tiny_vlm: Path) -> Callable[..., Transformers]:
    """Build ``vlm=transformers`` as ``run.py`` does, with changes to its yaml.

    Random weights say yes or no so seldom that any such answer counts.
    """

    def built(**changes: Any) -> Transformers:
        node = OmegaConf.load(ROOT / "conf" / "vlm" / "transformers.yaml")
        small = {"model": str(tiny_vlm), "device": "cpu", "max_tokens": 12, "min_answer_mass": 0.0}
        node.update({**small, **changes})
        return component("vlm", node)

    return built


@pytest.fixture
def server() -> Iterator[Server]:
    with misbehaving() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits between two attempts; how long they would have."""
    return prepare(monkeypatch)
