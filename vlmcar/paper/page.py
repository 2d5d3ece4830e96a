"""``paper.html`` and ``paper.md``: per figure its picture, command, cost and gaps, and sources of published values."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vlmcar.installation import program
from vlmcar.paper.digitised import FOLDER, Published, read_published
from vlmcar.paper.plan import STATES, Figure, PlannedRun
from vlmcar.report.agreement import read_agreement
from vlmcar.report.costs import duration
from vlmcar.report.figures import Panel, draw_into, footer, line_of, panels_of
from vlmcar.report.results import Results, distinct, read_runs, runs_root
from vlmcar.report.site import write_page
from vlmcar.report.tables import markdown, one_line, steps_text
from vlmcar.report.write import write_report
from vlmcar.types import VlmcarError

INTRODUCTION = (
    "The MiniGrid environments of the VLM-CaR paper ([Venuto et al., ICML 2024](https://arxiv.org/abs/2402.04764)), "
    "with every method of this suite. **Curves are of our own runs**, with this suite's algorithm, budgets and "
    "seeds; the paper's are not known to us, so these figures compare methods, and repeat no number of the paper. "
    "Its continuous environments are not part of this suite."
)


def write_pages(planned: Sequence[Figure], command: str) -> str:
    """Write the report of these runs, each figure, ``paper.html`` and ``paper.md`` into ``<results>/paper``.

    Args:
        planned: at least one figure; all are in the results folder of the first.
        command: what makes them, for the pages and the pictures.

    Returns:
        What a terminal should show of it.
    """
    results, out = planned[0].results, planned[0].results / "paper"
    ours = [run for figure in planned for run in figure.runs if run.state() != "other"]
    read = read_runs(results, only={run.folder.path for run in ours})
    agreement, _ = read_agreement(results)
    agreement = agreement[agreement["env"].isin({run.env for run in ours})]
    told = write_report(read, agreement, runs_root(results), command, out)
    sections = [section for figure in planned for section in _section(figure, read, out, command)]
    page = out / "paper.md"
    head = ["# Figures of the paper's environments", INTRODUCTION, *_simulated(planned)]
    made = f"Made by `{command}`; [`index.html`](index.html) has the table of these runs, and what was left out of it."
    text = "\n\n".join([*head, made, *sections]) + "\n"
    page.write_text(text, encoding="utf-8")
    write_page(text, page.with_suffix(".html"), command)
    return f"{told}\nFigures: {page.with_suffix('.html')} and {page}"


def _simulated(planned: Sequence[Figure]) -> list[str]:
    runs = [run for figure in planned for run in figure.runs if run.judge.startswith("simulated")]
    if not runs:
        return []
    named = ", ".join(
        f"`{method}` is {judge}" for method, judge in dict.fromkeys((r.method, r.judge) for r in runs)
    )
    return [
        f"**Simulated judges:** {named}: ground truth with these rates of false positives and negatives, in place of "
        "a VLM. No VLM judged a frame there."
    ]


def _section(figure: Figure, read: Results, out: Path, command: str) -> list[str]:
    """Markdown of one figure, whose picture is drawn if there is anything of ours to see."""
    csv = FOLDER / f"{figure.name}.csv"
    try:
        published = read_published(csv, figure.envs) if csv.is_file() else []
        remark = _sources(published) if published else _where_to_put(csv)
    except VlmcarError as error:
        published, remark = [], f"**Published values left out:** {one_line(str(error))}."
    panels = _panels(figure, read)
    again = shlex.join([*program().split(), *figure.arguments])
    if panels:
        picture = _draw(figure.name, panels, published, read, out, command)
        shown = [f"![Success over steps on {', '.join(figure.envs)}]({picture.name})", remark]
    else:
        shown = [f"No run of this figure has been evaluated yet: `{again}` makes them.", remark]
    return [
        f"## {figure.name}: {', '.join(figure.envs)}",
        *shown,
        f"Reproduce: `{again}`",
        _table(figure.runs),
        *_took(figure, read),
    ]


def _took(figure: Figure, read: Results) -> list[str]:
    """What the finished runs took; nothing where there is none."""
    done = read.runs[read.runs["env"].isin(figure.envs) & read.runs["finished"]]
    if done.empty:
        return []
    machines = ", ".join(distinct(done["machine"]))
    return [
        f"Time: {len(done)} finished runs of {steps_text(done['steps'].sum())} steps together took "
        f"{duration(done['seconds'].sum())} (sum over runs, evaluations, verification and audit included; "
        f"{figure.parallel} at a time; {machines})."
    ]


def _panels(figure: Figure, read: Results) -> list[Panel]:
    evaluations = read.evaluations[read.evaluations["env"].isin(figure.envs)]
    return [
        panel
        for env, rows in evaluations.groupby("env")
        for panel in panels_of(str(env), rows, read.runs[read.runs["env"] == env])
    ]


def _draw(
    name: str, panels: list[Panel], published: Sequence[Published], read: Results, out: Path, command: str
) -> Path:
    """Our curves, and the published ones beside them, told apart in the legend and in the footer."""
    text = footer(read.runs[read.runs["env"].isin([panel.env for panel in panels])], panels, command)
    lines = line_of(read.runs["series"])
    sources = _numbered(published)
    for one in published:
        series = f"{one.method}, published [{sources[one.source]}]"
        lines[series] = one.line
        panels = [
            panel._replace(curves=panel.curves | {series: one.curve}, labels=panel.labels | {series: series})
            if panel.env == one.environment
            else panel
            for panel in panels
        ]
    if published:
        text = [_sources(published), *text]
    path = out / f"{name}.png"
    draw_into(path, panels, lines, text)
    return path


def _numbered(published: Sequence[Published]) -> dict[str, int]:
    """Source -> its number in legend and footer."""
    return {source: number for number, source in enumerate(dict.fromkeys(one.source for one in published), 1)}


def _sources(published: Sequence[Published]) -> str:
    told = "; ".join(f"[{number}] {one_line(source)}" for source, number in _numbered(published).items())
    return f"Open diamonds: published values, digitised by hand, not runs of this suite. {told}."


def _where_to_put(csv: Path) -> str:
    return (
        f"Published values can stand beside these curves: digitised ones belong into `{csv}`, in the form that "
        f"`{FOLDER / 'template.csv'}` explains; `python -m vlmcar.paper --draw` then draws them."
    )


def _table(runs: Sequence[PlannedRun]) -> str:
    """How many runs of each method are there."""
    methods: dict[tuple[str, str], Counter[str]] = {}
    for run in runs:
        methods.setdefault((run.method, run.judge), Counter())[run.state()] += 1
    rows = [
        [method, judge, *(str(counts[state]) for state in STATES)]
        for (method, judge), counts in methods.items()
    ]
    return markdown(["method", "judge", *STATES.values()], rows)
