"""Ctrl-C and SIGTERM: a training ends its update, keeps a checkpoint and leaves; asked twice, it leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlmcar.types import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAME = 1.0
"""Seconds in which signals are one: a terminal sends Ctrl-C to every process, and a sweep passes it on."""

_asked: tuple[int, float] | None = None
_polled = 0


class StopNow(KeyboardInterrupt):
    """Raised by a signal where nothing would be kept by going on; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def check() -> None:
    """Raise `Stopped` if this process was asked to stop."""
    if _asked:
        raise Stopped(_asked[0])


def asked() -> bool:
    """Whether this process was asked to stop."""
    return _asked is not None


@contextmanager
def listening() -> Iterator[None]:
    """Take the signals; elsewhere than in a process's main thread, leave them as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def polled() -> Iterator[None]:
    """In here a first signal interrupts nothing, since somebody calls `check`, or waits for those who do."""
    global _polled
    _polled += 1
    try:
        yield
    finally:
        _polled -= 1


def _handle(number: int, frame: Any) -> None:  # noqa: ARG001
    global _asked
    now = time.monotonic()
    again = _asked is not None and now - _asked[1] > _SAME
    first = _asked is None
    if first:
        _asked = number, now
        _pass_on()
    if again or not _polled:
        raise StopNow(number)
    if first:
        # not print(): a signal may come in the middle of one
        os.write(
            2, b"\nvlmcar: stopping at the end of this update, with a checkpoint; once more to stop at once\n"
        )


def _pass_on() -> None:
    """To the processes that run a sweep's jobs; sandbox workers have sessions of their own."""
    if not sys.platform.startswith("linux"):
        return
    for tasks in Path("/proc/self/task").iterdir():
        for child in (tasks / "children").read_text().split():
            try:
                if os.getsid(int(child)) == os.getsid(0):
                    os.kill(int(child), signal.SIGTERM)
            except OSError:  # it has ended
                pass
