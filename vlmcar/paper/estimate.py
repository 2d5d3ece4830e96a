"""What there is and how long the rest takes, in words and numbers, before anything starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from vlmcar.paper.plan import STATES, Figure, PlannedRun
from vlmcar.report.costs import duration
from vlmcar.report.results import distinct, read_csv, read_runs
from vlmcar.report.tables import plain

REFERENCE = Path("results/reference")


class Speed(NamedTuple):
    """How fast complete runs were, evaluation included, and which these were."""

    steps_per_second: float
    """Median of ``num_runs``."""
    num_runs: int
    envs: tuple[str, ...]
    source: str
    """A folder of runs, or a csv file."""
    machines: tuple[str, ...]


class Estimate(NamedTuple):
    """How long runs take, side by side as their figures say."""

    seconds: float
    steps: int
    """Of all runs that are left."""
    speeds: dict[tuple[str, str, str], Speed]
    """(environment, method, judge) -> what ``seconds`` rests on."""
    unknown: int
    """Runs with no speed to go by; not in ``seconds``."""


class Speeds:
    """Complete runs in a results folder and, where it has none of a kind, in the committed reference."""

    def __init__(self, results: Path, reference: Path = REFERENCE) -> None:
        self.sources = {(results / "runs").as_posix(): _complete(read_runs(results).runs)}
        if (reference / "runs.csv").is_file():
            self.sources[(reference / "runs.csv").as_posix()] = _complete(read_csv(reference).runs)

    def of(self, run: PlannedRun) -> Speed | None:
        """Of runs with this one's environment, method, judge and algorithm; else of other tasks of its suite."""
        alike = pd.Series({"method": run.method, "judge": run.judge, "algorithm": run.algorithm})
        for tasks in (f"{run.env}$", f"{run.env.split('-')[0]}-"):
            for source, complete in self.sources.items():
                same = (complete[alike.index] == alike).all(axis=1) & complete["env"].str.match(tasks)
                if same.any():
                    found = complete[same]
                    envs, machines = (tuple(distinct(found[name])) for name in ("env", "machine"))
                    return Speed(float(found["pace"].median()), len(found), envs, source, machines)
        return None


def estimate(planned: Iterable[Figure], speeds: Speeds) -> Estimate:
    """Of the steps that are left."""
    seconds, steps, unknown = 0.0, 0, 0
    used: dict[tuple[str, str, str], Speed] = {}
    for figure in planned:
        for run in figure.runs:
            left = run.steps_left()
            if not left:
                continue
            steps += left
            speed = speeds.of(run)
            if speed is None:
                unknown += 1
            else:
                seconds += left / speed.steps_per_second / figure.parallel
                used[run.env, run.method, run.judge] = speed
    return Estimate(seconds, steps, used, unknown)


def plan_text(planned: Sequence[Figure], speeds: Speeds) -> str:
    """What a person should know before it starts."""
    counts = sum((figure.counts() for figure in planned), Counter[str]())
    told = ", ".join(f"{counts[state]} {name}" for state, name in STATES.items())
    rows = []
    for figure in planned:
        there, its = figure.counts(), estimate([figure], speeds)
        rows.append(
            {
                "figure": figure.name,
                "environment": ", ".join(figure.envs),
                "runs": str(len(figure.runs)),
                **{name: str(there[state]) for state, name in STATES.items()},
                "time left": duration(its.seconds) + f" + {its.unknown} unknown" * bool(its.unknown),
            }
        )
    head = f"Figures: {len(planned)}. Runs: {sum(counts.values())}: {told}."
    return "\n\n".join([head, plain(pd.DataFrame(rows)), *_refused(planned), *_time(planned, speeds)])


def _complete(runs: pd.DataFrame) -> pd.DataFrame:
    """Those that were finished in one go, since ``seconds`` are those of a run's last session."""
    whole = runs[runs["finished"] & (runs["resumed"] == 0) & (runs["seconds"] > 0)]
    return whole.assign(pace=whole["steps"] / whole["seconds"])


def _refused(planned: Iterable[Figure]) -> list[str]:
    others = [run for figure in planned for run in figure.runs if run.state() == "other"]
    if not others:
        return []
    become = (
        "will be replaced"
        if others[0].overwrite
        else "stay, and are in no figure (-- overwrite=true replaces them, -- results=FOLDER puts new ones elsewhere)"
    )
    return [
        f"Folders with a run that was made with other settings, such as {others[0].folder.path}, {become}."
    ]


def _time(planned: Sequence[Figure], speeds: Speeds) -> list[str]:
    rest = estimate(planned, speeds)
    if not rest.steps:
        return ["Nothing is left to run."]
    parallel = " or ".join(map(str, sorted({figure.parallel for figure in planned})))
    unknown = f" Runs with nothing to go by, which are not counted: {rest.unknown}." if rest.unknown else ""
    lines = [
        f"The rest is {rest.steps:,} steps: about {duration(rest.seconds)}, {parallel} at a time.{unknown}"
    ]
    if rest.speeds:
        machines = "; ".join(distinct(name for speed in rest.speeds.values() for name in speed.machines))
        lines += [
            f"That rests on complete runs ({machines or 'machine not stated'}), their evaluations included; medians:",
            _rests_on(rest),
        ]
    return [
        *lines,
        "Programs that are not in the store are made and verified first; that and the audit come on top.",
    ]


def _rests_on(rest: Estimate) -> str:
    """A row for each kind of run."""
    return plain(
        pd.DataFrame(
            [
                {
                    "environment": env,
                    "method": method,
                    "judge": judge,
                    "steps/s": f"{speed.steps_per_second:,.0f}",
                    "runs": str(speed.num_runs),
                    "in": speed.source + f", of {', '.join(speed.envs)}" * (speed.envs != (env,)),
                }
                for (env, method, judge), speed in rest.speeds.items()
            ]
        )
    )
