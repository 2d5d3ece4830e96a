"""A page per program: how it came about, its source, its verdict, and what it says frame by frame."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from vlmcar.report.stories import Shown, Story, Turn

WIDTH, LABEL, BAR, GAP, CURVE, EDGE = 560, 18, 12, 8, 84, 6
"""Of the lanes, in units of the drawing: width, text above a bar, bar, space below it, height of the curve, margin."""

templates = Environment(
    loader=PackageLoader("vlmcar.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def program_page(story: Story, command: str) -> str:
    """The page as HTML, with all it needs inside.

    Args:
        story: of the program.
        command: what makes the page, for its last line.
    """
    answers = [turn for turn in story.turns if turn.role == "assistant"]
    shown = next((turn.images for turn in story.turns if len(turn.images) >= 2), ())
    episodes = [
        {"title": episode.title, "sheet": Markup(episode.sheet), "lanes": Markup(_lanes(episode))}
        for episode in story.episodes
    ]
    return templates.get_template("program.html").render(
        story=story,
        style=asset("style.css"),
        highlight_style=Markup(_highlight_style()),
        script=asset("player.js"),
        images=[Markup(image) for image in shown[:2]],
        description=answers[0].text if answers else "",
        episodes=episodes,
        data=Markup(_json([_played(episode, n) for n, episode in enumerate(story.episodes)])),
        source=Markup(_highlighted(story.source)),
        passed=sum(bool(check["passed"]) for check in story.checks),
        replies=len(answers),
        turns=_turns(story.turns),
        command=command,
    )


def asset(name: str) -> Markup:
    """A style sheet or script, to stand inside a page."""
    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))


def _json(content: Any) -> str:
    """For a script element: no text of a program or a VLM ends it."""
    return json.dumps(content).replace("<", "\\u003c")


def _played(episode: Shown, number: int) -> dict[str, Any]:
    """What the player needs."""
    facts = episode.facts
    names = ("frames", "steps", "columns", "height", "width", "subtasks", "progress", "success", "return")
    return {**{name: facts[name] for name in names}, "sheet": f"sheet{number}", "xs": _places(facts)}


def _places(facts: Mapping[str, Any]) -> list[float]:
    """Where each frame is, from left to right."""
    steps = max(facts["steps"], 1)
    return [round(EDGE + number / steps * (WIDTH - 2 * EDGE), 1) for number in facts["frames"]]


def _lanes(episode: Shown) -> str:
    """A bar per sub-task, and below them what was paid: SVG."""
    facts = episode.facts
    xs, parts, top = _places(facts), list[str](), 0.0
    for k, name in enumerate(facts["subtasks"]):
        parts.append(f'<text x="{EDGE}" y="{top + LABEL - 4:g}">{escape(name)}</text>')
        y = top + LABEL
        parts.append(f'<rect class="track" x="{EDGE}" y="{y:g}" width="{WIDTH - 2 * EDGE}" height="{BAR}"/>')
        for left, right, value in _segments([row[k] for row in facts["progress"]], xs):
            parts.append(
                f'<rect class="done" x="{left:g}" y="{y:g}" width="{max(right - left, 2):g}" height="{BAR}" '
                f'opacity="{0.25 + 0.75 * value if value < 1 else 1:.2f}"/>'
            )
        top = y + BAR + GAP
    most = max([1.0, *facts["return"], *facts["env_return"]])
    least = min([0.0, *facts["return"], *facts["env_return"]])
    parts.append(
        f'<text class="soft-text" x="{EDGE}" y="{top + LABEL - 4:g}">reward so far, {least:g} to {most:g}</text>'
    )
    top += LABEL
    parts.append(f'<rect class="track" x="{EDGE}" y="{top:g}" width="{WIDTH - 2 * EDGE}" height="{CURVE}"/>')
    for name, values in (("env", facts["env_return"]), ("curve", facts["return"])):
        heights = [top + CURVE - 3 - (value - least) / (most - least) * (CURVE - 6) for value in values]
        points = _stairs(xs, heights)
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    height = top + CURVE + 4
    parts.append(f'<line class="cursor" x1="{EDGE}" x2="{EDGE}" y1="0" y2="{height:g}"/>')
    label = f"Sub-tasks and reward over the frames of this episode: {escape(episode.title)}"
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _segments(values: Sequence[float], xs: Sequence[float]) -> list[tuple[float, float, float]]:
    """Left, right and value of every stretch of frames with equal progress above 0."""
    found, start = [], 0
    for t in range(1, len(values) + 1):
        if t == len(values) or values[t] != values[start]:
            if values[start] > 0:
                found.append((xs[start], xs[t] if t < len(values) else xs[-1], values[start]))
            start = t
    return found


def _stairs(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A value holds until the next frame."""
    points = [f"{xs[0]:g},{ys[0]:.1f}"]
    for t in range(1, len(xs)):
        points += [f"{xs[t]:g},{ys[t - 1]:.1f}", f"{xs[t]:g},{ys[t]:.1f}"]
    return " ".join(points)


def _turns(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    asked, shown = 0, []
    for turn in turns:
        asked += turn.role == "user"
        who = {
            "system": "System prompt",
            "user": f"Turn {asked}: asked",
            "assistant": f"Turn {asked}: answered",
        }
        beginning = " ".join(turn.text.split())[:90]
        shown.append(
            {
                "heading": f"{who.get(turn.role, turn.role)}: {beginning}…",
                "body": Markup(_with_code(turn.text)),
                "images": [Markup(image) for image in turn.images],
            }
        )
    return shown


def _with_code(text: str) -> str:
    """A message as HTML: text as it is, fenced Python in colours."""
    parts = re.split(r"^```(\w*)\n(.*?)^```\s*$", text, flags=re.MULTILINE | re.DOTALL)
    html = []
    for place in range(0, len(parts), 3):
        if parts[place].strip():
            html.append(f'<div class="wrap">{escape(parts[place].strip())}</div>')
        if place + 2 < len(parts):
            language, code = parts[place + 1], parts[place + 2]
            html.append(_highlighted(code) if language == "python" else f"<pre>{escape(code)}</pre>")
    return "".join(html)


def _highlighted(code: str) -> str:
    return str(highlight(code, PythonLexer(), HtmlFormatter(cssclass="highlight")))


def _highlight_style() -> str:
    """Colours for light and for dark."""
    light, dark = (
        HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("friendly", "github-dark")
    )
    plain = ".highlight, .highlight pre { background: var(--card) !important; }"
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{plain}"
