"""Every code block of the documentation runs, page by page, as somebody who reads it would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.blocks import PAGES, PYTHON_RUNS_IN, Block, blocks, read
from tests.docs.commands import check
from tests.docs.running import run


@pytest.mark.parametrize("page", PAGES)
def test_everything_on_it_runs(page: str, checkout: Path) -> None:
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        try:
            run(block, checkout, names)
        except BaseException as error:
            if not isinstance(error, KeyboardInterrupt):
                error.add_note(f"in {block}")
            raise


def test_what_runs_elsewhere_does() -> None:
    for page, test in PYTHON_RUNS_IN.items():
        text = (ROOT / test).read_text(encoding="utf-8")
        assert page in text
        assert "exec(block" in text


def test_what_is_not_run_says_why() -> None:
    """``<!-- not run: ... -->`` stands before it. No page gets by with that for most of its Python."""
    skipped = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert all(block.language == "python" and len(block.not_run.split()) >= 3 for block in skipped)
    pages = [page for page in PAGES if page not in PYTHON_RUNS_IN]
    ran = [
        block for page in pages for block in blocks(page) if block.language == "python" and not block.not_run
    ]
    assert len(ran) > len(skipped)


SAMPLE = """
Say `python run.py seed=3`, and `seed=4`.

    make test  # in a block

- a list

    ```python title="baselines/a.py"
    x = 1
    ```

<!-- not run: needs a key -->
```python
ask()
```
"""


def test_all_kinds_of_blocks_are_found() -> None:
    found = list(read(SAMPLE, "page"))
    assert [(b.line, b.language, b.title, b.not_run) for b in found] == [
        (2, "bash", None, None),
        (2, "setting", None, None),
        (4, "bash", None, None),
        (9, "python", "baselines/a.py", None),
        (14, "python", None, "needs a key"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("python run.py env=minigird", "Could not find 'env/minigird'"),
        ("python run.py -m seed=0,1 training.stepz=5", "training.stepz"),
        ("python run.py -m env=minigrid,procgen training.steps=500000,0", "training.steps=0"),
        ("python run.py --fast", "--fast"),
        ("python -m vlmcar.nothing", "no module vlmcar.nothing"),
        ("cd there && make everything", "everything"),
        ("pip install 'vlmcar[everything]'", "everything"),
        ("pyhton run.py", "pyhton is no command"),
    ],
)
def test_a_wrong_command_is_caught(line: str, why: str, checkout: Path) -> None:
    block = Block("page", 1, "bash", None, line, None)
    with pytest.raises(Exception, match=re.escape(why)):
        run(block, checkout, {})


@pytest.mark.parametrize(
    "setting", ["generation=improve", "sead=3", "verification.checks.robust.at_leest=1", "vlm.modell=x"]
)
def test_a_wrong_setting_in_a_sentence_is_caught(setting: str, checkout: Path) -> None:
    (block,) = read(f"Say `{setting}`.", "page")
    with pytest.raises(AssertionError, match=re.escape(setting)):
        run(block, checkout, {})


def test_a_wrong_argument_of_a_module_is_caught(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check(["python", "-m", "vlmcar.report", "--outt", "x"], checkout / "conf")
    assert "--outt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('```python\nraise ValueError("no")\n```', "no"),
        ('```python title="baselines/wrong.py"\nimport nothing_so_named\n```', "nothing_so_named"),
        ("<!-- not run: needs a key -->\n```python\ndef (:\n```", "invalid syntax"),
        ("```yaml\na: 1\n```", "says which file it is"),
        (
            '```yaml title="conf/method/wrong.yaml"\n_target_: baselines.sparse.Sparse\nname: wrong\n```',
            "env_reward is missing",
        ),
        ("```ruby\nputs 1\n```", "ruby: nobody runs this"),
    ],
)
def test_a_wrong_block_is_caught(text: str, why: str, checkout: Path) -> None:
    (block,) = read(text, "page")
    with pytest.raises(Exception, match=why):
        run(block, checkout, {})
