"""The README's code runs, and its choices are the ones there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.generation.test_parsing import SOURCE
from tests.reward.test_reward import Counter

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {"my_env": Counter(3)}
    exec(block, names)
    env = names["env"]
    env.reset()
    _, reward, _, _, info = env.step(0)
    assert reward == 0.5  # `get_key` is done as soon as the picture changes
    assert info["progress"].tolist() == [1.0, 0.5]
    env.judge.close()


@pytest.mark.parametrize("group", ["env", "vlm", "method", "reward", "algorithm", "logger"])
def test_the_choices_it_names_are_there(group: str) -> None:
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{group}` |")]
    folder = ROOT / "conf" / group
    there = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml")}
    named = set(re.findall(r"`([^`]+)`", row)) - {group}
    assert named
    assert named <= there
