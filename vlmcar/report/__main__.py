"""``python -m vlmcar.report``: reads run folders, or csv files of an earlier report, and writes one."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vlmcar.report.agreement import read_agreement, read_agreement_csv
from vlmcar.report.results import read_csv, read_runs, runs_root
from vlmcar.report.write import write_report
from vlmcar.types import VlmcarError


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the report and returns the exit status: 0, or 1 when what is given cannot be read, or
    the report not be written."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    try:
        if not options.from_csv and not options.results.is_dir():
            raise VlmcarError(f"--results {options.results} is no folder: give the one that results= named")
        results = read_csv(options.from_csv) if options.from_csv else read_runs(options.results)
        if options.from_csv:
            agreement = read_agreement_csv(options.from_csv)
        else:
            agreement, problems = read_agreement(options.results)
            results = replace(results, problems=(*results.problems, *problems))
        command = shlex.join(["python", "-m", "vlmcar.report", *arguments])
        root = None if options.from_csv else runs_root(options.results)
        print(write_report(results, agreement, root, command, options.out))
    except VlmcarError as error:
        print(f"vlmcar: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"vlmcar: {error.filename or options.out}: {error.strerror or error} (see --out)", file=sys.stderr
        )
        return 1
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
