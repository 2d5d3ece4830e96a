"""``make paper``: says what is there and what it will take, runs the rest, and draws."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from vlmcar.cli import environment, one_line_errors
from vlmcar.installation import program
from vlmcar.paper.estimate import Speeds, plan_text
from vlmcar.paper.page import write_pages
from vlmcar.paper.plan import Figure, figures, names
from vlmcar.types import VlmcarError

STOPPED = (130, 143, -signal.SIGINT, -signal.SIGTERM)
"""Exit statuses of a sweep that Ctrl-C ended."""
SECONDS_TO_STOP = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 when a sweep failed; what there is was drawn all the same."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:end])
    _check(arguments[end + 1 :])
    print(f"Looking at the runs of {', '.join(options.figures)}", file=sys.stderr, flush=True)
    planned = figures(options.figures, arguments[end + 1 :])
    failed = []
    if not options.draw:
        print(plan_text(planned, Speeds(planned[0].results)), flush=True)
        if options.plan:
            return 0
        failed = [figure.name for figure in planned if _unfinished(figure) and _sweep(figure) != 0]
    print(write_pages(planned, shlex.join(["python", "-m", "vlmcar.paper", *arguments])))
    if failed:
        print(f"Failed, as said above: {', '.join(failed)}; the same command tries again.", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vlmcar.paper",
        usage="%(prog)s [--plan | --draw] [--figures NAME ...] [-- OVERRIDE ...]",
        description="The figures of the VLM-CaR paper's MiniGrid environments, from runs of this suite. Says first "
        "how many runs are complete and how long the rest takes, then runs it, then writes <results>/paper/paper.html. "
        "Complete runs are skipped, and broken ones go on. What follows -- is each sweep's: -- results=elsewhere",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--plan", action="store_true", help="only say what there is and how long the rest takes"
    )
    what.add_argument(
        "--draw", action="store_true", help="only draw what there is, also while it runs elsewhere"
    )
    parser.add_argument(
        "--figures",
        nargs="+",
        choices=names(),
        default=names(),
        metavar="NAME",
        help=f"of {', '.join(names())}",
    )
    return parser


def _check(overrides: Sequence[str]) -> None:
    """Each figure is an experiment of its own.

    Raises:
        VlmcarError: another one is named.
    """
    if named := [one for one in overrides if one.lstrip("+~").startswith("experiment=")]:
        raise VlmcarError(
            f"{named[0]} cannot be given here: each figure is an experiment; choose with --figures"
        )


def _unfinished(figure: Figure) -> bool:
    return figure.counts()["complete"] < len(figure.runs)


def _sweep(figure: Figure) -> int:
    """Run what is left of a figure, its output passed through; the exit status.

    Ctrl-C reaches the sweep, too, which is given the time to end.
    """
    print(f"\n{figure.name}: {shlex.join([*program().split(), *figure.arguments])}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", "vlmcar", *figure.arguments], env=environment())
    try:
        status = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:  # the signal was for this process alone
            process.send_signal(signal.SIGINT)
            process.wait()
        raise
    if status in STOPPED:
        raise KeyboardInterrupt
    return status


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
