"""Files that are missing, broken, in the way, or that cannot be written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.kept import SMALL, SPARSE, TASK, finished, killed, stored
from tests.bad_input.running import Mistake, Place
from tests.conftest import ROOT

RESUMED = ("config.yaml", "manifest.json", "ledger.json", "train.csv", "eval.csv")


def row(wrong: str, command: str, *says: str, **more: object) -> Mistake:
    values = {"status": 1, "also": SMALL, **more}
    return Mistake("files", wrong, f"run.py {command}", says, **values)  # type: ignore[arg-type]


def cut(path: Path) -> None:
    """Its first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def half(path: Path) -> None:
    """JSON that ends too early, at the same place on every machine."""
    path.write_text('{"accepted": true, "subtasks": [')


def broken(
    of: Callable[[Place], Path], name: str, how: Callable[[Path], None] = cut
) -> Callable[[Place], None]:
    """Prepare ``of``'s folder, and do something to one of its files."""
    return lambda place: how(of(place) / name)


def spoiled(path: Path) -> None:
    """Bytes of its middle are others, as on a bad disk; a zip still opens."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)


def without_beginning(path: Path) -> None:
    header, _, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows]) + "\n")


def full(name: str) -> Callable[[Place], None]:
    """A disk on which there is no room for this file of the run."""

    def prepare(place: Place) -> None:
        folder = place.results / SPARSE
        folder.mkdir(parents=True)
        (folder / name).symlink_to("/dev/full")

    return prepare


def a_file(place: Place) -> None:
    place.results.write_text("notes\n")


def recordings(place: Place) -> Path:
    shutil.copytree(ROOT / "results" / "recordings" / TASK, place.path / "recordings" / TASK)
    return place.path / "recordings" / TASK


def simulated(place: Place) -> Path:
    return killed(place, "direct_vlm")


def subtasks(place: Place) -> Path:
    folder = killed(place, "direct_vlm")
    shutil.rmtree(folder)
    return next((place.results / "subtasks").glob("*/*/*/subtasks.json")).parent


def in_the_way(place: Place) -> None:
    folder = place.results / SPARSE
    folder.parent.mkdir(parents=True)
    folder.write_text("not a folder")


def another_chat(place: Place) -> None:
    turn = place.path / "chat" / "turn_1"
    turn.mkdir(parents=True)
    (turn / "prompt.md").write_text("another question")


MANUAL = "stage=generate vlm=manual vlm.answered_by=me vlm.folder={place}/chat"
OFFLINE = "stage=generate vlm.recordings={place}/recordings"
ROWS = (
    row(
        "results is a file",
        "method=sparse",
        "cannot be written",
        "results=<folder>",
        status=2,
        prepare=a_file,
    ),
    row(
        "results below a file",
        "method=sparse results={place}/a/b",
        "cannot be written",
        status=2,
        prepare=lambda place: os.close(os.open(place.path / "a", os.O_CREAT)),
    ),
    row("results where nobody can write", "method=sparse results=/proc/runs", "cannot be written", status=2),
    row(
        "results with a path that is too long",
        f"method=sparse results={{place}}/{'long' * 80}",
        "too long",
        status=2,
    ),
    row("a file where the run's folder goes", "method=sparse", "seed_0: File exists", prepare=in_the_way),
    row(
        "the disk is full at the start",
        "method=sparse",
        "No space left on device",
        "make room",
        prepare=full("manifest.json.partial"),
    ),
    row(
        "the disk is full at a checkpoint",
        "method=sparse",
        "No space left on device",
        "make room",
        prepare=broken(killed, "checkpoint.partial.zip", lambda path: path.symlink_to("/dev/full")),
        changes=RESUMED,
    ),
    row(
        "the disk is full at the end",
        "method=sparse",
        "No space left on device",
        "make room",
        prepare=full("result.json.partial"),
    ),
    row(
        "a run with other settings is there",
        "method=sparse algorithm.gamma=0.9",
        "gamma 0.99 -> 0.9",
        "label=<name>",
        "overwrite=true",
        prepare=finished,
    ),
    row(
        "its manifest is cut in half",
        "method=sparse",
        "manifest.json cannot be read",
        "overwrite=true",
        prepare=broken(killed, "manifest.json"),
    ),
    row(
        "its manifest is gone",
        "method=sparse",
        "manifest.json is missing",
        "overwrite=true",
        prepare=broken(finished, "manifest.json", Path.unlink),
    ),
    row(
        "its checkpoint has other bytes in the middle",
        "method=sparse",
        "checkpoint.zip cannot be read",
        "remove it",
        prepare=broken(killed, "checkpoint.zip", spoiled),
        changes=RESUMED,
    ),
    row(
        "its curve is empty",
        "method=sparse",
        "eval.csv is not as it was when checkpoint.zip was written",
        "remove",
        prepare=broken(killed, "eval.csv", lambda path: path.write_text("")),
    ),
    row(
        "its curve lost the first row",
        "method=sparse",
        "eval.csv is not as it was when checkpoint.zip was written",
        "remove",
        prepare=broken(killed, "eval.csv", without_beginning),
    ),
    row(
        "the kept answers of a judge are cut",
        "method=direct_vlm",
        "answers.npz cannot be read",
        "remove it",
        prepare=broken(simulated, "answers.npz"),
        changes=RESUMED,
    ),
    row(
        "the stored sub-tasks are cut",
        "method=direct_vlm",
        "subtasks.json cannot be read",
        "remove it",
        prepare=broken(subtasks, "subtasks.json", half),
    ),
    row(
        "an accepted program was edited",
        "stage=verify",
        "not the program that was verified",
        "remove",
        prepare=broken(stored, "program.py", lambda path: path.write_text(path.read_text() + "\n# better\n")),
    ),
    row(
        "an accepted program is cut",
        "stage=verify",
        "not the program that was verified",
        "remove",
        prepare=broken(stored, "program.py"),
    ),
    row(
        "an accepted program is gone",
        "stage=verify",
        "program.py",
        "remove",
        prepare=broken(stored, "program.py", Path.unlink),
    ),
    row(
        "its verdict is cut",
        "stage=verify",
        "holds no accepted program that can be read",
        "remove",
        prepare=broken(stored, "verdict.json", half),
    ),
    row(
        "its verdict is of another kind",
        "stage=verify",
        "verdict.json is not as it was written",
        "remove",
        prepare=broken(stored, "verdict.json", lambda path: path.write_text('{"accepted": true}')),
    ),
    row(
        "its verdict is gone",
        "stage=verify",
        "holds no accepted program",
        "stage=generate makes one",
        prepare=broken(stored, "verdict.json", Path.unlink),
    ),
    row(
        "its conversation is gone",
        "stage=train",
        "conversation.jsonl is missing",
        "put it back",
        prepare=broken(stored, "conversation.jsonl", Path.unlink),
    ),
    row("no recordings there", OFFLINE, "is no folder", "null takes", status=2),
    row(
        "recordings of nothing",
        OFFLINE,
        "no recording was made",
        "vlm=manual",
        prepare=lambda place: (place.path / "recordings").mkdir(),
    ),
    row(
        "a recording with a broken line",
        OFFLINE,
        "the recording",
        "cannot be read",
        prepare=broken(recordings, "conversation.jsonl"),
    ),
    row(
        "a recording without its pictures",
        OFFLINE,
        "is missing or no image",
        prepare=broken(recordings, "images", shutil.rmtree),
    ),
    row(
        "a task that nobody recorded",
        "env.env_id=MiniGrid-Empty-5x5-v0 env.name=empty",
        "no recording was made",
        "vlm=manual",
    ),
    row(
        "ground truth that nobody wrote down",
        "method=direct_vlm env.name=other",
        "truth.yaml is missing",
        "sub_task: predicate",
    ),
    row(
        "another chat's folder",
        MANUAL,
        "belongs to another conversation",
        "another vlm.folder",
        prepare=another_chat,
    ),
    row(
        "a chat's folder that cannot be made",
        MANUAL.replace("{place}", "/proc"),
        "/proc/chat",
        "check that this path",
    ),
    row("nobody answers the chat", f"{MANUAL} vlm.timeout_minutes=0.001", "no answer in", "0.001 minutes"),
)
