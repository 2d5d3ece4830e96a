"""Ctrl-C, SIGTERM, SIGHUP: a training ends its update, keeps a checkpoint and leaves; asked twice, at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vlmcar.types import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_asked: int | None = None
_polled = 0


class StopNow(KeyboardInterrupt):
    """Raised by a signal where nothing would be kept by going on; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def check() -> None:
    """Raise `Stopped` if this process was asked to stop."""
    if _asked:
        raise Stopped(_asked)


def asked() -> bool:
    """Whether this process was asked to stop."""
    return _asked is not None


@contextmanager
def listening() -> Iterator[None]:
    """Take the signals; not those that are ignored, as under ``nohup``, and none in another than the main thread."""
    global _asked
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _handle) for number in heard}
    if _handle not in before.values():  # the outermost: nobody has asked yet
        _asked = None
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def polled() -> Iterator[None]:
    """In here a first signal interrupts nothing, since somebody calls `check`."""
    global _polled
    _polled += 1
    try:
        yield
    finally:
        _polled -= 1


def _handle(number: int, frame: Any) -> None:  # noqa: ARG001
    global _asked
    again, _asked = _asked is not None, number
    if again or not _polled:
        raise StopNow(number)
    # not print(): a signal may come in the middle of one
    os.write(
        2, b"\nvlmcar: stopping at the end of this update, with a checkpoint; once more to stop at once\n"
    )
