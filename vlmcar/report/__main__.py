"""``python -m vlmcar.report``: reads run folders, writes ``report.md``, its figures and its tables."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from vlmcar.report.agreement import agreement_cells, read_agreement, read_agreement_csv
from vlmcar.report.costs import ledger_cells
from vlmcar.report.exploited import audit_cells, audit_table, exploited_runs
from vlmcar.report.figures import learning_curves
from vlmcar.report.judge_accuracy import judge_accuracy, without_grids
from vlmcar.report.page import WHAT_TO_RUN, failed_programs, mixed_settings, page, unfinished_runs
from vlmcar.report.profiles import compared
from vlmcar.report.results import Results, read_csv, read_runs, runs_root, write_csv
from vlmcar.report.site import INDEX, write_site
from vlmcar.report.tables import plain, readable, success, summary, write_table
from vlmcar.types import VlmcarError


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the report and returns the exit status: 0, or 1 when the given csv files cannot be read."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        results = read_csv(options.from_csv) if options.from_csv else read_runs(options.results)
        if options.from_csv:
            agreement = read_agreement_csv(options.from_csv)
        else:
            agreement, problems = read_agreement(options.results)
            results = replace(results, problems=(*results.problems, *problems))
    except VlmcarError as error:
        print(error, file=sys.stderr)
        return 1
    command = shlex.join(["python", "-m", "vlmcar.report", *arguments])
    root = None if options.from_csv else runs_root(options.results)
    print(write_report(results, agreement, root, command, options.out))
    return 0


def write_report(
    results: Results, agreement: pd.DataFrame, root: Path | None, command: str, out: Path
) -> str:
    """Writes ``index.html``, ``report.md``, their figures and tables into the folder `out`.

    Args:
        root: where the runs' ``folder`` begins; ``None``: there are no run folders.
        command: what makes them, for the page and the figures.

    Returns:
        What a terminal should show of it.
    """
    report = out / "report.md"
    out.mkdir(parents=True, exist_ok=True)
    if results.runs.empty:
        text = page(results, results.runs, {}, {}, [], agreement, command)
        report.write_text(text, encoding="utf-8")
        write_site(text, results, root, out, command)
        return "\n".join([*_left_out(results), WHAT_TO_RUN])
    table = summary(results.runs)
    write_csv(results, out)
    _write_tables(results, table, agreement, out)
    curves = without_grids(results)
    figures = learning_curves(curves, command, out)
    comparisons = compared(curves.runs, command, out)
    accuracy = judge_accuracy(results, command, out)
    text = page(results, table, figures, comparisons, accuracy, agreement, command)
    report.write_text(text, encoding="utf-8")
    not_shown = write_site(text, results, root, out, command)
    lines = [f"Not shown: {problem.path} {problem.reason}" for problem in not_shown]
    return "\n".join(
        [plain(readable(table)), "", *_remarks(results), *lines, f"Report: {out / INDEX} and {report}"]
    )


def _write_tables(results: Results, table: pd.DataFrame, agreement: pd.DataFrame, out: Path) -> None:
    """Every table of the page that has rows, as csv, markdown and LaTeX."""
    write_table(out, "table", readable(table), table)
    write_table(out, "success", *success(table))
    if not results.ledger.empty:
        write_table(out, "ledger", ledger_cells(results.ledger))  # its numbers: `write_csv`
    if not (audit := audit_table(results.runs)).empty:
        write_table(out, "audit", audit_cells(audit), audit)
    if not agreement.empty:
        write_table(out, "agreement", agreement_cells(agreement), agreement)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vlmcar.report",
        description="Draws learning curves and a table from the files of finished and running runs. "
        "Needs no GPU and no environment. An earlier report can be redrawn from its csv files alone.",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where to look for run folders, in DIR/runs or, without that folder, in DIR (default: results)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/report"),
        metavar="DIR",
        help="where report.md, the figures (png, svg, pdf) and the tables (csv, md, tex) go (default: results/report)",
    )
    parser.add_argument(
        "--from-csv",
        type=Path,
        metavar="DIR",
        help="redraw from runs.csv and evaluations.csv in DIR instead of reading run folders",
    )
    return parser


def _remarks(results: Results) -> list[str]:
    """What a reader of the table alone would miss."""
    unfinished = [f"Unfinished: {line}" for line in unfinished_runs(results)]
    failed = [f"Failed program: {line}" for line in failed_programs(results)]
    warnings = [f"Warning: {line}" for line in mixed_settings(results)]
    exploited = [f"Exploited: {line}" for line in exploited_runs(results.runs)]
    return [*warnings, *failed, *exploited, *unfinished, *_left_out(results)]


def _left_out(results: Results) -> list[str]:
    return [f"Left out: {problem.path} {problem.reason}" for problem in results.problems]


if __name__ == "__main__":
    sys.exit(main())
