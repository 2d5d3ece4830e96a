"""The report's pages: whole, without a network, and right about what they show."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from vlmcar.record.episodes import write_episode
from vlmcar.report.__main__ import main
from vlmcar.report.program_page import _segments, _with_code

RECORDING = ROOT / "results/recordings/minigrid-doorkey_6x6"
SOURCE = 'import numpy as np\n\n\ndef key(initial, frame):\n    return bool("</script>" < str(frame.max()))\n'
Run = Callable[..., Path]


def give_program(folder: Path, episodes: bool = True) -> None:
    """What a real run leaves besides its numbers."""
    (folder / "program.py").write_text(SOURCE)
    check = {"name": "expert_completes", "subtask": None, "trajectories": "feedback/expert", "count": 40}
    verdict = {
        "accepted": True, "attempts": 2, "vlm_model": "a <model>",
        "subtasks": [{"name": "key", "description": "The key & the door."}],
        "checks": [{**check, "measured": 0.975, "threshold": ">= 1", "passed": False}],
    }  # fmt: skip
    (folder / "verdict.json").write_text(json.dumps(verdict))
    shutil.copy(RECORDING / "conversation.jsonl", folder)
    shutil.copytree(RECORDING / "images", folder / "images")
    for kind in ("expert", "random", "policy") if episodes else ():
        frames = np.zeros((4, 16, 16, 3), np.uint8)
        frames[2:, :, :, 0] = 200
        progress = np.array([[0], [0], [1], [1]], np.float32)
        paid = np.array([0, 0, 1.0, 0])
        facts = {"kind": kind, "success": kind == "expert", "level": 1, "subtasks": ["key"], "done_at": [2]}
        write_episode(folder, frames, paid, np.array([0, 0, 0.5], np.float32), progress, facts)


@pytest.fixture
def site(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Makes the report; gives what was printed."""

    def made() -> str:
        assert main(["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")]) == 0
        return capsys.readouterr().out

    return made


def program_pages(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "out").glob("program_*.html"))


def test_pages_hold_all_they_show(run: Run, site: Callable[[], str], tmp_path: Path) -> None:
    for seed in (0, 1):
        give_program(run(seed=seed, result={"vlm_model": "a <script>model</script>"}))
    give_program(run(method="sparse"))
    site()
    index = (tmp_path / "out/index.html").read_text()
    (page,) = program_pages(tmp_path)
    for text in (index, page.read_text()):
        sources = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert sources
        for source in sources:
            assert source.startswith("data:") or (tmp_path / "out" / source).is_file(), source[:80]
        assert "http://" not in re.sub(r'"data:[^"]*"', "", text)
    assert f'href="{page.name}"' in index
    assert "a &lt;script&gt;model" in index
    assert "<script>model" not in index
    assert "3 of 3" in index
    assert "<h2>Table</h2>" in index
    assert '<div class="scroll"><table>' in index


def test_a_programs_page_says_what_it_is(run: Run, site: Callable[[], str], tmp_path: Path) -> None:
    give_program(run())
    site()
    text = program_pages(tmp_path)[0].read_text()
    assert "a &lt;model&gt;" in text
    assert "The key &amp; the door." in text
    assert "1 run learned from it" in " ".join(text.split())
    assert "expert_completes" in text
    assert "FAILED" in text
    data = json.loads(
        re.findall(r'<script type="application/json" id="episodes">(.*?)</script>', text, re.DOTALL)[0]
    )
    assert [episode["return"] for episode in data] == [[0, 0, 1, 1]] * 3
    assert [episode["success"] for episode in data] == [True, False, False]
    assert data[0]["xs"][0] < data[0]["xs"][1] < data[0]["xs"][3]
    assert text.count("<svg") == 3
    assert text.count("</script>") == 2  # that of the data, and that of the player
    plain = html.unescape(re.sub("<[^>]+>", "", text))
    for line in (RECORDING / "conversation.jsonl").read_text().split("\n"):
        if line:
            told = json.loads(line)["text"]
            assert " ".join(told.split())[-60:].strip("`") in " ".join(plain.split()), told[-60:]


def test_moving_pictures_show_every_method(run: Run, site: Callable[[], str], tmp_path: Path) -> None:
    give_program(run())
    give_program(run(method="sparse"))
    give_program(run(method="oracle", finished=False))
    site()
    with Image.open(tmp_path / "out/policies_minigrid-doorkey_8x8.gif") as picture:
        assert picture.n_frames == 4
        assert picture.width > 2 * 200
        assert picture.width < 3 * 220  # the unfinished one is not there
        first, last = (np.asarray(_frame(picture, n)) for n in (0, 3))
    assert (first != last).any()


def _frame(picture: Any, number: int) -> Any:
    picture.seek(number)
    return picture.convert("RGB")


def test_what_cannot_be_read_is_named_and_the_rest_is_there(
    run: Run, site: Callable[[], str], tmp_path: Path
) -> None:
    good, broken, older = (run(env=env) for env in ("a-good", "a-broken", "an-older"))
    for folder in (good, broken):
        give_program(folder)
    give_program(older, episodes=False)
    facts = json.loads((broken / "episodes/policy.json").read_text())
    (broken / "episodes/policy.json").write_text(json.dumps({**facts, "return": [0]}))
    printed = site()
    assert "Not shown: a-broken" in printed
    assert "a-good" not in "".join(line for line in printed.split("\n") if "Not shown" in line)
    assert [path.name.split("_")[1] for path in program_pages(tmp_path)] == ["a-good", "an-older"]
    assert "No run with this program has kept episodes" in program_pages(tmp_path)[1].read_text()
    index = (tmp_path / "out/index.html").read_text()
    assert "Not shown" in index
    assert "a-broken" in index


def test_the_index_keeps_intervals_whole_and_folds_what_repeats(
    run: Run, site: Callable[[], str], tmp_path: Path
) -> None:
    for seed in range(2):
        run(seed=seed)
    site()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "1.00 [1.00,&nbsp;1.00]" in page
    (folded,) = re.findall(r"<details>(.*?)</details>", page, re.S)
    assert folded.count("<img ") == 1
    assert "<h3>minigrid-doorkey_8x8</h3>" in folded
    assert re.findall(r"<b>1</b><span>(.*?)</span>", page) == ["environment", "method"]


def test_without_runs_it_says_what_to_run(site: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    site()
    assert "-m env=minigrid seed=0,1,2" in (tmp_path / "out/index.html").read_text()


def test_bars_cover_the_frames_on_which_something_is_done() -> None:
    xs = [0.0, 10.0, 20.0, 30.0]
    assert _segments([0, 1, 1, 0], xs) == [(10, 30, 1)]
    assert _segments([0, 0.5, 1, 1], xs) == [(10, 20, 0.5), (20, 30, 1)]
    assert _segments([0, 0, 0, 0], xs) == []


def test_code_in_a_message_is_coloured_and_the_rest_is_as_it_was() -> None:
    text = _with_code("Before <b>.\n```python\nx = 1\n```\nafter\n```\n<plain>\n```\n")
    assert '<div class="wrap">Before &lt;b&gt;.</div>' in text
    assert 'class="highlight"' in text
    assert "<pre>&lt;plain&gt;\n</pre>" in text
    assert '<div class="wrap">after</div>' in text
