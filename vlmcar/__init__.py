"""Code as Reward: vision-language models write verified reward programs, and RL agents train on them.

For environments and training loops of your own: `load`, `generate`, `verify`, `CodeReward` and what else is in
``__all__``; `vlmcar.library` says what stays as it is.
"""

import importlib
import sys
from types import SimpleNamespace
from typing import Any

__version__ = "0.1.0"

# Name -> the module that it is imported from, once it is asked for; ``__init__.pyi`` says the same to type checkers.
_PUBLIC = {
    "load": "vlmcar.library.programs",
    "verify": "vlmcar.library.verifying",
    "generate": "vlmcar.library.generating",
    "GivenTask": "vlmcar.library.given",
    "push": "vlmcar.share",
    "pull": "vlmcar.share",
    "CodeReward": "vlmcar.library.single",
    "FrameInfo": "vlmcar.library.single",
    "CodeRewardVectorEnv": "vlmcar.library.vector",
    "CodeRewardVecEnv": "vlmcar.library.sb3",
    "Bonus": "vlmcar.reward.bonus",
    "Potential": "vlmcar.reward.potential",
    "Sandbox": "vlmcar.program.sandbox",
    "StoredProgram": "vlmcar.verification.store",
    "Check": "vlmcar.types",
    "ConfigError": "vlmcar.types",
    "Judge": "vlmcar.types",
    "Program": "vlmcar.types",
    "SubTask": "vlmcar.types",
    "Task": "vlmcar.types",
    "Trajectory": "vlmcar.types",
    "VLM": "vlmcar.types",
    "Verdict": "vlmcar.types",
    "VlmcarError": "vlmcar.types",
}
__all__ = ["__version__", *_PUBLIC]

# Procgen depends on `gym`, which Stable-Baselines3 imports wherever it is installed; when imported, `gym` prints
# several lines about being unmaintained. It takes them from this module: give it one without any.
sys.modules.setdefault("gym_notices.notices", SimpleNamespace(notices={}))  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
