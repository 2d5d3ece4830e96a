"""``report.md``: what was compared, what is missing from it, the table, the figures, where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vlmcar.installation import program
from vlmcar.report.agreement import agreement_section
from vlmcar.report.costs import ledger_section
from vlmcar.report.exploited import audit_section, audit_table, exploited_runs
from vlmcar.report.figures import interval_text
from vlmcar.report.results import Results, distinct, in_order
from vlmcar.report.statistics import CONFIDENCE, NUM_RESAMPLES
from vlmcar.report.tables import (
    NOTHING,
    ON_TRAINING_LEVELS,
    markdown,
    markdown_of,
    one_line,
    readable,
    steps_text,
)
from vlmcar.report.throughput import throughput_section

WHAT_TO_RUN = f"There is no run to report on: start some, such as `{program()} -m env=minigrid seed=0,1,2`."
MOST_COMMANDS = 20
_SETTINGS = {"config_hash": "config hash", "program_hash": "program", "sandbox": "sandbox"}
"""Columns of ``runs.csv`` -> what a table calls them."""


class Figures(NamedTuple):
    """The PNG of each figure, which lies beside the page; empty where there is nothing to draw."""

    curves: Mapping[str, Path] = {}
    """By environment; all together under ``""``."""
    compared: Mapping[str, Path] = {}
    """By what they show."""
    accuracy: Sequence[Path] = ()
    throughput: Path | None = None


def page(
    results: Results,
    table: pd.DataFrame,
    figures: Figures,
    agreement: pd.DataFrame,
    command: str,
) -> str:
    """The whole report as markdown; figures are linked by file name, so they must lie beside it."""
    if results.runs.empty:
        sections = ["# Report", WHAT_TO_RUN, f"Made by `{command}`.", *_left_out(results)]
    else:
        sections = [
            "# Report",
            *_what_was_compared(results, command),
            *_warnings(results),
            *_failed_programs(results),
            *_exploited(results),
            *_unfinished(results),
            *_left_out(results),
            *(_curves(figures.curves) if figures.curves or not figures.accuracy else []),
            *_compared(figures.compared),
            *_accuracy(figures.accuracy),
            *_table(table),
            *throughput_section(results.runs, figures.throughput),
            *audit_section(audit_table(results.runs)),
            *ledger_section(results.ledger),
            *agreement_section(agreement),
            *_sources(results.runs),
        ]
    return "\n\n".join(sections) + "\n"


def mixed_settings(results: Results) -> list[str]:
    """One sentence for each way in which the seeds of one curve were not repetitions of the same thing."""
    sentences = []
    for (env, series), group in results.runs.groupby(["env", "series"], sort=False):
        hashes = group.groupby("config_hash", sort=False)["seed"].apply(
            lambda seeds: ", ".join(map(str, seeds))
        )
        if len(hashes) > 1:
            listed = "; ".join(f"`{value}` for seed {seeds}" for value, seeds in hashes.items())
            sentences.append(
                f"Runs of {series} on {env} were made with different settings: config hash {listed}."
            )
        if len(judges := distinct(group["judge"])) > 1:
            sentences.append(f"Runs of {series} on {env} had different judges: {', '.join(judges)}.")
        if len(programs := distinct(group["program_hash"])) > 1:
            sentences.append(f"Runs of {series} on {env} used different programs: {', '.join(programs)}.")
        if len(again := group[group["refinements"] > 0]["seed"]):
            sentences.append(
                f"Runs of {series} on {env} with seed {', '.join(map(str, again))} were trained again on a refined "
                "program, after their reward was exploited: the curve is the last training's; earlier steps are not in "
                "it."
            )
        if len(commits := distinct(group["commit"])) > 1:
            listed = ", ".join(commit[:10] for commit in commits)
            sentences.append(f"Runs of {series} on {env} were made by different code: commits {listed}.")
    for (env, series), group in results.evaluations.groupby(["env", "series"], sort=False):
        grids = sorted((steps.tolist() for _, steps in group.groupby("seed")["steps"]), key=len)
        if any(grid != grids[-1][: len(grid)] for grid in grids):
            sentences.append(
                f"Runs of {series} on {env} were evaluated at different steps: between two evaluations a run "
                "is drawn at its previous value."
            )
    return sentences


def unfinished_runs(results: Results) -> list[str]:
    """One line for each run without ``result.json``."""
    last = results.evaluations.groupby(["env", "series", "seed"])["steps"].max()
    lines = []
    for run in results.runs[~results.runs["finished"]].itertuples():
        at = last.get((run.env, run.series, run.seed))
        drawn = f"drawn up to {steps_text(at)} of {steps_text(run.steps)} steps" if at is not None else ""
        lines.append(f"{run.env}, {run.series}, seed {run.seed}: {drawn or 'no evaluation yet'}")
    return lines


def failed_programs(results: Results) -> list[str]:
    """One line for each run that ended because of its program, with the other runs that learned from the same one."""
    lines = []
    runs = results.runs
    for run in runs[runs["program_error"] != ""].itertuples():
        others = runs[(runs["program_hash"] == run.program_hash) & (runs["folder"] != run.folder)]
        also = "; ".join(f"{other.env}, {other.series}, seed {other.seed}" for other in others.itertuples())
        lines.append(
            f"{run.env}, {run.series}, seed {run.seed}: program `{run.program_hash}`: {one_line(run.program_error)}"
            + (f" (the same program judged {also})" if also else "")
        )
    return lines


def _what_was_compared(results: Results, command: str) -> list[str]:
    runs = results.runs
    rows = []
    for series in in_order(runs["series"]):
        group = runs[runs["series"] == series]
        rows.append(
            [
                series,
                ", ".join(distinct(group["judge"])) or NOTHING,
                ", ".join(distinct(group["vlm"])) or NOTHING,
                "; ".join(distinct(group["vlm_model"])) or NOTHING,
                _seeds(group),
            ]
        )
    counts = [int(count) for count in runs.groupby(["env", "series"]).size()]
    text = (
        f"{_count(len(runs), 'run')} of {_count(len(rows), 'method')} on "
        f"{_count(runs['env'].nunique(), 'environment')}, {int(runs['finished'].sum())} finished. "
        + interval_text(counts)
    )
    if any(1 < count < 5 for count in counts):
        text += " With so few seeds a bootstrap interval tends to be too narrow: read it as a hint."
    table = markdown(["method", "judge", "VLM", "VLM provenance", "finished seeds per environment"], rows)
    notes = [text, *_simulated(runs)]
    if results.csv_folder:
        notes.append(
            f"Redrawn from the csv files in `{results.csv_folder}`, which do not name what they leave out."
        )
    return ["## What was compared", table, *notes, f"Made by `{command}`."]


def _simulated(runs: pd.DataFrame) -> list[str]:
    simulated = runs[runs["judge"].str.startswith("simulated")]
    if simulated.empty:
        return []
    judged = in_order(simulated["series"])
    names = ", ".join(judged[:3]) + (f" and {len(judged) - 3} more" if len(judged) > 3 else "")
    return [f"**Simulated judge:** a stand-in with chosen error rates, not a VLM, judged {names}."]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _seeds(group: pd.DataFrame) -> str:
    counts = group.groupby("env")["finished"].sum()
    return " to ".join(str(count) for count in dict.fromkeys([counts.min(), counts.max()]))


def _warnings(results: Results) -> list[str]:
    return _list("Warnings", "These curves average over more than the seed:", mixed_settings(results))


def _failed_programs(results: Results) -> list[str]:
    introduction = (
        "The program of these runs crashed, timed out or answered wrongly while the agent was learning from it, "
        "which ended the run, or on the trained policy's episodes. Other runs with the same program are to be "
        "doubted:"
    )
    return _list("Programs that failed in training", introduction, failed_programs(results))


def _exploited(results: Results) -> list[str]:
    introduction = (
        "These policies are paid in full without success, by something that looks like it to their reward:"
    )
    return _list("Reward exploited", introduction, exploited_runs(results.runs))


def _unfinished(results: Results) -> list[str]:
    introduction = (
        "Runs without `result.json`. They are in the figures as far as they got, and not in the table:"
    )
    return _list("Unfinished runs", introduction, unfinished_runs(results))


def _left_out(results: Results) -> list[str]:
    lines = [f"`{problem.path}` {one_line(problem.reason)}" for problem in results.problems]
    return _list("Left out", "Runs whose files cannot be trusted; they are in no table and no figure:", lines)


def _list(heading: str, introduction: str, lines: list[str]) -> list[str]:
    return [f"## {heading}", introduction, "\n".join(f"- {line}" for line in lines)] if lines else []


def _table(table: pd.DataFrame) -> list[str]:
    cells = readable(table)
    explanation = (
        "Finished runs only. Final success: interquartile mean over seeds and, with more than one seed, its "
        f"{CONFIDENCE:.0%} stratified bootstrap interval ({NUM_RESAMPLES} resamples). Steps to 90 %: median "
        "over seeds, and its bootstrap interval; `>` means that no more than half of the seeds, or of a resample's, "
        "reached it within their budget, and the interval is left out where even its low end is there. VLM calls are "
        "counted per program, which all seeds share, or per run where there is no program; those of a simulated "
        "judge are projected."
    )
    if ON_TRAINING_LEVELS[0] in cells:
        explanation += (
            " Where an environment trains on a limited set of levels, the columns on training levels are about "
            "these, and the other success and 90 % columns about unseen levels."
        )
    return ["## Table", markdown_of(cells), explanation]


def _curves(figures: Mapping[str, Path]) -> list[str]:
    if not figures:
        return ["## Learning curves", "No run has been evaluated yet."]
    links = [f"![Learning curves, all environments]({figures[''].name})"]
    links += [f"### {env}\n\n![Learning curves, {env}]({path.name})" for env, path in figures.items() if env]
    return ["## Learning curves", *links]


def _compared(figures: Mapping[str, Path]) -> list[str]:
    """What each shows, and the figure."""
    if not figures:
        return []
    return ["## Methods compared", *(f"![{title}]({path.name})" for title, path in figures.items())]


def _accuracy(paths: Sequence[Path]) -> list[str]:
    if not paths:
        return []
    text = (
        "Simulated judges with known error rates in place of a VLM, the verified program, and the sparse reward. These "
        "judges are not among the learning curves above."
    )
    return ["## How good must a judge be?", text, *(f"![Judge accuracy]({path.name})" for path in paths)]


def _sources(runs: pd.DataFrame) -> list[str]:
    commits = runs["commit"].str[:10].replace("", "unknown commit")
    dirty = np.where(runs["dirty"] == "yes", " with uncommitted changes", "")
    commands = distinct(runs["command"])
    lines = [
        f"- Code: {', '.join(distinct(commits + dirty))}",
        f"- Machines: {', '.join(distinct(runs['machine'])) or 'not stated'}",
        *(f"- Packages: {packages}" for packages in distinct(runs["packages"])),
        f"- Resumed runs: {int((runs['resumed'] > 0).sum())}",
        "- Runs: `runs.csv`, evaluations: `evaluations.csv`, table: `table.csv`, calls of VLMs: `ledger.csv`; tables "
        "as shown: `*.md` and `*.tex`",
        f"- Made the runs: {_count(len(commands), 'command')}",
        *(f"  - `{command}`" for command in commands[:MOST_COMMANDS]),
    ]
    if len(commands) > MOST_COMMANDS:
        lines.append(f"  - and {len(commands) - MOST_COMMANDS} more, in column `command` of `runs.csv`")
    cells = [
        [env, series, *(", ".join(distinct(group[name])) or NOTHING for name in _SETTINGS)]
        for (env, series), group in runs.groupby(["env", "series"], sort=False)
    ]
    table = markdown(["environment", "method", *_SETTINGS.values()], cells)
    return ["## Where the numbers come from", "\n".join(lines), table]
