"""``python -m vlmcar.program check FILE.py --initial A.png --frame B.png``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vlmcar.installation import conf
from vlmcar.program.check import EXAMPLE, as_json, as_text, check, read_frames, read_program
from vlmcar.program.errors import ProgramError, ProgramScreened
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import VlmcarError

SETTINGS = "sandbox/default.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 when the program is of no use, or something given to it is."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    frames = [path for group in chosen.frame or [[chosen.initial]] for path in group]
    try:
        sandbox = _sandbox(chosen.settings)
        program = read_program(chosen.file)
        checked = check(program, sandbox, *read_frames(chosen.initial, frames), chosen.repeat)
    except ProgramScreened as error:
        print(f"{chosen.file} was screened out, and not run: {'; '.join(error.problems)}", file=sys.stderr)
        return 1
    except ProgramError as error:
        where = f"{frames[error.index]}: " if error.index is not None else ""
        print(f"{where}{error}", file=sys.stderr)
        return 1
    except VlmcarError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(as_json(checked, frames), indent=1) if chosen.json else as_text(checked, frames))
    if not checked.same:
        print("program answered wrongly: it answered differently for the same pictures", file=sys.stderr)
        return 1
    return 0


def _sandbox(overrides: Sequence[str]) -> Sandbox:
    """The sandbox of ``conf/sandbox/default.yaml``, with overrides."""
    values = OmegaConf.to_container(OmegaConf.load(conf() / SETTINGS))
    assert isinstance(values, dict)
    values.pop("_target_")
    try:
        schema = OmegaConf.structured(Sandbox)
        built = OmegaConf.to_object(OmegaConf.merge(schema, values, OmegaConf.from_dotlist(list(overrides))))
    except OmegaConfBaseException as error:
        names = ", ".join(map(str, values))
        raise VlmcarError(f"{str(error).splitlines()[0]}; the settings are {names}") from None
    assert isinstance(built, Sandbox)
    return built


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vlmcar.program", description="Runs programs by hand.")
    commands = parser.add_subparsers(dest="command")
    sub = commands.add_parser(
        "check",
        help="run a program file in the sandbox: its answers, its time, the sandbox's level",
        description="Screens a program file, runs it in the sandbox on pictures, and says what it answered, how long "
        "it took and how far its process was locked down.",
        epilog=f"A program looks like\n\n{EXAMPLE}\n\nSettings are those of conf/{SETTINGS}, such as memory_mb=256 or "
        "frame_seconds=0.1.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sub.add_argument("file", type=Path, help="the program")
    sub.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of the sandbox, instead of the file's")
    sub.add_argument("--initial", type=Path, required=True, metavar="PNG", help="first frame of the episode")
    sub.add_argument(
        "--frame",
        type=Path,
        nargs="+",
        action="append",
        metavar="PNG",
        help="frames to judge (default: the initial one)",
    )
    sub.add_argument("--repeat", type=_count, default=20, help="runs that are timed (default: %(default)s)")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
