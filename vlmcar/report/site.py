"""``index.html`` and the pages that it links: the report with its pictures inside, and a page per program."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from vlmcar.report.gifs import caption, policy_gifs
from vlmcar.report.program_page import asset, program_page, templates
from vlmcar.report.results import Problem, Results, distinct
from vlmcar.report.stories import Story, read_stories

INDEX = "index.html"
_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".gif": "image/gif"}


def write_site(text: str, results: Results, root: Path | None, out: Path, command: str) -> list[Problem]:
    """Write ``index.html``, a page per program and a moving picture per environment.

    Each page holds all that it shows, and needs no network.

    Args:
        text: the report, as markdown.
        results: that it is about.
        root: where the runs' ``folder`` begins; ``None``: there are no run folders, and so no programs.
        out: the report's folder, where the figures lie.
        command: what makes the report.

    Returns:
        What could not be read and is not shown.
    """
    stories, unread = read_stories(results.runs, root) if root else ([], [])
    gifs, unseen = policy_gifs(results.runs, root, out) if root else ({}, [])
    problems = [*unread, *unseen]
    for story in stories:
        (out / story.file).write_text(program_page(story, command), encoding="utf-8")
    page = templates.get_template("index.html").render(
        style=asset("style.css"),
        title="Code as reward, compared",
        tiles=_tiles(results),
        body=_body(text, out),
        stories=[
            {"story": story, "images": [Markup(image) for image in _images(story)]} for story in stories
        ],
        gifs=[{"image": Markup(data_uri(path)), "caption": caption(env)} for env, path in gifs.items()],
        problems=problems,
        command=command,
    )
    (out / INDEX).write_text(page, encoding="utf-8")
    return problems


def write_page(text: str, path: Path, command: str) -> None:
    """Write one markdown text as an HTML page, its pictures inside, beside the files that it links.

    Args:
        text: begins with its heading.
        path: of the page.
        command: what makes it.
    """
    page = templates.get_template("index.html").render(
        style=asset("style.css"),
        title=text.partition("\n")[0].removeprefix("# "),
        tiles=[],
        body=_body(text, path.parent),
        stories=[],
        gifs=[],
        problems=[],
        command=command,
    )
    path.write_text(page, encoding="utf-8")


def _body(text: str, folder: Path) -> Markup:
    """Markdown as HTML, without its heading. No HTML in it: a program's or a VLM's words are text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    html = reader.render(text.partition("\n")[2])
    return Markup(_inlined(_folded(_scrolling(html)), folder))


def data_uri(path: Path) -> str:
    """A picture inside a page."""
    return f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _images(story: Story) -> tuple[str, ...]:
    return next((turn.images[:2] for turn in story.turns if len(turn.images) >= 2), ())


def _tiles(results: Results) -> list[tuple[str, str]]:
    """The comparison in a few numbers and words."""
    runs = results.runs
    if runs.empty:
        return []
    return [
        (f"{int(runs['finished'].sum())} of {len(runs)}", "runs finished"),
        (str(runs["env"].nunique()), "environments" if runs["env"].nunique() > 1 else "environment"),
        (str(runs["series"].nunique()), "methods" if runs["series"].nunique() > 1 else "method"),
        (str(int(runs.groupby(["env", "series"])["seed"].nunique().max())), "seeds, at most"),
        (
            ", ".join(vlm for vlm in distinct(runs["vlm"]) if vlm != "none") or "none",
            "VLM or what stands in for it",
        ),
        (", ".join(judge for judge in distinct(runs["judge"]) if judge != "none") or "none", "judge"),
    ]


def _scrolling(html: str) -> str:
    """Wide tables scroll by themselves, not the page; intervals stay in one line."""
    html = re.sub(r"\[((?:&gt; )?[\d.,]+\w?), ((?:&gt; )?[\d.,]+\w?)\]", _unbroken, html)
    return html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")


def _unbroken(interval: re.Match[str]) -> str:
    return interval[0].replace(" ", "&nbsp;")


def _folded(html: str) -> str:
    """A row of pictures that each have a heading, one per environment, is there for who asks."""
    pictures = r"(?:<h3>[^<]*</h3>\s*<p><img [^>]*></p>\s*)+"
    return re.sub(
        pictures, lambda found: f"<details><summary>One by one</summary>\n{found[0]}</details>\n", html
    )


def _inlined(html: str, out: Path) -> str:
    """Figures inside the page, as SVG where there is one."""

    def put(found: re.Match[str]) -> str:
        path = out / found[1]
        vector = path.with_suffix(".svg")
        shown = vector if vector.is_file() else path
        if shown.suffix not in _TYPES or not shown.is_file():
            return found[0]
        return f'<img src="{data_uri(shown)}" alt="{escape(found[2], quote=True)}">'

    return re.sub(r'<img src="([^":]+)" alt="([^"]*)" ?/?>', put, html)
