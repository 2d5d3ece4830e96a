"""``make wandb-sync``: sends W&B the runs that were kept offline, by its own ``wandb sync``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vlmcar.record.status import held
from vlmcar.record.wandb import UNSENT

_AT_ONCE = 500
"""Folders named to one ``wandb sync``; a command line has an end."""


class Found(NamedTuple):
    """Folders of W&B's client under a results folder that were kept offline or broke off."""

    unsent: list[Path]
    sent: list[Path]
    going_on: list[Path]
    """Of runs that are running: half of one that is sent now would count as sent."""


def find(results: Path) -> Found:
    """Look for them; a run that was resumed has several, named by when they began."""
    found = Found([], [], [])
    for file in sorted(results.glob("runs/**/seed_*/wandb/*run-*/*.wandb")):
        folder = file.parent
        if not folder.name.startswith("offline-") and not (folder / UNSENT).exists():
            continue
        if held(folder.parents[1]):
            found.going_on.append(folder)
        else:
            (found.sent if _is_sent(folder) else found.unsent).append(folder)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 when all there is was sent, 1 when some could not be."""
    parser = argparse.ArgumentParser(
        prog="python -m vlmcar.record.wandb_sync",
        description="Sends W&B the runs that were kept offline. What was sent already is skipped, and so are runs that "
        "are running now. A run that was resumed is sent as one.",
    )
    parser.add_argument("--results", default="results", help="where the runs are (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    chosen = parser.parse_args(arguments)
    found = find(Path(chosen.results))
    print(
        f"{len(found.unsent)} to send, {len(found.sent)} sent before, {len(found.going_on)} of runs that are running",
        flush=True,
    )
    if chosen.dry_run:
        print("\n".join(map(str, found.unsent)))
        return 0
    for first in range(0, len(found.unsent), _AT_ONCE):
        _sync(found.unsent[first : first + _AT_ONCE])
    left = [folder for folder in found.unsent if not _is_sent(folder)]
    if left:
        print(
            f"vlmcar: {len(left)} of {len(found.unsent)} were not sent, for the reason above; the same command tries "
            f"again: {', '.join(map(str, left[:3]))}{', ...' if len(left) > 3 else ''}",
            file=sys.stderr,
        )
        return 1
    for folder in found.unsent:
        (folder / UNSENT).unlink(missing_ok=True)
    return 0


def _sync(folders: Sequence[Path]) -> None:
    """All in one call: W&B's client then sends the parts of a run in the order in which they began."""
    command = [sys.executable, "-m", "wandb", "sync", "--include-online", *map(str, folders)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # what was sent is read from the folders


def _is_sent(folder: Path) -> bool:
    """As W&B's client marks it."""
    return any(folder.glob("*.wandb.synced"))


if __name__ == "__main__":
    sys.exit(main())
