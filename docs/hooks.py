"""The site has the repository's own layout: README.md is its home, and what its pages link to is a part of it.

So every relative link works on the site as it does in the repository, and no page is a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from mkdocs.structure.files import File, Files

_LINK = re.compile(r'(?:\]\(|<img src=")(?![a-z]+:|#)([^)#"\s]+)')


def on_files(files: Files, config: Any) -> Files:
    """Put files of the repository in place of those that MkDocs found below ``docs``."""
    root = Path(config.config_file_path).parent
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    style = [str(path) for path in config.extra_css]
    for uri in sorted(reached(root, [*_pages(config.nav), *style])):
        files.append(File.generated(config, uri, abs_src_path=str(root / uri)))
    return files


def reached(root: Path, pages: Iterable[str]) -> set[str]:
    """The files that these pages are, link to, and so on: paths below ``root``.

    A link that leads nowhere is left to MkDocs, which names the page it stands on.
    """
    left, found = list(pages), set[str]()
    while left:
        uri = left.pop()
        if uri in found or not (root / uri).is_file():
            continue
        found.add(uri)
        if uri.endswith(".md"):
            text = (root / uri).read_text(encoding="utf-8")
            left += [normpath(join(dirname(uri), link)) for link in _LINK.findall(text)]
    return found


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for entry in (nav.values() if isinstance(nav, dict) else nav) for page in _pages(entry)]
