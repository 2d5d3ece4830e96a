"""A folder in which a page of the documentation comes true."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import baselines
from tests.conftest import ROOT


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like the repository's root, to which a page may add files."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "run.py", tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "baselines").mkdir()
    (tmp_path / "results/pulled/minigrid-doorkey_5x5-HASH").mkdir(parents=True)
    (tmp_path / "results/recordings").symlink_to(ROOT / "results/recordings")
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__, str(tmp_path / "baselines")])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    yield tmp_path
    for name, module in list(sys.modules.items()):  # another page may have one of that name
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
