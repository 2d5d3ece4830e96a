"""How fast each method trained, against the sparse reward on the same environment."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.ticker import FuncFormatter, NullFormatter

from vlmcar.report.canvas import LEGEND_SIZE, STYLE, TITLE_SIZE, canvas, save
from vlmcar.report.figures import about, line_of
from vlmcar.report.results import in_order
from vlmcar.report.tables import NOTHING, markdown_of

BASELINE = "sparse"
TITLE = "Throughput against the sparse reward"
WIDTH, ROW, MARGINS = 6.4, 0.3, 0.9
"""Inches: of the figure, of an environment, and of legend, title and axis together."""


def throughput(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per environment and series with finished runs, in numbers.

    Columns ``median``, ``least`` and ``most`` are environment steps per second of training (evaluations not
    included); ``ratio`` is the median over that of ``sparse`` with the same algorithm, NaN where it was not run;
    ``judged`` is the fraction of frames that the judge was asked about, the others being remembered: the median, NaN
    if unknown.
    """
    done = runs[runs["finished"] & runs["steps_per_second"].gt(0)]
    done = done.assign(share=done["frames_judged"] / (done["frames_judged"] + done["frames_remembered"]))
    alike = done.groupby(["env", "series", "algorithm"], sort=False)
    rates = alike["steps_per_second"].agg(runs="size", median="median", least="min", most="max")
    table = rates.assign(judged=alike["share"].median()).reset_index()
    sparse = done[(done["method"] == BASELINE) & (done["label"] == "")]
    baseline = sparse.groupby(["env", "algorithm"])["steps_per_second"].median()
    table["ratio"] = table["median"] / baseline.reindex(
        pd.MultiIndex.from_frame(table[["env", "algorithm"]])
    ).to_numpy(dtype="float64")
    return table.rename(columns={"env": "environment", "series": "method"})


def throughput_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The same as text; the judged fraction where any is known."""
    cells = pd.DataFrame(
        {
            "environment": row.environment,
            "method": row.method,
            "runs": str(row.runs),
            "steps per second": f"{row.median:,.0f}"
            + (f" [{row.least:,.0f}, {row.most:,.0f}]" if row.runs > 1 else ""),
            "of sparse": f"{row.ratio:.2f}" if pd.notna(row.ratio) else NOTHING,
            "frames judged": f"{row.judged:.0%}" if pd.notna(row.judged) else NOTHING,
        }
        for row in table.itertuples()
    )
    return cells if table["judged"].notna().any() else cells.drop(columns="frames judged")


def throughput_section(runs: pd.DataFrame, figure: Path | None) -> list[str]:
    """Markdown; nothing where no run is finished."""
    table = throughput(runs)
    if table.empty:
        return []
    note = (
        "Environment steps per second of training, evaluations not included: median and, in brackets, the slowest and "
        "the fastest run. Runs of a sweep share their machine with each other and with whatever else it did, and may "
        "come from several machines and commits: this is what these runs got. `make bench` compares methods step by "
        "step in one process. Frames judged: those that the judge was asked about; it remembered the others, or was "
        "not asked since the reward did not depend on the answer."
    )
    shown = [f"![{TITLE}]({figure.name})"] if figure else []
    return ["## Throughput", *shown, markdown_of(throughput_cells(table)), note]


def draw_throughput(runs: pd.DataFrame, command: str, out: Path) -> Path | None:
    """Draws ``throughput.png`` (see `save`); ``None`` where no environment has sparse and another method."""
    table = throughput(runs).dropna(subset="ratio")
    others = table[table["method"].str.split(" ").str[0] != BASELINE]
    if others.empty:
        return None
    lines = line_of(runs["series"])
    envs = list(dict.fromkeys(others["environment"]))
    shown = runs[runs["finished"] & runs["env"].isin(envs)]
    counts = sorted(set(shown.groupby(["env", "series"]).size()))
    seeds = " to ".join(str(count) for count in dict.fromkeys([counts[0], counts[-1]]))
    text = [
        f"Seeds: {seeds} per method and environment. Ratio of medians over seeds; no interval. Runs shared their "
        "machine with others: no benchmark."
    ]
    with mpl.rc_context(STYLE):
        figure = canvas(WIDTH, ROW * len(envs) + MARGINS, about(shown, text, command))
        axes = figure.subplots()
        axes.axvline(1, color=lines[BASELINE].colour if BASELINE in lines else "#555555", linewidth=1.2)
        for series in in_order(others["method"]):
            group = others[others["method"] == series]
            places = [envs.index(env) for env in group["environment"]]
            axes.plot(group["ratio"], places, "o", color=lines[series].colour, markersize=6, label=series)
        axes.set_xscale("log")
        low, high = min(others["ratio"].min(), 0.5), max(others["ratio"].max(), 1.0)
        axes.set_xlim(low / 1.15, high * 1.15)
        ticks = [
            tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low / 1.1 <= tick <= high * 1.1
        ]
        axes.set_xticks(ticks)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"steps per second, of those with the {BASELINE} reward (log scale)")
        axes.set_yticks(range(len(envs)), envs)
        axes.set_ylim(len(envs) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, labelsize=LEGEND_SIZE)
        axes.legend(
            title=TITLE,
            title_fontproperties={"weight": "bold", "size": TITLE_SIZE},
            alignment="left",
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=2,
            fontsize=LEGEND_SIZE,
            frameon=False,
            handletextpad=0.3,
            borderaxespad=0.2,
        )
        return save(figure, out / "throughput.png")
