"""Two figures of final success over several environments: performance profiles, and probability of improvement.

Methods can only be compared where both have finished runs, so every figure says in which environments that is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vlmcar.report.canvas import LEGEND_SIZE, LINE_SPACING, STYLE, TITLE_SIZE, canvas, save
from vlmcar.report.comparison import Improvement, performance_profile, probability_of_improvement
from vlmcar.report.figures import Line, about, line_of
from vlmcar.report.results import Results, in_order, mean_success
from vlmcar.report.statistics import CONFIDENCE, NUM_RESAMPLES, Floats
from vlmcar.report.tables import score_text, write_table

COLUMNS = 2
PANEL = (4.6, 2.7)
"""Width and least height of a panel with its labels, inches."""
FRAME = 0.75
"""Of a panel's height, inches: title, ticks and axis label."""
LABEL_WIDTH = 30
"""Characters."""
BAR_WIDTH, BAR, BAR_MARGINS = 8.2, 0.42, 1.05
"""Inches: of the other figure, of a method, and of title and axis together."""
INTERVAL = (
    f"{CONFIDENCE:.0%} stratified bootstrap interval, {NUM_RESAMPLES} resamples of runs within each environment; "
    "an environment with a single run adds nothing to it, and with few runs it tends to be too narrow."
)

WHEN = {"mean_success": "success during training (mean)", "final_success": "final success"}
"""What runs are compared by: how soon they succeed, and how much in the end."""

Scores = dict[str, dict[str, Floats]]
"""Series, then environment, to one of ``WHEN`` of its finished runs (num_runs,)."""


class Group(NamedTuple):
    """Environments, and the series that have finished runs in all of them."""

    envs: list[str]
    series: list[str]


class Pair(NamedTuple):
    """Series X against series Y, in the environments where both have finished runs."""

    x: str
    y: str
    envs: list[str]
    improvement: dict[str, Improvement]
    """By each of ``WHEN``."""


def compared(results: Results, command: str, out: Path) -> dict[str, Path]:
    """Draws both figures, and writes what the second shows as a table.

    Returns:
        What each shows, and its PNG; empty where no two methods have finished runs in one environment.
    """
    runs = with_mean_success(results)
    scores, lines = scores_of(runs), line_of(runs["series"])
    shown, upon = groups(scores), pairs(runs)
    if not shown:
        return {}
    write_table(out, "probability_of_improvement", _pair_cells(upon), _pair_numbers(upon))
    with mpl.rc_context(STYLE):
        profiles = draw_profiles(shown, scores, lines, _profiles_footer(runs, shown, command))
        improvement = draw_pairs(upon, lines, _pairs_footer(runs, upon, command))
        return {
            "Performance profiles of final success": save(profiles, out / "performance_profiles.png"),
            "Probability of improvement": save(improvement, out / "probability_of_improvement.png"),
        }


def with_mean_success(results: Results) -> pd.DataFrame:
    """The runs, with a column ``mean_success``; what was evaluated only before training and at its end has that."""
    means, runs = mean_success(results), results.runs
    ids = zip(runs["env"], runs["series"], runs["seed"], strict=True)
    known = [means.get(key, np.nan) for key in ids]
    return runs.assign(mean_success=pd.Series(known, runs.index).fillna(runs["final_success"]))


def scores_of(runs: pd.DataFrame, column: str = "final_success") -> Scores:
    """Of finished runs; the first series is the one that the others are compared with."""
    done = runs[runs["finished"]]
    return {
        series: {
            str(env): group[column].to_numpy(dtype=np.float64)
            for env, group in done[done["series"] == series].groupby("env")
        }
        for series in in_order(done["series"])
    }


def groups(scores: Scores) -> list[Group]:
    """The sets of environments that another series shares with the first one, the largest first."""
    first, *others = scores or [""]
    shared = {tuple(env for env in scores[first] if env in scores[other]) for other in others}
    return [
        Group(list(envs), [name for name in scores if set(envs) <= set(scores[name])])
        for envs in sorted(shared, key=lambda envs: (-len(envs), envs))
        if envs
    ]


def pairs(runs: pd.DataFrame) -> list[Pair]:
    """The first series against each other one that shares an environment with it."""
    by = {column: scores_of(runs, column) for column in WHEN}
    ends = by["final_success"]
    first, *others = ends or [""]
    found = []
    for other in others:
        if envs := [env for env in ends[first] if env in ends[other]]:
            improvement = {}
            for column, scores in by.items():
                xs, ys = ([scores[name][env] for env in envs] for name in (first, other))
                improvement[column] = probability_of_improvement(xs, ys)
            found.append(Pair(first, other, envs, improvement))
    return found


def draw_profiles(
    shown: Sequence[Group], scores: Scores, lines: Mapping[str, Line], footer: Sequence[str]
) -> Figure:
    """A panel for each group of environments. To be drawn inside ``mpl.rc_context(STYLE)``."""
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    labels = [[_label(name, scores[name], group.envs) for name in group.series] for group in shown]
    height = max(PANEL[1], *(FRAME + sum(map(_label_height, some)) for some in labels))
    figure = canvas(PANEL[0] * columns, height * rows, footer)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, group, names in zip(grid.flat, shown, labels, strict=False):
        _draw_panel(axes, group, names, scores, lines, height - FRAME)
        axes.set_title(_environments(group.envs), loc="left", size=TITLE_SIZE, weight="bold")
    for axes in grid[:, 0]:
        axes.set_ylabel("fraction of runs above τ")
    for unused in grid.flat[len(shown) :]:
        unused.set_visible(False)
    return figure


def _draw_panel(
    axes: Axes,
    group: Group,
    labels: Sequence[str],
    scores: Scores,
    lines: Mapping[str, Line],
    height: float,
) -> None:
    """Profiles, each with its name where it ends. No run scores more than 1: that last fall is not drawn.

    Args:
        height: of the axes, inches.
    """
    ends: list[float] = []
    for layer, name in enumerate(reversed(group.series)):  # the first method lies on top
        profile, line = performance_profile([scores[name][env] for env in group.envs]), lines[name]
        fraction, low, high = (
            np.append(v[:-1], v[-2]) for v in (profile.fraction, profile.low, profile.high)
        )
        dotted = line.style == ":"  # it leaves to be seen what it lies on
        # Wider from layer to layer down, so that equal profiles are all to be seen.
        under = 0 if dotted else len(group.series) - 1 - layer
        axes.plot(
            profile.thresholds,
            fraction,
            line.style,
            color=line.colour,
            linewidth=min(1.6 + 0.7 * under, 3.7),
            drawstyle="steps-post",
            zorder=2 + layer + 100 * dotted,
        )
        axes.fill_between(
            profile.thresholds, low, high, step="post", color=line.colour, alpha=0.16, linewidth=0, zorder=1
        )
        ends.insert(0, float(fraction[-1]))
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("final success τ")
    places = apart(ends, [1.06 * _label_height(label) / height for label in labels], -0.03, 1.03)
    for name, label, place in zip(group.series, labels, places, strict=True):
        axes.text(
            1.03,
            place,
            label,
            color=lines[name].colour,
            size=LEGEND_SIZE,
            va="center",
            linespacing=LINE_SPACING,
        )


def apart(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Centres of labels, as near to where they are wanted as pushing them apart allows.

    From below, each label is lifted off the one under it; from above, each is then lowered under the one over it.
    They fit between `low` and `high` if their heights together do.
    """
    order = sorted(range(len(wanted)), key=lambda number: (wanted[number], -number))
    centres = list(wanted)
    for number in order:
        centres[number] = max(centres[number], low + heights[number] / 2)
        low = centres[number] + heights[number] / 2
    for number in reversed(order):
        centres[number] = min(centres[number], high - heights[number] / 2)
        high = centres[number] - heights[number] / 2
    return centres


def draw_pairs(shown: Sequence[Pair], lines: Mapping[str, Line], footer: Sequence[str]) -> Figure:
    """A row for each pair, a panel for each of ``WHEN``. To be drawn inside ``mpl.rc_context(STYLE)``."""
    labels = [f"{_wrapped(pair.y)}\n{_environments(pair.envs)}" for pair in shown]
    row = max(BAR, *map(_label_height, labels))
    figure = canvas(BAR_WIDTH, row * len(shown) + BAR_MARGINS, footer)
    panels: Sequence[Axes] = figure.subplots(1, len(WHEN), sharey=True)
    for axes, (column, title) in zip(panels, WHEN.items(), strict=True):
        axes.axvline(0.5, color="#555555", linewidth=0.8)
        for place, pair in enumerate(shown):
            colour, middle = lines[pair.y].colour, pair.improvement[column]
            axes.plot([middle.low, middle.high], [place, place], color=colour, linewidth=5, alpha=0.35)
            axes.plot([middle.probability], [place], "o", color=colour, markersize=5, clip_on=False, zorder=3)
            axes.text(1.04, place, score_text(*middle), color="#555555", size=LEGEND_SIZE, va="center")
        axes.tick_params(axis="y", length=0, labelsize=LEGEND_SIZE)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"probability of improvement,\nP({shown[0].x} > other)")
        axes.set_title(title, loc="left", size=TITLE_SIZE, weight="bold")
    panels[0].set_yticks(range(len(shown)), labels)
    panels[0].set_ylim(len(shown) - 0.5, -0.5)
    return figure


def _pair_numbers(shown: Sequence[Pair]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": pair.x,
            "other": pair.y,
            "by": column,
            **improvement._asdict(),
            "environments": ", ".join(pair.envs),
        }
        for pair in shown
        for column, improvement in pair.improvement.items()
    )


def _pair_cells(shown: Sequence[Pair]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": pair.x,
            "other": pair.y,
            **{
                f"P(method > other), {WHEN[column]}": score_text(*one)
                for column, one in pair.improvement.items()
            },
            "environments": ", ".join(pair.envs),
        }
        for pair in shown
    )


def _label(name: str, scores: Mapping[str, Floats], envs: Sequence[str]) -> str:
    count = sum(len(scores[env]) for env in envs)
    head, *rest = name.split(" · ")
    return _wrapped(" · ".join([f"{head}, {count} run{'s' * (count > 1)}", *rest]))


def _wrapped(name: str) -> str:
    return "\n".join(line for part in name.split(" · ") for line in textwrap.wrap(part, LABEL_WIDTH))


def _label_height(label: str) -> float:
    """Inches, with the room around it."""
    return (label.count("\n") + 1.2) * LEGEND_SIZE * LINE_SPACING / 72


def _environments(envs: Sequence[str]) -> str:
    return envs[0] if len(envs) == 1 else f"{len(envs)} environments"


def _profiles_footer(runs: pd.DataFrame, shown: Sequence[Group], command: str) -> list[str]:
    series = {name for group in shown for name in group.series}
    envs = {env for group in shown for env in group.envs}
    lists = [
        f"{_environments(group.envs)}: {', '.join(group.envs)}." for group in shown if len(group.envs) > 1
    ]
    text = f"Every environment weighs the same. Band: pointwise {INTERVAL}"
    return _footer(runs, series, envs, [*lists, text], command)


def _pairs_footer(runs: pd.DataFrame, shown: Sequence[Pair], command: str) -> list[str]:
    series = {shown[0].x, *(pair.y for pair in shown)}
    envs = {env for pair in shown for env in pair.envs}
    lists: dict[str, list[str]] = {}
    for pair in shown:
        lists.setdefault(", ".join(pair.envs), []).append(pair.y)
    texts = [f"Upon {', '.join(names)}: in {where}." for where, names in lists.items()]
    text = (
        "During training: mean of a run's evaluations after the first. Mean over environments; a tie counts half. "
        f"Bar: {INTERVAL}"
    )
    return _footer(runs, series, envs, [*texts, text], command)


def _footer(
    runs: pd.DataFrame, series: set[str], envs: set[str], lines: Sequence[str], command: str
) -> list[str]:
    shown = runs[runs["finished"] & runs["series"].isin(series) & runs["env"].isin(envs)]
    counts = shown.groupby(["env", "series"]).size()
    seeds = " to ".join(str(count) for count in dict.fromkeys([counts.min(), counts.max()]))
    return about(shown, [f"Seeds: {seeds} per method and environment.", *lines], command)
