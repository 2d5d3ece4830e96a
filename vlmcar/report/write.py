"""A report in a folder: ``index.html``, ``report.md``, the figures and tables of both, and the csv behind them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from vlmcar.report.agreement import agreement_cells
from vlmcar.report.costs import ledger_cells
from vlmcar.report.exploited import audit_cells, audit_table, exploited_runs
from vlmcar.report.figures import learning_curves
from vlmcar.report.judge_accuracy import judge_accuracy, without_grids
from vlmcar.report.page import WHAT_TO_RUN, Figures, failed_programs, mixed_settings, page, unfinished_runs
from vlmcar.report.profiles import compared
from vlmcar.report.results import Results, write_csv
from vlmcar.report.site import INDEX, write_site
from vlmcar.report.tables import plain, readable, success, summary, write_table
from vlmcar.report.throughput import draw_throughput, throughput, throughput_cells


@threadpool_limits.wrap(limits=1, user_api="blas")
def write_report(
    results: Results, agreement: pd.DataFrame, root: Path | None, command: str, out: Path
) -> str:
    """Writes ``index.html``, ``report.md``, their figures and tables into the folder `out`.

    Its matrices are small: beside a training, threads for them would only wait for each other.

    Args:
        root: where the runs' ``folder`` begins; ``None``: there are no run folders.
        command: what makes them, for the page and the figures.

    Returns:
        What a terminal should show of it.
    """
    report = out / "report.md"
    out.mkdir(parents=True, exist_ok=True)
    if results.runs.empty:
        text = page(results, results.runs, Figures(), agreement, command)
        report.write_text(text, encoding="utf-8")
        write_site(text, results, root, out, command)
        return "\n".join([*_left_out(results), WHAT_TO_RUN])
    table = summary(results.runs)
    write_csv(results, out)
    _write_tables(results, table, agreement, out)
    curves = without_grids(results)
    figures = Figures(
        learning_curves(curves, command, out),
        compared(curves, command, out),
        judge_accuracy(results, command, out),
        draw_throughput(curves.runs, command, out),
    )
    text = page(results, table, figures, agreement, command)
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
    if not (rates := throughput(results.runs)).empty:
        write_table(out, "throughput", throughput_cells(rates), rates)
    if not results.ledger.empty:
        write_table(out, "ledger", ledger_cells(results.ledger))  # its numbers: `write_csv`
    if not (audit := audit_table(results.runs)).empty:
        write_table(out, "audit", audit_cells(audit), audit)
    if not agreement.empty:
        write_table(out, "agreement", agreement_cells(agreement), agreement)


def _remarks(results: Results) -> list[str]:
    """What a reader of the table alone would miss."""
    unfinished = [f"Unfinished: {line}" for line in unfinished_runs(results)]
    failed = [f"Failed program: {line}" for line in failed_programs(results)]
    warnings = [f"Warning: {line}" for line in mixed_settings(results)]
    exploited = [f"Exploited: {line}" for line in exploited_runs(results.runs)]
    return [*warnings, *failed, *exploited, *unfinished, *_left_out(results)]


def _left_out(results: Results) -> list[str]:
    return [f"Left out: {problem.path} {problem.reason}" for problem in results.problems]
