"""Programs handed on through the Hub's own client, against a stand-in for the Hub: see ``hub_server``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.share.hub_server import TOKEN, Server, hub, oid
from vlmcar.share.hub import parse
from vlmcar.types import VlmcarError
from vlmcar.verification.store import SHARED, StoredProgram

REPO = "me/grey-room"
Share = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[Server]:
    with hub() as running:
        yield running


@pytest.fixture
def share(server: Server, tmp_path: Path) -> Share:
    """``python -m vlmcar.share`` with this server as the Hub: the client reads its address when it is imported."""

    def run(*words: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = {
            **others,
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(tmp_path / "hf"),
            "PYTHONPATH": str(ROOT),
        }
        if token:
            environment["HF_TOKEN"] = token
        return subprocess.run(
            [sys.executable, "-m", "vlmcar.share", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return run


def test_there_and_back(server: Server, share: Share, stored: StoredProgram, tmp_path: Path) -> None:
    done = share("push", str(stored.folder), f"hf://{REPO}", "--private")
    assert (done.returncode, done.stdout) == (0, f"hf://{REPO}@{oid(REPO, 1)}\n"), done.stderr
    assert server.private == {REPO: True}
    files = server.repos[REPO][-1]
    assert files["program.py"].decode() == stored.program.source
    assert {SHARED, "README.md", "conversation.jsonl", ".gitattributes"} < set(files)
    assert not any(TOKEN.encode() in content for content in files.values())
    server.repos[REPO].append({**files, "setup.py": b"raise SystemExit", "images/evil.sh": b"#!/bin/sh"})
    server.asked.clear()
    done = share("pull", f"hf://{REPO}", token=None)
    assert done.returncode == 0, done.stderr
    pulled = tmp_path / "results" / "pulled" / f"grey-room-{stored.program.hash}"
    names = {path.relative_to(pulled).as_posix() for path in pulled.rglob("*") if path.is_file()}
    assert names == set(files) - {".gitattributes"}
    assert (pulled / "program.py").read_text() == stored.program.source
    assert not any(
        "setup.py" in one or "evil.sh" in one for one in server.asked
    )  # nothing is taken but what is listed
    left = [
        path for path in tmp_path.rglob("*") if path.is_file() and TOKEN in path.read_text(errors="replace")
    ]
    assert left == []


def test_a_second_push_replaces_the_first_and_old_commits_stay(
    server: Server, share: Share, stored: StoredProgram, tmp_path: Path
) -> None:
    assert share("push", str(stored.folder), f"hf://{REPO}").returncode == 0
    server.repos[REPO][-1]["images/ffffffffffffffff.png"] = b"of another program"
    done = share("push", str(stored.folder), f"hf://{REPO}", "--task", "renamed")
    assert done.stdout == f"hf://{REPO}@{oid(REPO, 2)}\n", done.stderr
    assert "images/ffffffffffffffff.png" not in server.repos[REPO][-1]
    assert share("pull", f"hf://{REPO}@{oid(REPO, 1)}").stdout.startswith("results/pulled/grey-room-")
    assert share("pull", f"hf://{REPO}").stdout.startswith("results/pulled/renamed-")


def big_list(files: dict[str, bytes]) -> None:
    files[SHARED] += b" " * 300_000


def another_size(files: dict[str, bytes]) -> None:
    files["README.md"] += b"x" * 10_000_000


def no_list(files: dict[str, bytes]) -> None:
    del files[SHARED]


def another_name(files: dict[str, bytes]) -> None:
    files[SHARED] = files[SHARED].replace(b'"README.md"', b'"../README.md"')


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (no_list, "there is no shared.json in it"),
        (big_list, "there is no shared.json in it"),
        (another_size, "README.md has not the size that shared.json lists"),
        (another_name, "a file may not be called '../README.md'"),
    ],
)
def test_it_looks_before_it_downloads(
    change: Callable[[dict[str, bytes]], None], says: str,
    server: Server, share: Share, stored: StoredProgram, tmp_path: Path,
) -> None:  # fmt: skip
    assert share("push", str(stored.folder), f"hf://{REPO}").returncode == 0
    change(server.repos[REPO][-1])
    server.asked.clear()
    done = share("pull", f"hf://{REPO}")
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert all(SHARED in one for one in server.asked if "/resolve/" in one)
    assert not (tmp_path / "results").exists()


def test_the_hubs_refusals_are_one_line(share: Share, stored: StoredProgram, server: Server) -> None:
    done = share("push", str(stored.folder), f"hf://{REPO}", token="hf_somebodyElse")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "hf auth login" in done.stderr
    assert "hf_somebodyElse" not in done.stderr
    done = share("pull", "hf://nobody/nothing")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith("vlmcar: hf://nobody/nothing: ")
    assert share("push", str(stored.folder), f"hf://{REPO}").returncode == 0
    done = share("pull", f"hf://{REPO}@nowhere")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    server.server_close()


@pytest.mark.parametrize(
    "address", ["hf://", "hf://name", "hf://a/b/c", "hf://a/b@", "hf://a/b c", "hf://a/b\n"]
)
def test_an_address_has_one_form(address: str) -> None:
    with pytest.raises(VlmcarError, match="hf://owner/name"):
        parse(address)


def test_an_address_may_have_a_revision() -> None:
    assert parse("hf://a/b") == ("a/b", None)
    assert parse("hf://a/b.c@refs/pr/1") == ("a/b.c", "refs/pr/1")
