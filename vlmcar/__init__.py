"""Code as Reward: vision-language models write verified reward programs, and RL agents train on them."""

import importlib
import sys
from types import SimpleNamespace
from typing import Any

__version__ = "0.1.0"

# Name -> the module that it is imported from, once it is asked for.
_PUBLIC = {
    "pull": "vlmcar.share",
    "push": "vlmcar.share",
}

# Procgen depends on `gym`, which Stable-Baselines3 imports wherever it is installed; when imported, `gym` prints
# several lines about being unmaintained. It takes them from this module: give it one without any.
sys.modules.setdefault("gym_notices.notices", SimpleNamespace(notices={}))  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
