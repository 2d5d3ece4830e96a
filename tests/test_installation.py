"""Where the suite's own files lie, and what it calls itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vlmcar import installation
from vlmcar.launchers import COMMAND, command
from vlmcar.measure import read_truths
from vlmcar.types import Message, Reply
from vlmcar.vlm.conversation import load, save
from vlmcar.vlm.offline import Offline
from vlmcar.vlm.simulated import Simulated

DOORKEY = "minigrid-doorkey_5x5"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's folder as a wheel leaves it, and an empty current folder."""
    package = tmp_path / "site" / "vlmcar"
    for name in ("conf", "recordings"):
        (package / name).mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(installation, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path / "here")
    return package


def test_a_checkout_has_them_beside_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    assert installation.conf() == ROOT / "conf"
    assert installation.shown_conf() == "conf"
    assert [folder.resolve() for folder in installation.recordings()] == [ROOT / "results/recordings"]
    monkeypatch.chdir(tmp_path)
    assert installation.conf() == ROOT / "conf"
    assert installation.shown_conf() == str(ROOT / "conf")
    assert installation.recordings() == [ROOT / "results/recordings"]


def test_a_wheel_has_them_inside_the_package(wheel: Path) -> None:
    assert installation.conf() == wheel / "conf"
    assert installation.recordings() == [wheel / "recordings"]
    Path("results/recordings").mkdir(parents=True)
    assert installation.recordings() == [wheel / "recordings", Path("results/recordings")]


@pytest.mark.parametrize(
    ("started", "called"),
    [
        ("run.py", "python run.py"),
        ("../suite/run.py", "python ../suite/run.py"),
        ("/opt/venv/bin/vlmcar", "vlmcar"),
        ("/opt/venv/lib/vlmcar/__main__.py", "python -m vlmcar"),
    ],
)
def test_it_is_called_as_it_was_started(started: str, called: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [started, "-m", "label=a b"])
    monkeypatch.setenv(COMMAND, "")
    assert installation.started_as() == installation.program() == called
    assert command() == f"{called} -m 'label=a b'"


def test_other_programs_name_the_one_that_is_there(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/venv/lib/vlmcar/report/__main__.py"])
    assert installation.started_as() is None
    assert installation.program() == "vlmcar"
    (wheel / "conf").rmdir()
    assert installation.program() == "python run.py"


def test_a_recording_of_ones_own_counts_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = ROOT / "results/recordings" / DOORKEY
    messages, replies = load(kept)
    mine = Path("results/recordings") / DOORKEY
    mine.mkdir(parents=True)
    save(mine, [*messages[:2], Message("assistant", "mine")], [Reply("mine", "me")])
    offline = Offline("offline", None, Simulated(0, 0, 0, 0, 0), False)
    assert offline.reply(messages[:2]).text == "mine"
    other, replies = load(ROOT / "results/recordings/minigrid-unlock")
    assert offline.reply(other[:2]) == replies[0]
    packaged = read_truths(DOORKEY)
    assert packaged
    (mine / "truth.yaml").write_text("key: mine\n")
    assert read_truths(DOORKEY) == {"key": "mine"}


def test_one_recording_can_be_named_alone() -> None:
    kept = ROOT / "results/recordings" / DOORKEY
    messages, replies = load(kept)
    offline = Offline("offline", str(kept), Simulated(0, 0, 0, 0, 0), False)
    assert offline.reply(messages[:2]) == replies[0]
