"""The sweep's own process: what it is made of, how it is stopped, and the table at its end."""

from __future__ import annotations

import csv
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vlmcar import stopping
from vlmcar.launchers import explain
from vlmcar.record.plain import NOTHING, columns, duration, percent
from vlmcar.sweep.outcome import (
    FAILED,
    FOLDER,
    GOOD,
    NOT_BEGUN,
    RUNNING,
    STATES,
    STOP,
    STOPPED,
    SWEEP,
    Outcome,
    read_all,
    say_begun,
)
from vlmcar.types import VlmcarError

MOST_ROWS = 40
"""Of a table; of a larger sweep only what did not end well has rows."""
KEPT = "runs.csv"
"""What stays of the outcomes in the sweep's folder."""


@dataclass
class Sweep:
    """One ``vlmcar -m ...``."""

    folder: Path
    chosen: Mapping[str, str]
    """What runs have where a sweep does not say: environment, method, seed."""
    planned: Sequence[tuple[str, ...]]
    """The overrides of each job; empty where the sweeper decides them as it goes."""
    started: float = field(default_factory=time.monotonic)
    signal: int | None = None
    """That stopped it."""

    def outcomes(self) -> list[Outcome]:
        """Of all jobs, in order."""
        found = read_all(self.folder)
        numbers = sorted({*found, *range(len(self.planned))})
        ended = [found.get(n) or Outcome(self.planned[n], NOT_BEGUN) for n in numbers]
        if self.signal is None:
            return ended
        # A second signal leaves no time; what it cut off was stopped, and not by itself.
        cut_off = "cut off before it could save a checkpoint"
        return [
            replace(one, state=STOPPED, reason=cut_off)
            if one.seconds is None and one.state == FAILED
            else one
            for one in ended
        ]

    def stop(self, number: int, _frame: Any) -> None:
        """Answer Ctrl-C or SIGTERM: the first time runs may save a checkpoint, the second time all ends here."""
        for known in stopping.SIGNALS:
            if signal.getsignal(known) != signal.SIG_IGN:
                signal.signal(known, _leave_at_once)
        self.signal = number
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / STOP).touch()
        print(
            "vlmcar: stopping: the runs that go on save a checkpoint, no other begins; again to leave at once",
            file=sys.stderr,
            flush=True,
        )


_sweeps: list[Sweep] = []
"""The one that this process has begun."""


class Watch(Callback):
    """Hydra's callback: only the process that starts a sweep hears of its beginning."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Look at what is going to be run. ``stage=status`` is about all runs: it is answered once, here."""
        if config.stage == "status":
            from vlmcar.record.status import status_text

            print(status_text(Path(config.results)))
            raise SystemExit(0)
        choices = config.hydra.runtime.choices
        chosen = {"env": str(choices.env), "method": str(choices.method), "seed": str(config.seed)}
        sweep = Sweep(Path(config.hydra.sweep.dir), chosen, _planned(config))
        for number in stopping.SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, sweep.stop)
        say_begun(sweep.folder)
        _sweeps.append(sweep)


@contextmanager
def whole_sweep() -> Iterator[None]:
    """Around ``main``: ends a sweep with its table, whatever its launcher did, and with an exit status.

    Raises:
        SystemExit: 0 when every run is complete, 1 when some failed, 130 or 143 when it was stopped.
        VlmcarError: the launcher broke.
    """
    try:
        yield
    except (VlmcarError, HydraException, OmegaConfBaseException):
        raise  # of a sweep that cannot be composed
    except BaseException as error:
        if not _sweeps or not (_sweeps[0].folder / FOLDER).is_dir():
            raise
        status = finish(_sweeps.pop())
        if isinstance(error, Exception):
            told = explain(error)
            said = (str(error).strip() or "no reason given").splitlines()[0]
            raise VlmcarError(
                told[0]
                if told
                else f"the launcher ended the sweep ({type(error).__name__}: {said}); the same command goes on with it"
            ) from error
        raise SystemExit(status) from None
    if _sweeps:
        raise SystemExit(finish(_sweeps.pop()))


def finish(sweep: Sweep) -> int:
    """Print the table, keep it as one small file, and tell the exit status."""
    outcomes = sweep.outcomes()
    print("\n" + table(outcomes, sweep.chosen, time.monotonic() - sweep.started), flush=True)
    states = {outcome.state for outcome in outcomes}
    if RUNNING not in states:
        # Jobs that a cluster begins later shall see that the sweep was stopped.
        _keep(sweep.folder, outcomes, stopped=sweep.signal is not None and NOT_BEGUN in states)
    if sweep.signal is not None:
        return 128 + sweep.signal
    if states <= set(GOOD):
        return 0
    return 128 + signal.SIGTERM if states <= {*GOOD, STOPPED} else 1


def table(outcomes: Sequence[Outcome], chosen: Mapping[str, str], seconds: float) -> str:
    """How each run ended, and in a line how many ended so.

    Args:
        outcomes: of all runs.
        chosen: what a run has where its overrides do not say.
        seconds: that the sweep took.
    """
    shown = list(outcomes)
    if len(outcomes) > MOST_ROWS:
        shown = [outcome for outcome in outcomes if outcome.state not in GOOD]
    keys = [*chosen, *_differing(outcomes, set(chosen))]
    reasons = any(outcome.reason for outcome in shown)
    rows = []
    for outcome in shown[:MOST_ROWS]:
        values = {**chosen, **_values(outcome)}
        row = [*(values.get(key, NOTHING) for key in keys), outcome.state]
        row += [percent(outcome.success), duration(outcome.seconds)]
        rows.append([*row, outcome.reason] if reasons else row)
    header = [*(key.split(".")[-1] for key in keys), "outcome", "success", "time"]
    blocks = [columns([*header, "reason"] if reasons else header, rows)] if rows else []
    if len(shown) > MOST_ROWS:
        blocks.append(f"... and {len(shown) - MOST_ROWS} more that did not end well")
    return "\n".join([*blocks, _counted(outcomes, seconds)])


def _counted(outcomes: Sequence[Outcome], seconds: float) -> str:
    counts = Counter(outcome.state for outcome in outcomes)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    line = f"{len(outcomes)} runs in {duration(seconds)}: {told}"
    if set(counts) <= set(GOOD):
        return line
    return f"{line}. The same command goes on: complete runs are skipped"


def _differing(outcomes: Sequence[Outcome], known: set[str]) -> list[str]:
    """Keys besides the known ones that do not have one value in all runs."""
    values = [_values(outcome) for outcome in outcomes]
    keys = dict.fromkeys(key for one in values for key in one if key not in known)
    return [key for key in keys if len({one.get(key) for one in values}) > 1]


def _values(outcome: Outcome) -> dict[str, str]:
    pairs = (override.lstrip("+~").partition("=") for override in outcome.overrides)
    return {key: value for key, _, value in pairs}


def _planned(config: DictConfig) -> list[tuple[str, ...]]:
    """Every job's overrides, where Hydra's own sweeper makes them."""
    if not str(config.hydra.sweeper._target_).endswith(BasicSweeper.__name__):
        return []
    swept = [f"{key}={values}" for key, values in (config.hydra.sweeper.params or {}).items()]
    try:
        parsed = OverridesParser.create().parse_overrides([*swept, *config.hydra.overrides.task])
        (jobs,) = BasicSweeper.split_arguments(parsed, None)
    except HydraException:  # the sweeper says it better, or knows more
        return []
    return [tuple(job) for job in jobs]


def _keep(folder: Path, outcomes: Sequence[Outcome], stopped: bool) -> None:
    """One csv file in place of a file per run; where it was ``stopped``, word of that stays."""
    names = ("overrides", "state", "success", "seconds", "reason", "host")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / KEPT).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**asdict(one), "overrides": " ".join(one.overrides)} for one in outcomes)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for name in (SWEEP,) if stopped else (SWEEP, STOP):
        (folder / name).unlink(missing_ok=True)


def _leave_at_once(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
