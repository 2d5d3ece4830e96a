"""Runs entry points of the suite, each in a fork of a process that has imported everything already.

A fork has its own working folder, environment, arguments and output, and ends with a real exit status, as
``python run.py`` does, but without the seconds that importing takes.

Reads a line of JSON per command from standard input, ``{"argv", "cwd", "env", "missing", "out", "err", "seconds"}``,
and answers with its exit status, or ``"hangs"``.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import sys
import time
import traceback
from typing import Any


def _import_much() -> None:
    import hydra_plugins.hydra_joblib_launcher.joblib_launcher
    import minigrid
    import stable_baselines3
    import torch

    import vlmcar.cli
    import vlmcar.pipeline
    import vlmcar.report.write
    import vlmcar.training.bookkeeper

    torch.set_num_threads(1)  # a fork has one thread
    del hydra_plugins, minigrid, stable_baselines3, vlmcar


def _become(command: dict[str, Any]) -> int:
    """In the fork: the exit status that Python would end with."""
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(command["cwd"])
    os.environ.update(command["env"])
    for name in command["missing"]:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it raises ImportError
    sys.argv = list(command["argv"])
    try:
        if sys.argv[0] == "-m":
            sys.argv = sys.argv[1:]
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(os.path.abspath(sys.argv[0]), run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _status(child: int, seconds: float) -> int | str:
    late = time.monotonic() + seconds
    while time.monotonic() < late:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def main() -> None:
    _import_much()
    print("ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()  # what it starts ends with it
            status = _become(command)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        status = _status(child, command["seconds"])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        print(json.dumps(status), flush=True)


if __name__ == "__main__":
    main()
