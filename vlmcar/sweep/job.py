"""One run of a sweep, in a process of its own.

What kills that process (the kernel, when memory is short) leaves the launcher's worker alone, and with it the other
runs. Launchers differ in what they do when a worker dies or a job raises, and most end the sweep; here a job always
returns, and says in a file how it went.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from vlmcar.sweep.outcome import (
    COMPLETE,
    DIED,
    DONE,
    FAILED,
    NOT_BEGUN,
    RESUMED,
    STOP,
    STOPPED,
    abandoned,
    begun,
    write,
)
from vlmcar.sweep.process import one_line
from vlmcar.types import VlmcarError

PREEMPTION = (signal.SIGUSR1, signal.SIGUSR2)
"""What a cluster sends before it takes a job's machine away."""
_SECONDS_BETWEEN_LOOKS = 0.5


def run_job(cfg: DictConfig, hydra: Any) -> None:
    """Do one job of a sweep, and leave its outcome in the sweep's folder. Raises nothing a user could cause.

    Args:
        cfg: the composed config, without ``hydra``.
        hydra: Hydra's own: the sweep's folder, the job's number and its overrides.
    """
    sweep, number = Path(hydra.sweep.dir), int(hydra.job.num)
    outcome = begun(tuple(hydra.overrides.task))
    if (sweep / STOP).exists() or abandoned(sweep):
        write(sweep, number, replace(outcome, state=NOT_BEGUN))
        return
    write(sweep, number, outcome)
    started = time.monotonic()
    state, success, reason = _run(cfg, sweep)
    write(
        sweep,
        number,
        replace(outcome, state=state, success=success, reason=reason, seconds=time.monotonic() - started),
    )
    if state in (FAILED, STOPPED):
        chosen = ", ".join(outcome.overrides)
        print(f"vlmcar: {state} ({chosen}): {reason}", file=sys.stderr, flush=True)


def _run(cfg: DictConfig, sweep: Path) -> tuple[str, float | None, str]:
    """The job's state, final success and reason."""
    from vlmcar.config import build, config_hash, relevant_settings, run_path
    from vlmcar.record.folder import RESULT, RunFolder

    try:
        built = build(cfg)
    except VlmcarError as error:
        return FAILED, None, one_line(error)
    trains = built.stage == "train"
    folder = RunFolder(run_path(built))
    before = folder.state(config_hash(relevant_settings(cfg, built))) if trains else "new"
    if before == "complete":  # a process would be started for nothing, hundreds of times
        print(f"already complete: {folder.path}", flush=True)
        return COMPLETE, (folder.read_json(RESULT) or {}).get("final_success"), ""
    state, reason = _apart(cfg, sweep)
    if state != DONE:
        return state, None, reason
    success = (folder.read_json(RESULT) or {}).get("final_success") if trains else None
    return RESUMED if before in ("resume", "trained") else DONE, success, ""


def _apart(cfg: DictConfig, sweep: Path) -> tuple[str, str]:
    """Run it in a new process and wait; its state, and why."""
    answer, said = os.pipe()
    with open(answer, "rb") as answer_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "vlmcar.sweep.process", str(said)],
            stdin=subprocess.PIPE,
            pass_fds=(said,),
            process_group=0,  # Ctrl-C on the terminal is for the sweep, which then stops its runs
            preexec_fn=_deaf,
        )
        os.close(said)
        told = _wait(process, pickle.dumps((cfg, sys.argv)), sweep)
        with suppress(EOFError, pickle.UnpicklingError):  # it died before it said anything
            state, reason = pickle.load(answer_file)
            return state, reason
    code = process.returncode
    if told and code == -signal.SIGTERM:
        return STOPPED, "stopped before it could save a checkpoint"
    if code in (-signal.SIGKILL, -signal.SIGTERM):
        return FAILED, DIED
    cause = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
    return FAILED, f"its process ended with {cause} and left no word"


def _wait(process: subprocess.Popen[bytes], task: bytes, sweep: Path) -> bool:
    """Until it ends; whether it was told to, since the sweep shall stop or is gone."""
    told = threading.Event()

    def tell() -> None:
        if not told.is_set():  # once: a second signal would end it before its checkpoint is written
            told.set()
            process.terminate()

    assert process.stdin is not None
    with _passing_on(tell), process.stdin as stdin:
        with suppress(BrokenPipeError):  # it is gone already
            stdin.write(task)
            stdin.flush()
        while True:  # its standard input stays open as long as somebody waits here
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_BETWEEN_LOOKS)
                return told.is_set()
            if (sweep / STOP).exists() or abandoned(sweep):  # nobody would read how this ends
                tell()


def _deaf() -> None:
    """In the run's process before its program begins: Slurm tells all processes of a job, and would end it."""
    for number in PREEMPTION:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _passing_on(tell: Callable[[], None]) -> Iterator[None]:
    """A launcher's worker that is told to end tells its run. Handlers that somebody else has set stay.

    Of a preempted job submitit's handler gives the job again and ends this process; it waits until the
    run has kept its checkpoint.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C reaches all processes of a terminal; the sweep's own answers it, for all.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    give_again: dict[int, Any] = {number: signal.getsignal(number) for number in PREEMPTION}
    preempted: list[tuple[Any, ...]] = []

    def preempt(*how: Any) -> None:
        preempted.append(how)
        tell()

    ours: dict[int, Any] = {number: preempt for number, handler in give_again.items() if callable(handler)}
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        ours[signal.SIGTERM] = lambda *_: tell()
    before = {number: signal.signal(number, handler) for number, handler in ours.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if preempted:
        give_again[preempted[0][0]](*preempted[0])
