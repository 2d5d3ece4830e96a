"""What stands in the documentation's code blocks.

markdown-it reads them as GitHub does, indented shell blocks and commands within a sentence included; Sybil,
pytest-examples and mktestdocs know fenced Python only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

WRITTEN_BY_ITS_TEST = (
    "docs/errors.md"  # tests/bad_input gives every one of its commands, and compares the answers
)
HISTORY = "CHANGELOG.md"  # names what is gone, too
PYTHON_RUNS_IN = {"README.md": "tests/test_readme.py"}  # with a program and an environment that it makes
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "results/recordings/README.md"]
    if str(path.relative_to(ROOT)) not in (WRITTEN_BY_ITS_TEST, HISTORY)
)

LANGUAGES = ("python", "yaml", "bash", "setting", "text")
"""``text`` is what a program prints; ``setting`` is one of a run, within a sentence."""
_MARK = re.compile(r"<!-- not run: (.+?) -->\s*")
_TITLE = re.compile(r'title="([^"]+)"')
_COMMAND = re.compile(r"(python|make|vlmcar|pip install|\.venv/bin/\w+) \S")
_SETTING = re.compile(r"[+~]?[a-z_]+(\.[a-z_]+)*=\S.*")


class Block(NamedTuple):
    """A code block, or a command in a sentence."""

    page: str
    line: int
    """Of its first line of code, from 1."""
    language: str
    title: str | None
    """The file that it is, relative to the repository."""
    text: str
    not_run: str | None
    """Why it cannot run in tests."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """All of a page, in order."""
    return list(read((ROOT / page).read_text(encoding="utf-8"), page))


def read(text: str, page: str) -> Iterator[Block]:
    """All code of this markdown; ``page`` is its name."""
    mark = None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "html_block":
            found = _MARK.fullmatch(token.content)
            mark = found[1] if found else None
            continue
        if token.type in ("fence", "code_block"):
            yield _block(token, page, mark)
        elif token.type == "inline":
            yield from _commands(token, page)
        mark = None


def _block(token: Token, page: str, mark: str | None) -> Block:
    assert token.map is not None
    language, _, rest = token.info.partition(" ")
    title = _TITLE.search(rest)
    first = token.map[0] + (2 if token.type == "fence" else 1)
    return Block(page, first, language or "bash", title and title[1], token.content, mark)


def _commands(token: Token, page: str) -> Iterator[Block]:
    assert token.map is not None
    for child in token.children or []:
        for language, pattern in (("bash", _COMMAND), ("setting", _SETTING)):
            if child.type == "code_inline" and pattern.match(child.content):
                yield Block(page, token.map[0] + 1, language, None, child.content, None)
