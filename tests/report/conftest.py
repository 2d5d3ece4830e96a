"""Fake run folders, written as `vlmcar.record` writes real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HEADER = "steps,episodes,success_rate,env_return,length"


def write_run(
    results: Path,
    env: str = "minigrid-doorkey_8x8",
    method: str = "vlmcar",
    seed: int = 0,
    success: tuple[float, ...] = (0.0, 0.5, 1.0),
    train_success: tuple[float, ...] | None = None,
    finished: bool = True,
    every: int = 10_000,
    result: dict[str, Any] | None = None,
    **manifest: Any,
) -> Path:
    """Writes one run folder and returns it; `result` and `manifest` replace single fields.

    `train_success` makes it a run with a limited set of training levels.
    """
    programs = method == "vlmcar"
    fields = {
        "env": env,
        "method": method,
        "label": "",
        "vlm": "none" if method == "sparse" else "offline",
        "judge": "programs" if programs else "none" if method == "sparse" else "simulated(error=0.1)",
        "algorithm": "ppo",
        "seed": seed,
        "steps": every * (len(success) - 1) if finished else 300_000,
        "config_hash": "aaaa1111",
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "packages": {"numpy": "1.26.4"},
        "sandbox": "seccomp+landlock" if programs else None,
        "machine": "Linux, 2 cores",
        "command": f"python run.py -m env={env} seed=0,1,2",
        "started": "2025-01-01T00:00:00",
    } | manifest
    name = fields["method"] + (f"-{fields['label']}" if fields["label"] else "")
    folder = results / "runs" / env / name / fields["vlm"] / fields["algorithm"] / f"seed_{seed}"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(fields))
    lines = [
        HEADER,
        *(f"{step * every},20,{rate},{rate * 0.9},{200 - 150 * rate}" for step, rate in enumerate(success)),
    ]
    if train_success:
        lines = [
            f"{line},{value}"
            for line, value in zip(lines, ["train_success_rate", *train_success], strict=True)
        ]
    (folder / "eval.csv").write_text("".join(f"{line}\n" for line in lines))

    def steps_to_90(rates: tuple[float, ...]) -> int | None:
        return next((step * every for step, rate in enumerate(rates) if rate >= 0.9), None)

    if finished:
        numbers = {
            "final_success": success[-1],
            "final_episodes": 100,
            "steps_to_90": steps_to_90(success),
            "final_train_success": train_success[-1] if train_success else None,
            "train_steps_to_90": steps_to_90(train_success or ()),
            "train_seconds": 210.0,
            "steps_per_second": 1400.0 + seed,
            "seconds": 260.0,
            "vlm_calls": 3 if programs else 0 if method == "sparse" else 12_000,
            "vlm_model": None if method == "sparse" else "written by hand | replayed\nfrom a file",
            "program_hash": "00ff00ff00ff" if programs else None,
            "program_attempts": 1 if programs else None,
            "resumed_at": [],
        }
        (folder / "result.json").write_text(json.dumps(fields | numbers | (result or {})))
    return folder


@pytest.fixture
def run(tmp_path):
    """`run(method="sparse", seed=1, ...)` writes one run folder under tmp_path / "results"."""
    return lambda **fields: write_run(tmp_path / "results", **fields)
