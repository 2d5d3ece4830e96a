"""Programs handed on through a folder: all of it arrives, nothing of it is run, and nothing of it is believed."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

import vlmcar
from tests.conftest import ROOT
from tests.library.corridor import RIGHT, WANDERED, Corridor
from tests.share.conftest import SOURCE, WHO, stored_in
from vlmcar.config import build
from vlmcar.obtain import obtain_program
from vlmcar.program.process import Process
from vlmcar.record.console import Console
from vlmcar.share import pull, push
from vlmcar.share.__main__ import main
from vlmcar.types import ConfigError, VlmcarError
from vlmcar.verification.store import SHARED, StoredProgram, load
from vlmcar.vlm.conversation import load as conversation


@pytest.fixture
def shared(stored: StoredProgram, tmp_path: Path) -> Path:
    return Path(push(stored, tmp_path / "shared"))


def relist(folder: Path, **changes: Any) -> None:
    """Make ``shared.json`` true again, as whoever means harm would."""
    entry = json.loads((folder / SHARED).read_text())
    for name in list(entry["files"]):
        content = (folder / name).read_bytes()
        entry["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / SHARED).write_text(json.dumps({**entry, **changes}))


def rewrite(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """A json file's content, listed as it is then."""
    (folder / name).write_text(json.dumps(change(json.loads((folder / name).read_text()))))
    relist(folder)


def test_what_is_pushed_is_what_is_pulled(stored: StoredProgram, shared: Path, tmp_path: Path) -> None:
    pulled = pull(shared, tmp_path / "pulled")
    assert pulled.program == stored.program
    assert pulled.claimed.checks == stored.verdict.checks
    assert (pulled.verified, pulled.claimed.accepted) == (False, True)
    assert (pulled.task, pulled.frame_shape, pulled.vlm_model) == ("grey-room", (4, 4, 3), WHO)
    assert pulled.folder == tmp_path / "pulled" / f"grey-room-{stored.program.hash}"
    for name in ("program.py", "verdict.json", "conversation.jsonl", "initial.png", "goal.png"):
        assert (pulled.folder / name).read_bytes() == (stored.folder / name).read_bytes()
    said, replies = conversation(pulled.folder)
    assert (said[4].text, replies[1].model) == (conversation(stored.folder)[0][4].text, WHO)
    again = pull(pulled.folder, tmp_path / "further")  # it can be handed on
    assert again.program == pulled.program
    assert pull(shared, tmp_path / "pulled") == pulled  # twice is as once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["further", "programs", "pulled", "shared"]


def test_the_page_says_what_it_is(shared: Path) -> None:
    page = (shared / "README.md").read_text()
    assert r'"done?" out. Who wrote it: a person \| who \*answers\* \<b\>.' in page
    assert "vision-language model" not in page  # a person did
    assert "1. `brighten_up`: The picture is brighter." in page
    assert r"a person \| who \*answers\* \<b\>" in page
    assert r"| does | brighten\_up | held\_out/random | 30 | 0.3333 | reported | yes |" in page
    assert "uint8 (4, 4, 3)" in page


def test_it_is_known_to_the_package() -> None:
    assert (vlmcar.push, vlmcar.pull) == (push, pull)
    with pytest.raises(AttributeError, match="no attribute 'pusch'"):
        vlmcar.pusch  # noqa: B018


def test_nothing_is_run(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("run")

    monkeypatch.setattr(Process, "__init__", refuse)
    monkeypatch.setattr(builtins, "exec", refuse)
    monkeypatch.setattr(builtins, "eval", refuse)
    assert pull(shared, tmp_path / "pulled").program.source == SOURCE


def test_it_is_shown_in_few_words(stored: StoredProgram, shared: Path, tmp_path: Path) -> None:
    pulled = pull(shared, tmp_path / "pulled")
    for shown in (repr(pulled), repr(stored), repr(stored.program)):
        assert "brighten_up" in shown
        assert "def " not in shown
        assert "held_out" not in shown


def test_a_claim_is_no_program_to_pay_by(shared: Path, tmp_path: Path) -> None:
    pulled = pull(shared, tmp_path / "pulled")
    for use in (
        lambda: vlmcar.CodeReward(Corridor(), pulled),
        lambda: vlmcar.verify(pulled, RIGHT, WANDERED),
    ):
        with pytest.raises(ConfigError, match=r"not verified: run vlmcar\.verify\(pulled\.program, \.\.\.\)"):
            use()


def test_a_claim_is_no_verdict(shared: Path, tmp_path: Path) -> None:
    pulled = pull(shared, tmp_path / "pulled")
    assert not isinstance(pulled, StoredProgram)
    for folder in (shared, pulled.folder):
        with pytest.raises(VlmcarError, match="not verified here"):
            load(folder)
        with pytest.raises(VlmcarError, match="not verified here"):
            push(folder, tmp_path / "mine")


@pytest.mark.parametrize(
    "name", ["program.py", "verdict.json", "conversation.jsonl", "initial.png", "README.md"]
)
def test_a_damaged_file_is_named(name: str, shared: Path, tmp_path: Path) -> None:
    content = bytearray((shared / name).read_bytes())
    content[-2] ^= 1
    (shared / name).write_bytes(content)
    with pytest.raises(VlmcarError, match=f"{name} is not the file that shared.json lists"):
        pull(shared, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def bomb(side: int) -> bytes:
    """The head of a PNG with so many pixels a side."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def listing(folder: Path, name: str, **file: Any) -> None:
    entry = json.loads((folder / SHARED).read_text())
    entry["files"][name] = {"bytes": 1, "sha256": "0" * 64, **file}
    (folder / SHARED).write_text(json.dumps(entry))


def link(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
        relist(folder)

    return change


def another_program(folder: Path) -> None:
    """One that the conversation does not hold, with all hashes as they should be."""
    source = SOURCE.replace(">", "<")
    (folder / "program.py").write_text(source)
    text = "\n".join(["brighten_up", source])
    told = hashlib.sha256(text.encode()).hexdigest()[:12]
    rewrite(folder, "verdict.json", lambda entry: {**entry, "program_hash": told})
    relist(folder, program_hash=told)


def hostile_program(folder: Path) -> None:
    source = "import os\n" + SOURCE
    (folder / "program.py").write_text(source)
    told = hashlib.sha256("\n".join(["brighten_up", source]).encode()).hexdigest()[:12]
    rewrite(folder, "verdict.json", lambda entry: {**entry, "program_hash": told})
    relist(folder, program_hash=told)


def picture(content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "goal.png").write_bytes(content)
        relist(folder)

    return change


MISTAKES = {
    "no list": (lambda f: (f / SHARED).unlink(), "FileNotFoundError"),
    "a list that is none": (lambda f: (f / SHARED).write_text("[" * 100_000), "RecursionError"),
    "a list that is too long": (lambda f: (f / SHARED).write_text(" " * 300_000), "larger than 200,000 bytes"),
    "a later format": (lambda f: relist(f, format=2), "its format is 2, and this vlmcar reads 1"),
    "a name that leads out": (lambda f: listing(f, "../evil.py"), r"may not be called '../evil.py'"),
    "a name from the root": (lambda f: listing(f, "/etc/passwd"), "may not be called"),
    "a picture's name that leads out": (lambda f: listing(f, "images/../../evil.png"), "may not be called"),
    "code besides the program": (lambda f: listing(f, "__init__.py"), "may not be called '__init__.py'"),
    "a name with escape codes": (lambda f: listing(f, "\x1b[2J"), "may not be called '\N{REPLACEMENT CHARACTER}"),
    "no size": (lambda f: listing(f, "README.md", bytes="1"), "README.md may have 1 to"),
    "a huge file": (lambda f: listing(f, "README.md", bytes=10**9), "README.md may have 1 to 4,000,000 bytes"),
    "a huge program": (lambda f: listing(f, "program.py", bytes=200_000), "program.py may have 1 to 100,000"),
    "many files": (
        lambda f: [listing(f, f"images/{n:016x}.png") for n in range(500)],
        "more than 500 files",
    ),
    "much altogether": (
        lambda f: [listing(f, f"images/{n:016x}.png", bytes=3_000_000) for n in range(30)],
        "more than 64,000,000 bytes",
    ),
    "no conversation": (
        lambda f: (f / SHARED).write_text((f / SHARED).read_text().replace('"conversation.jsonl"', '"goal.png"')),
        "it lists no conversation.jsonl",
    ),
    "a task that is a path": (lambda f: relist(f, task="../../home"), "its task's name"),
    "a frame without a size": (lambda f: relist(f, frame_shape=[0, 4, 3]), "frame_shape"),
    "a link": (lambda f: link(f, "program.py"), "program.py is a link"),
    "a linked folder": (lambda f: link(f, "images"), "is a link"),
    "a pipe": (lambda f: pipe(f, "README.md"), "README.md is no file"),
    "a file that has grown": (
        lambda f: (f / "README.md").write_text("x" * 100_000),
        "README.md is larger than",
    ),
    "no picture": (picture(b"GIF89a, or so it says"), "goal.png is no PNG"),
    "a picture that unfolds": (picture(bomb(20_000)), "goal.png has more than 4096 pixels a side"),
    "a sub-task that is no name": (
        replaced("verdict.json", '"name": "brighten_up"', '"name": "__import__"'),
        "a sub-task may not be called '__import__'",
    ),
    "a check that is none": (replaced("verdict.json", '"count": 40', '"count": "40"'), "a check that is none"),
    "accepted, or so": (replaced("verdict.json", "true", '"yes"'), "does not say whether it was accepted"),
    "a verdict of another program": (
        replaced("verdict.json", '"program_hash": "', '"program_hash": "0'),
        "program.py has another hash than is said",
    ),
    "a program that screening refuses": (hostile_program, "breaks the rules: .*import of 'os' is not allowed"),
    "a program that nobody wrote": (another_program, "program.py is no answer of its conversation"),
    "a turn that shows other files": (
        replaced("conversation.jsonl", '"images": ["', '"images": ["../../../etc/x", "'),
        "which is not listed",
    ),
    "a turn by nobody": (replaced("conversation.jsonl", '"role": "system"', '"role": "root"'), "a turn that is none"),
    "a name that clears the screen": (replaced("conversation.jsonl", "a person", "\\u001b[2J"), "cannot be named"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_not_as_it_should_be_is_refused_in_a_line(mistake: str, shared: Path, tmp_path: Path) -> None:
    change, words = MISTAKES[mistake]
    change(shared)
    with pytest.raises(VlmcarError, match=words) as refused:
        pull(shared, tmp_path / "pulled")
    assert str(refused.value).isprintable()
    assert not (tmp_path / "pulled").exists()


def test_what_it_says_reaches_no_terminal_raw(shared: Path, tmp_path: Path) -> None:
    clear = "\x1b[2J\nok"
    rewrite(shared, "verdict.json", lambda entry: {**entry, "vlm_model": clear})
    pulled = pull(shared, tmp_path / "pulled")
    assert pulled.vlm_model.isprintable()


def test_another_story_of_the_same_program_replaces_nothing(shared: Path, tmp_path: Path) -> None:
    kept = pull(shared, tmp_path / "pulled").folder
    (shared / "README.md").write_text("Trust me.")
    relist(shared)
    with pytest.raises(VlmcarError, match="another story"):
        pull(shared, tmp_path / "pulled")
    assert (kept / "README.md").read_text() != "Trust me."


def test_what_cannot_be_pushed_says_why(stored: StoredProgram, tmp_path: Path) -> None:
    def refused(words: str, what: Any = stored, **how: Any) -> None:
        with pytest.raises(VlmcarError, match=words):
            push(what, tmp_path / "shared", **how)
        assert not (tmp_path / "shared").exists()

    refused("is not accepted", stored_in(tmp_path / "rejected", accepted=False))
    refused("give frame_size", replace(stored, frame_shape=None))
    refused("from 1 to 4096 pixels", frame_size=(0, 4))
    refused("task=a/b", task="a/b")
    refused("holds no accepted program", tmp_path)
    (stored.folder / "goal.png").unlink()
    refused("goal.png is missing")
    (tmp_path / "taken").mkdir()
    with pytest.raises(VlmcarError, match="is there already"):
        push(stored, tmp_path / "taken")
    with pytest.raises(VlmcarError, match="hf://owner/name"):
        push(stored, "hf://owner/../name")


def test_an_older_entry_is_told_its_frames(stored: StoredProgram, tmp_path: Path) -> None:
    to = push(replace(stored, frame_shape=None), tmp_path / "shared", frame_size=(64, 48), task="grey")
    pulled = pull(to, tmp_path / "pulled")
    assert (pulled.frame_shape, pulled.task) == ((64, 48, 3), "grey")


def test_the_commands(stored: StoredProgram, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to, into = str(tmp_path / "shared"), str(tmp_path / "pulled")
    assert main(["push", str(stored.folder), to, "--task", "grey"]) == 0
    assert main(["pull", to, "--into", into]) == 0
    said = capsys.readouterr().out
    assert f"{to}\n{into}/grey-{stored.program.hash}\n" in said
    assert f"NOT VERIFIED HERE. It claims: accepted, 2 of 2 checks passed, written by {WHO}" in said
    assert main(["pull", str(tmp_path / "nothing")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_pulled_conversation_is_replayed_and_its_program_verified_anew(
    config: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the real task: what training takes is what was verified here, by a verdict of this machine."""
    monkeypatch.chdir(ROOT)
    task = ["env=minigrid/doorkey_5x5", "stage=generate"]
    theirs = obtain_program(build(config(*task, f"results={tmp_path / 'theirs'}")), Console("test"))
    assert theirs.frame_shape == (160, 160, 3)
    pulled = pull(push(theirs, tmp_path / "shared"), tmp_path / "pulled")
    assert pulled.frame_shape == (160, 160, 3)
    here = [*task, f"results={tmp_path / 'mine'}", f"vlm.recordings={pulled.folder}"]
    mine = obtain_program(build(config(*here)), Console("test"))
    assert (mine.program, mine.vlm_model) == (pulled.program, pulled.vlm_model)
    assert mine.verdict.accepted
    assert mine.folder.is_relative_to(tmp_path / "mine")
