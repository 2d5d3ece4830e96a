"""One mistake, made through the real entry point: its line, its exit status, and what it left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.vlm.misbehaving_server import Behaviour, misbehaving

SECONDS = 120.0
"""More than any of them takes on a busy machine; beyond it counts as a hang."""
UNSET = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HYDRA_FULL_ERROR", "WANDB_MODE", "PYTHONWARNINGS")


class Zygote:
    """``tests.bad_input.zygote``, started once."""

    def __init__(self) -> None:
        kept = {k: v for k, v in os.environ.items() if k.upper() not in UNSET and not k.startswith("OPENAI_")}
        kept |= {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1,localhost", "COLUMNS": "200"}
        command = [sys.executable, "-m", "tests.bad_input.zygote"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, cwd=ROOT, env=kept, text=True, **pipes)
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(
        self, argv: Sequence[str], cwd: Path, env: dict[str, str], missing: Sequence[str]
    ) -> tuple[int | str, str, str]:
        """Exit status, standard output and standard error."""
        assert self.process.stdin is not None
        with tempfile.TemporaryDirectory() as kept:
            out, err = Path(kept, "out"), Path(kept, "err")
            paths = {"cwd": str(cwd), "out": str(out), "err": str(err)}
            command = {"argv": list(argv), "env": env, "missing": list(missing), "seconds": SECONDS, **paths}
            print(json.dumps(command), file=self.process.stdin, flush=True)
            status = json.loads(self._read())
            return status, out.read_text(errors="replace"), err.read_text(errors="replace")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Place:
    """A folder of its own for one mistake."""

    path: Path
    zygote: Zygote
    url: str = ""
    cwd: Path = ROOT

    @property
    def results(self) -> Path:
        return self.path / "results"


@dataclass(frozen=True)
class Mistake:
    """A row of the table."""

    about: str
    """config, files, environment, endpoint or other commands."""
    wrong: str
    """What was done, in a few words; unique."""
    command: str
    """As typed, after ``python``; ``{place}``, ``{results}``, ``{root}``, ``{url}`` and ``{tls}`` are filled in."""
    says: tuple[str, ...]
    """Words of the line: what is wrong, and what to do. They hold whatever the page says."""
    status: int = 2
    also: str = ""
    """Settings that keep it short, and that the page leaves out."""
    prepare: Callable[[Place], None] = lambda place: None
    serve: tuple[Behaviour, ...] = ()
    missing: tuple[str, ...] = ()
    """Packages that cannot be imported."""
    env: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    """Names of files that were there before and may be changed."""


@dataclass(frozen=True)
class Outcome:
    status: int | str
    lines: tuple[str, ...]
    """Of standard error, masked."""
    out: str
    left: tuple[str, ...]
    """New files and folders, masked."""
    touched: tuple[str, ...]
    """Files that were there before and are others now, or gone."""


def make(mistake: Mistake, path: Path, zygote: Zygote) -> Outcome:
    """Make it in ``path``, a new folder."""
    place = Place(path, zygote)
    with _server(mistake, place):
        mistake.prepare(place)
        before = _content(path)
        filled = {
            "{place}": str(path),
            "{results}": str(place.results),
            "{root}": str(ROOT),
            "{url}": place.url,
            "{tls}": place.url.replace("http:", "https:"),
        }
        argv = shlex.split(f"{mistake.command} {mistake.also}")
        for key, value in filled.items():
            argv = [word.replace(key, value) for word in argv]
        if argv[0] == "run.py" and not any(word.startswith("results=") for word in argv):
            argv.append(f"results={place.results}")
        status, out, err = zygote.run(argv, place.cwd, mistake.env, mistake.missing)
    after = _content(path)
    lines = tuple(masked(line, place) for line in err.splitlines() if line.strip())
    left = tuple(sorted({masked(name, place) for name in after if name not in before}))
    touched = tuple(name for name, content in before.items() if after.get(name) != content)
    return Outcome(status, lines, out, left, touched)


@contextlib.contextmanager
def _server(mistake: Mistake, place: Place) -> Iterator[None]:
    if not mistake.serve:
        yield
        return
    with misbehaving() as server:
        server.script = list(mistake.serve)
        place.url = server.url
        yield


def _content(path: Path) -> dict[str, Any]:
    """Every file and folder below, but for locks, with what tells whether it has changed."""
    found = {}
    for inside in sorted(path.rglob("*")):
        name = inside.relative_to(path).as_posix()
        if inside.is_symlink():
            found[name] = os.readlink(inside)
        elif inside.is_file() and not name.endswith(".lock"):
            found[name] = hashlib.sha256(inside.read_bytes()).hexdigest()
        elif inside.is_dir():
            found[name] = "folder"
    return found


MASKS = (
    (r"\b(?=\w*\d)[0-9a-f]{12}\b", "HASH"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\[SSL.*?\.c:\d+\)", "[SSL ...]"),
    (r"\[Errno -\d\] [A-Za-z ]+(?= \()", "[Errno -N] ..."),
    (r"(?<=options in 'hydra/launcher': ).*", "..."),  # those that are installed
    (r"\d[\d.]* PiB", "N PiB"),
    (r"(?<=could not start: no answer within )[^;]*", "N"),
    (r"\(0x[0-9a-f]+\)|at 0x[0-9a-f]+", "at N"),
)


def masked(text: str, place: Place) -> str:
    """Without what differs from machine to machine."""
    for name in (str(place.path), str(ROOT)):
        text = text.replace(f"{name}/", "").replace(name, "DIR")
    for pattern, shown in MASKS:
        text = re.sub(pattern, shown, text)
    return text
