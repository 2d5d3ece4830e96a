"""The site builds without a warning, is complete, and asks no other server for anything."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

import vlmcar
import vlmcar.types
from docs.hooks import reached
from tests.conftest import ROOT
from tests.docs.blocks import PAGES, WRITTEN_BY_ITS_TEST

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
"""What a browser gets by itself, without a click."""


class Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address and not address.startswith("data:"):
            self.addresses.append(address)


def loads(page: Path) -> list[str]:
    parser = Loads()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.addresses


def test_it_builds_strictly_and_needs_no_network(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "let a vision-language model write one" in home  # README.md
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        unread = [
            p for p in re.findall(r"<p>(.*?)</p>", text, re.DOTALL) if re.search(r"^[-|] ", p, re.MULTILINE)
        ]
        assert not unread, (
            f"{page.relative_to(site)}: a list or table read as text, for want of a blank line: {unread}"
        )
        for address in loads(page):
            assert "//" not in address, f"{page.relative_to(site)} loads {address}"
            assert (page.parent / unquote(address.split("?")[0])).is_file(), (
                f"{page.relative_to(site)}: {address}"
            )
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), (
            style
        )


def _nav(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in _nav(part)]


def test_every_page_of_docs_can_be_found() -> None:
    nav = re.search(
        r"^nav:\n.*?(?=^\w)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert nav
    listed = set(_nav(yaml.safe_load(nav[0])["nav"]))
    assert {page for page in PAGES if page.startswith("docs/")} | {WRITTEN_BY_ITS_TEST, "README.md"} <= listed


def documented(page: str) -> Counter[str]:
    """The dotted names that a page of the reference describes."""
    return Counter(re.findall(r"^::: ([\w.]+)$", (ROOT / "docs/api" / page).read_text(), re.MULTILINE))


def test_every_public_name_is_described() -> None:
    names = set(vlmcar.__all__) - {"__version__"}
    assert names
    assert documented("library.md") == Counter(f"vlmcar.{name}" for name in names)


def test_every_type_is_described_once() -> None:
    described = documented("types.md") + documented("extending.md")
    types = {name for name, value in inspect.getmembers(vlmcar.types, inspect.isclass) if is_ours(value)}
    aliases = {"Frame", "Frames", "Truth"}
    assert described == Counter(f"vlmcar.types.{name}" for name in types | aliases)


def is_ours(value: type) -> bool:
    return value.__module__.split(".")[0] == "vlmcar"


def test_a_page_brings_what_it_links_to(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "README.md").write_text(
        "[a](sub/a.md#there) ![b](b.png) [far](https://x.org/c.md) [no](no.md)"
    )
    (tmp_path / "sub/a.md").write_text("[back](../README.md) [d](d.csv) [top](#top)")
    for name in ("b.png", "sub/d.csv", "sub/unlinked.md"):
        (tmp_path / name).touch()
    assert reached(tmp_path, ["README.md"]) == {"README.md", "b.png", "sub/a.md", "sub/d.csv"}


@pytest.mark.parametrize("html", ['<script src="https://x.org/a.js">', '<img alt="" src="//x.org/a.png">'])
def test_what_another_server_would_be_asked_for_is_seen(html: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<a href='https://x.org'>{html}")
    assert len(loads(page)) == 1
