"""``python -m vlmcar.program check``: a program file in the sandbox, by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from vlmcar.program.__main__ import main

from .helpers import SHAPE

GOOD = '''"""Sees squares."""
import numpy as np


def bright(initial, frame):
    """The picture is bright."""
    return bool(frame.mean() > 100)


def level(initial, frame):
    return float(frame.mean()) / 255


def _helper(initial, frame):
    return 1
'''

Check = Callable[..., int]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with dark.png, grey.png, light.png, red.png and other_size.png."""
    for name, colour in {"dark": 0, "grey": 51, "light": 255}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full(SHAPE, colour, np.uint8))
    cv2.imwrite(str(tmp_path / "red.png"), np.full(SHAPE, (0, 0, 255), np.uint8))  # BGR
    cv2.imwrite(str(tmp_path / "other_size.png"), np.zeros((16, 24, 3), np.uint8))
    return tmp_path


@pytest.fixture
def check(images: Path) -> Check:
    """Writes a program and checks it on pictures by name, dark.png first."""

    def run(source: str, *frames: str, extra: tuple[str, ...] = ()) -> int:
        (images / "program.py").write_text(source)
        shown = ["--frame", *(str(images / f"{name}.png") for name in frames)] if frames else []
        return main(
            ["check", str(images / "program.py"), *extra, "--initial", str(images / "dark.png"), *shown]
        )

    return run


def test_answers_level_and_time(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(GOOD, "light", "grey", "dark") == 0
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    assert lines[0][0] == "program"
    assert "sandbox level: seccomp" in said
    assert lines[2] == ["bright", "level"]
    assert lines[3][1:] == ["done", "done"]
    assert lines[4][1:] == ["not", "done", "0.20"]
    assert lines[5][1:] == ["not", "done", "not", "done"]
    assert "median of 60" in said


def test_json(check: Check, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(GOOD, "grey", extra=("--json", "--repeat", "3")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answers"] == {str(images / "grey.png"): {"bright": 0.0, "level": pytest.approx(0.2)}}
    assert told["same_answers"] is True
    assert told["sandbox"].startswith("seccomp")
    assert told["frame_milliseconds"]["max"] >= told["frame_milliseconds"]["median"] > 0


def test_pictures_are_read_as_rgb_and_the_initial_one_is_judged_without_others(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    red = (
        '"""S."""\ndef red(initial, frame):\n    return bool(frame[0, 0, 0] == 255 and frame[0, 0, 2] == 0)\n'
    )
    assert check(red, "red") == 0
    assert "red.png  done" in capsys.readouterr().out
    assert check(red) == 0
    assert "dark.png  not done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:\n", ["was screened out", "line 1: syntax error"]),
        (GOOD.replace("return bool", "open('x')\n    return bool"), ["screened out", "line 7: 'open' is not allowed"]),
        ("x = 1\n", ["has no function with the parameters (initial, frame)", "def reach_the_goal(initial, frame)"]),
        (GOOD.replace("frame.mean() > 100", "1 / int(frame[0, 0, 0])"), ["dark.png: program crashed in 'bright'"]),
        (GOOD.replace("bool(frame.mean() > 100)", "3"), ["program answered wrongly in 'bright'", "returned int 3"]),
        (GOOD.replace("return bool", "while frame[0, 0, 0] == 0: pass\n    return bool"), ["timed out in 'bright'"]),
        (GOOD.replace("import numpy as np", "import numpy as np\nassert False"), ["crashed", "while loading, line 3"]),
    ],
    ids=["syntax", "screened", "no function", "crash", "wrong type", "endless", "body"],
)  # fmt: skip
def test_what_is_wrong_is_said(
    check: Check, capsys: pytest.CaptureFixture[str], source: str, words: list[str]
) -> None:
    assert check(source, "light", "dark", extra=("frame_seconds=0.01",)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    for word in words:
        assert word in said.err
    assert "Traceback" not in said.err


def test_unequal_answers_are_an_error(
    check: Check, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())
    counter = GOOD.replace(
        "bool(frame.mean() > 100)", "len(np.__dict__.setdefault('n', []) + [np.n.append(1)]) > 3"
    )
    assert check(counter, "light") == 1
    assert "answered differently for the same pictures" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (["missing"], "missing.png does not exist"),
        (["program"], "program.png does not exist"),
        (["other_size"], "other_size.png is 24 x 16, but"),
        (["text"], "is not a picture that OpenCV can read"),
    ],
)
def test_pictures_that_cannot_be_used(
    check: Check, images: Path, capsys: pytest.CaptureFixture[str], frames: list[str], words: str
) -> None:
    (images / "text.png").write_text("no picture")
    assert check(GOOD, *frames) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "words"),
    [("memory=3", "memory_mb"), ("memory_mb=x", "memory_mb"), ("memory_mb=1", "must be at least 64")],
)
def test_settings(check: Check, capsys: pytest.CaptureFixture[str], setting: str, words: str) -> None:
    assert check(GOOD, "light", extra=(setting,)) == 1
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1


def test_nothing_of_the_file_runs_in_the_caller(images: Path) -> None:
    marker = images / "marker"
    source = GOOD.replace("import numpy as np", f"import numpy as np\nnp.save({str(marker)!r}, np.zeros(1))")
    (images / "program.py").write_text(source)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "vlmcar.program", "check", str(images / "program.py")),
            *("--initial", str(images / "dark.png")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 1
    assert "'.save' is not allowed" in done.stderr
    assert not list(images.glob("marker*"))


def test_from_anywhere(images: Path, monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    monkeypatch.chdir(images)
    assert check(GOOD, "light") == 0


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "check" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    said = capsys.readouterr().out
    assert "def reach_the_goal(initial, frame):" in said
    assert "memory_mb=256" in said
