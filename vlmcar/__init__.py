"""Code as Reward: vision-language models write verified reward programs, and RL agents train on them."""

import sys
from types import SimpleNamespace

__version__ = "0.1.0"

# Procgen depends on `gym`, which Stable-Baselines3 imports wherever it is installed; when imported, `gym` prints
# several lines about being unmaintained. It takes them from this module: give it one without any.
sys.modules.setdefault("gym_notices.notices", SimpleNamespace(notices={}))  # type: ignore[arg-type]
