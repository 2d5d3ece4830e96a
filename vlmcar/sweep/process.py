"""The process of one run of a sweep: ``python -m vlmcar.sweep.process``, started by ``vlmcar.sweep.job`` alone."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from contextlib import suppress

from omegaconf import DictConfig

from vlmcar import stopping
from vlmcar.sweep.outcome import DONE, FAILED, STOPPED
from vlmcar.types import Stopped, VlmcarError


def main() -> None:
    """Read what is to be run from standard input, run it, and say how it went into the descriptor that is named."""
    # A broken pipe: nobody waits any more.
    with suppress(BrokenPipeError), open(int(sys.argv[1]), "wb") as answer:
        cfg, sys.argv = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_end_with_the_sweep, daemon=True).start()
        pickle.dump(_run(cfg), answer)


def _run(cfg: DictConfig) -> tuple[str, str]:
    """The run's state, and its reason."""
    try:
        with stopping.listening():
            from vlmcar.pipeline import run

            run(cfg, bar=False)  # two bars at once would overwrite each other
        return DONE, ""
    except VlmcarError as error:
        return (STOPPED, "stopped") if isinstance(error, Stopped) else (FAILED, one_line(error))
    except KeyboardInterrupt:
        return STOPPED, "stopped"
    except Exception as error:  # a bug: its traceback is shown, and the other runs go on
        traceback.print_exc()
        return FAILED, f"{type(error).__name__}: {one_line(error)} (its traceback is above)"


def _end_with_the_sweep() -> None:
    """No run goes on without who waits for it: standard input ends when that process does."""
    # By the descriptor: a thread that waits in a buffered file breaks the interpreter's end.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def one_line(error: BaseException) -> str:
    """What it says, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    main()
