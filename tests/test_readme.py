"""The README's code runs, and its choices are the ones there are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.library.corridor import RIGHT, SOURCE, WANDERED, Corridor, answers
from tests.vlm.test_conversation import Scripted
from vlmcar.config import build
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.verification.checks import Checks

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_blocks_run(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, with the program that the command makes, and a VLM that writes one for the corridor."""
    monkeypatch.chdir(ROOT)
    cfg = config("env=minigrid/doorkey_5x5", f"results={tmp_path}", "stage=generate")
    built = build(cfg)
    folder = obtain_program(built, Console("test")).folder
    (tmp_path / "my_program.py").write_text(SOURCE, encoding="utf-8")
    names: dict[str, Any] = {
        "my_env": Corridor(),
        "expert_episodes": RIGHT,
        "random_episodes": WANDERED,
        "vlm": Scripted(*answers(SOURCE)),
    }
    replaced = {
        "results/programs/minigrid-doorkey_5x5/offline/<key>": str(folder),
        'vlm="openai", model="NAME"': f"vlm=vlm, folder={str(tmp_path)!r}",
        "my_program.py": str(tmp_path / "my_program.py"),
    }
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        for old, new in replaced.items():
            block = block.replace(old, new)
        exec(block, names)
        if number == 0:
            _expert_is_paid_in_full(names["env"], built.env)
    assert names["model"].num_timesteps == 512
    assert names["made"].verdict.accepted
    assert names["verdict"].accepted
    assert isinstance(names["env"].unwrapped, Corridor)
    names["env"].close()


def _expert_is_paid_in_full(env: Any, task: Any) -> None:
    env.reset(seed=3)
    rewards = [env.step(int(action))[1] for action in task.expert(3).actions]
    assert sum(rewards) == pytest.approx(1.0)
    assert rewards[-1] > 0
    env.close()


@pytest.mark.parametrize("group", ["env", "vlm", "generation", "method", "reward", "algorithm", "logger"])
def test_the_choices_it_names_are_there(group: str) -> None:
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{group}` |")]
    folder = ROOT / "conf" / group
    there = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml")}
    named = set(re.findall(r"`([^`]+)`", row)) - {group}
    assert named
    assert named <= there


def test_every_check_of_verification_is_in_its_table() -> None:
    table = README.split("## What verification asks")[1].split("## Your own VLM")[0]
    named = set(
        re.findall(
            r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
        )
    )
    assert named | {"does"} == {field.name for field in dataclasses.fields(Checks)}
