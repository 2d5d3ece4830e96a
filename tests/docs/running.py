"""Runs a block of the documentation, as somebody who reads it would."""

from __future__ import annotations

import importlib
from pathlib import Path

from omegaconf import OmegaConf

from tests.conftest import ROOT
from tests.docs.blocks import LANGUAGES, PYTHON_RUNS_IN, Block
from tests.docs.commands import check, check_setting, commands
from vlmcar.config import component


def run(block: Block, checkout: Path, names: dict[str, object]) -> None:
    """A module is written and imported, other Python run; yaml is built; commands are checked.

    What cannot run here is compiled all the same, and what is composed of it is composed.
    """
    assert block.language in LANGUAGES, f"{block.language}: nobody runs this"
    if block.language == "bash":
        for words in commands(block.text):
            check(words, checkout / "conf")
    if block.language == "setting":
        for setting in block.text.split():
            check_setting(setting, checkout / "conf")
    if block.language == "yaml":
        _build(block, checkout)
    if block.language == "python":
        code = compile("\n" * (block.line - 1) + block.text, block.page, "exec")
        if block.title:
            path = _write(block, checkout)
            importlib.invalidate_caches()
            importlib.import_module(".".join(Path(block.title).with_suffix("").parts))
            assert path.is_file()
        elif not block.not_run and block.page not in PYTHON_RUNS_IN:
            exec(code, names)


def _write(block: Block, checkout: Path) -> Path:
    assert block.title
    path = checkout / block.title
    assert not (ROOT / block.title).exists(), f"{block.title} is there already"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")
    return path


def _build(block: Block, checkout: Path) -> None:
    assert block.title, 'a yaml block says which file it is: title="conf/<group>/<name>.yaml"'
    path = _write(block, checkout)
    group = Path(block.title).parts[-2]  # of conf, or of a folder for --config-dir
    content = OmegaConf.load(path)
    if "_target_" in content and not OmegaConf.missing_keys(content):  # else commands give what is missing
        component(group, content)
