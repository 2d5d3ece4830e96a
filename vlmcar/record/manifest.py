"""What was run, with what, where: the facts that a number without them is not worth much."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "vlmcar", "torch", "stable-baselines3", "sb3-contrib", "gymnasium", "minigrid", "numpy", "opencv-python-headless",
    "hydra-core", "wandb",
)  # fmt: skip


def provenance() -> dict[str, Any]:
    """Commit, packages and machine of this process."""
    return {
        "git": _git(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "cpu": _cpu(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git() -> dict[str, Any]:
    """The commit that the code came from, and whether files differed from it; ``None``: not known."""
    here = Path(__file__).parent
    commit = _output(["git", "rev-parse", "HEAD"], here)
    if not commit:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(_output(["git", "status", "--porcelain", "-uno"], here))}


def _output(command: list[str], folder: Path) -> str | None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
