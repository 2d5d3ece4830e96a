"""The README's code runs, and its choices are the ones there are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import gymnasium
import minigrid  # noqa: F401  (registers the environments)
import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from vlmcar.config import build
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.verification.checks import Checks

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_block_runs(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the environment that the README names, and the program that its command makes."""
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (make,) = re.findall(r"`(gymnasium\.make\(.*?\))`", README)
    cfg = config("env=minigrid/doorkey_5x5", f"results={tmp_path}", "stage=generate")
    folder = obtain_program(build(cfg), Console("test")).folder
    names = {"my_env": eval(make, {"gymnasium": gymnasium})}
    exec(block.replace("results/programs/minigrid-doorkey_5x5/offline/<key>", str(folder)), names)
    env = names["env"]
    task = build(cfg).env
    env.reset(seed=3)
    rewards = [env.step(int(action))[1] for action in task.expert(3).actions]
    assert sum(rewards) == pytest.approx(1.0)
    assert rewards[-1] > 0
    env.judge.close()


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
