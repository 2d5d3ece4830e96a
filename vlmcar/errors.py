"""Errors that a user can act on; import them from ``vlmcar.types``."""

from __future__ import annotations

from typing import Any


class VlmcarError(Exception):
    """An error a user can act on: shown as one line, without a traceback."""


class ConfigError(VlmcarError):
    """A configuration that cannot run; raised before anything has started."""


class NotAvailable(VlmcarError):
    """This cannot be known of this task; says why, in words that follow "not available: "."""


class Stopped(VlmcarError):
    """The run was asked to stop, and left; ``signal`` is the signal's number."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)  # alone, as pickling wants it
        self.signal = signal

    def __str__(self) -> str:
        return "stopped; the same command goes on from the last checkpoint, if there is one"


class NoReply(VlmcarError):
    """The VLM gave no usable reply: out of reach, out of time, or nonsense. Never cached.

    Attributes:
        spent: a ``Reply`` or ``Decisions`` with what it took all the same, and with those answers that did come;
            ``None``: not known.
    """

    spent: Any = None


class Refused(NoReply):
    """The VLM, or a filter before or after it, declined to answer."""


class Truncated(NoReply):
    """The reply ends where the token limit cut it."""
