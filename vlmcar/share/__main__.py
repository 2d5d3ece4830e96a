"""``python -m vlmcar.share push FOLDER TO`` and ``python -m vlmcar.share pull FROM``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vlmcar.installation import program
from vlmcar.share.exchange import PULLED, PulledProgram, pull, push
from vlmcar.types import VlmcarError


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 when nothing was shared or taken."""
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.command == "push":
            how = {"task": chosen.task, "frame_size": chosen.frame_size, "private": chosen.private}
            print(push(chosen.folder, chosen.to, **how))
        else:
            print(_told(pull(chosen.origin, chosen.into)))
    except VlmcarError as error:
        print(f"vlmcar: {error}", file=sys.stderr)
        return 1
    return 0


def _told(pulled: PulledProgram) -> str:
    checks = pulled.claimed.checks
    height, width, _ = pulled.frame_shape
    names = ", ".join(subtask.name for subtask in pulled.program.subtasks)
    claim = "accepted" if pulled.claimed.accepted else "rejected"
    return "\n".join(
        [
            str(pulled.folder),
            f"program {pulled.program.hash} for {pulled.task}, frames of {height} x {width} pixels: {names}",
            f"NOT VERIFIED HERE. It claims: {claim}, {sum(check.passed for check in checks)} of {len(checks)} checks "
            f"passed, written by {pulled.vlm_model}",
            "verify it on a task that shows the same images: "
            f"{program()} stage=generate env=YOURS vlm=offline vlm.recordings={pulled.folder}",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vlmcar.share", description="Hands verified programs on.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("push", help="share an accepted program")
    one.add_argument("folder", type=Path, help="of the store: results/programs/<task>/<vlm>/<key>")
    one.add_argument("to", help="a new folder, or hf://owner/name (pip install 'vlmcar[hub]')")
    one.add_argument("--task", help="its name (default: the store's)")
    one.add_argument(
        "--frame-size",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of its frames (default: the store's)",
    )
    one.add_argument("--private", action="store_true", help="a new repository is seen by its owner alone")
    other = commands.add_parser(
        "pull", help="take a shared program, run nothing of it, and say what it claims"
    )
    other.add_argument("origin", metavar="from", help="a folder, or hf://owner/name[@revision]")
    other.add_argument("--into", type=Path, default=PULLED, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
