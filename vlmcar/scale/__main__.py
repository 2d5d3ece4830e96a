"""``python -m vlmcar.scale``: 10,000 fake runs by 200 concurrent writers; what it takes, and whether anything is lost.

With ``--folder`` it is a check of a file system: does the share that a cluster writes to hold our locks and renames?
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmcar.record.folder import RunFolder
from vlmcar.scale.check import Found, check, size
from vlmcar.scale.crew import Crew, Study
from vlmcar.scale.fake import Sizes, plan
from vlmcar.scale.scans import SCANS, measure
from vlmcar.types import VlmcarError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 if something was lost, broken or refused."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.hold is not None:
            return _hold(chosen.folder, chosen.hold)
        found = _all(chosen, shlex.join(["python", "-m", "vlmcar.scale", *arguments]))
    except (VlmcarError, OSError) as error:
        print(f"vlmcar.scale: {error}", file=sys.stderr)
        return 1
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written: {chosen.out}")
    if chosen.figure:
        from vlmcar.scale.figure import draw

        draw(found, chosen.figure)
    return int(any(study["wrong"] for study in (*found["growth"], found["main"])))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vlmcar.scale", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--writers", type=int, default=200, help="processes at once (default: %(default)s)")
    parser.add_argument(
        "--growth",
        type=int,
        nargs="*",
        default=[],
        help="also with so many writers, on a tenth of the runs; a number given twice is measured twice",
    )
    parser.add_argument(
        "--kill", type=float, default=0.05, help="share of runs whose writer is killed, about"
    )
    parser.add_argument(
        "--checkpoint-kb", type=int, default=200, help="of one checkpoint (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of who is killed, and when")
    parser.add_argument("--report", action="store_true", help="time the whole report over these runs, too")
    parser.add_argument(
        "--folder", type=Path, help="an existing folder on the file system to try (default: a temporary one)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the runs there")
    parser.add_argument("--out", type=Path, default=Path("results/scale.json"), help="default: %(default)s")
    parser.add_argument("--figure", type=Path, help="also draw it, into this .svg")
    parser.add_argument(
        "--hold", type=float, metavar="SECONDS", help="only hold one run in --folder: the same command on another node "
        "must be refused meanwhile"
    )  # fmt: skip
    return parser


def _all(chosen: argparse.Namespace, command: str) -> dict[str, Any]:
    growth: list[dict[str, Any]] = []
    scans: list[dict[str, Any]] = []
    for writers in chosen.growth:
        study, scan = _one(chosen, max(1, chosen.runs // 10), writers)
        growth.append(study)
        scans[:] = [scan]  # as many runs in each: once is enough
    main_study, scan = _one(chosen, chosen.runs, chosen.writers)
    return {
        "command": command,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "file_system": _file_system(chosen.folder or Path(tempfile.gettempdir())),
        "main": main_study,
        "growth": growth or [main_study],
        "scans": [*scans, scan],
    }


def _one(chosen: argparse.Namespace, count: int, writers: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """One study in a folder of its own, and the scans of what it left."""
    runs = plan(count, Sizes(checkpoint_bytes=chosen.checkpoint_kb * 1000))
    results = Path(tempfile.mkdtemp(prefix="vlmcar-scale-", dir=chosen.folder))
    try:
        crew = Crew(runs, results, writers, round(count * chosen.kill), max(1, count // 100), chosen.seed)
        study = crew.work()
        found = check(runs, results)
        summary = summed_up(study, found)
        lies = size(results)
        summary["size"] = dataclasses.asdict(lies) | {"inodes": lies.files + lies.folders}
        of_runs = size(results / "runs")
        summary["per_run"] = {name: value / count for name, value in dataclasses.asdict(of_runs).items()}
        wanted = [what for what in SCANS if what != "report" or chosen.report]
        scans = {"runs": count, **{what: measure(what, results) for what in wanted}}
        print("\n".join(said(summary, scans)), flush=True)
        return summary, scans
    finally:
        if chosen.keep:
            print(f"kept: {results}")
        else:
            shutil.rmtree(results)


def summed_up(study: Study, found: Found) -> dict[str, Any]:
    """What ``scale.json`` says of a study; ``wrong`` counts everything that must not happen."""
    generations = {task: study.made[task] for task in study.asked}
    again = sum(study.making.values()) - sum(study.made.values())
    many = sum(count > 1 for count in generations.values())
    wrong = found.wrong + many + max(0, again - study.makers_killed)
    # A csv that ends inside a row is no surprise: the kernel shows a write page by page, and readers can tell.
    wrong += study.won_by_both + half(study, ".json") + len(study.failed)
    wrong += sum("is going on in another process" not in told for told in study.refusals)
    return {
        "writers": study.writers,
        "runs": study.runs,
        "wrong": wrong,
        "seconds": study.seconds,
        "runs_per_second": study.runs / study.seconds,
        "run_seconds": spread(study.durations),
        "killed": study.killed,
        "states": dict(study.states),
        "run_lock": spread(study.run_locks),
        "program_wait": spread(study.program_waits),
        "handover": spread(study.handovers),
        "lock_attempts": study.lock_attempts,
        "asked_at_most": max(study.asked.values(), default=0),
        "programs": len(study.asked),
        "made_twice": many,
        "makers_killed": study.makers_killed,
        "duels": study.duels,
        "won_by_both": study.won_by_both,
        "refused": len(study.refusals),
        "looks": study.looks,
        "json_half_read": half(study, ".json"),
        "csv_read_inside_a_row": half(study, ".csv"),
        "failed": study.failed[:20],
        "memory_mb": study.memory,
        "check": dataclasses.asdict(found),
    }


def half(study: Study, kind: str) -> int:
    """How often a file of this kind was not whole when somebody looked."""
    return sum(count for name, count in study.half_read.items() if name.endswith(kind))


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Median, 99th percentile and most; ``None`` where there is nothing."""
    if not values:
        return {"median": None, "p99": None, "most": None}
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {"median": statistics.median(ordered), "p99": p99, "most": ordered[-1]}


def said(study: dict[str, Any], scans: dict[str, Any]) -> list[str]:
    """The same for a person, a line each."""
    size, per_run, found = study["size"], study["per_run"], study["check"]
    lines = [
        f"{study['runs']:,} runs by {study['writers']} writers in {study['seconds']:,.0f} s: "
        f"{study['runs_per_second']:.1f} runs/s; {size['inodes']:,} inodes, {size['bytes'] / 1e9:.2f} GB; per run "
        f"{per_run['files']:.1f} files, {per_run['bytes'] / 1e3:,.0f} kB",
        f"killed in the middle: {study['killed']} ({study['makers_killed']} while making a program); their runs were "
        f"gone on with: {study['states']}",
        f"programs: {study['programs']}, made twice: {study['made_twice']}; up to {study['asked_at_most']} writers "
        f"asked for one, and had it {_spread(study['handover'])} after it was there",
        f"a run's own lock took {_spread(study['run_lock'])}; {study['lock_attempts']:,} attempts at locks in all",
        f"claimed by two at once: {study['duels']} runs; claims refused: {study['refused']}, runs that both had: "
        f"{study['won_by_both']}",
        f"read while written: {study['looks']:,} files; JSON not whole: {study['json_half_read']}, csv that ended "
        f"inside a row: {study['csv_read_inside_a_row']}",
        f"afterwards: incomplete runs {found['incomplete']}, rows lost {found['rows_lost']}, rows too many "
        f"{found['rows_too_many']}, broken files {found['broken'] or 0}, programs missing {found['programs_missing']}",
    ]
    for what in [name for name in SCANS if name in scans]:
        lines.append(f"scan, {what}: {scans[what]['seconds']:.2f} s, {scans[what]['megabytes']:,.0f} MB")
    lines += study["failed"][:3] + [f"broken: {example}" for example in found["examples"][:3]]
    return [*lines, "WRONG: see above" if study["wrong"] else "nothing lost, nothing broken"]


def _spread(values: dict[str, float | None]) -> str:
    if values["median"] is None:
        return "nothing measured"
    return ", ".join(f"{name} {(value or 0) * 1000:,.1f} ms" for name, value in values.items())


def _hold(folder: Path | None, seconds: float) -> int:
    if folder is None:
        raise VlmcarError("--hold needs --folder, on the share that both nodes see")
    with RunFolder(folder / "seed_0").lock():
        print(
            f"held by {platform.node()} for {seconds:g} s: the same command on another node must be refused now",
            flush=True,
        )
        time.sleep(seconds)
    print("let go; if nobody was refused meanwhile, locks do not reach from node to node here")
    return 0


def _file_system(folder: Path) -> str:
    """Its type, as ``df`` calls it."""
    done = subprocess.run(["df", "--output=fstype", str(folder)], capture_output=True, text=True, check=False)
    return done.stdout.split()[-1] if done.stdout.split() else "unknown file system"


if __name__ == "__main__":
    sys.exit(main())
