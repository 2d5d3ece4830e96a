"""Programs from files, without running them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vlmcar.obtain import refuse_rejected
from vlmcar.program.check import read_program
from vlmcar.share import PulledProgram
from vlmcar.types import ConfigError, Program, VlmcarError
from vlmcar.verification.store import StoredProgram
from vlmcar.verification.store import load as stored_program

AnyProgram = Program | StoredProgram | str | Path
"""What functions of the library take where they need a program."""


def load(path: str | Path) -> Program:
    """Read a program. Nothing of it is run.

    A folder with ``program.py`` and ``verdict.json``, of the store of programs or of a run, gives the program that was
    accepted. A file is taken as it stands, accepted or not: its sub-tasks are its functions of ``(initial, frame)``, in
    their order, each described by the first line of its docstring.

    Args:
        path: such as ``results/programs/minigrid-doorkey_5x5/offline/<key>``, or ``my_program.py``.

    Raises:
        VlmcarError: it is not there; or it is a folder, and the program in it was changed after it was verified, or
            was not accepted.
    """
    path = Path(path)
    if not path.is_dir():
        return _from_file(path)
    stored = stored_program(path)
    if not stored.verdict.accepted:
        refuse_rejected(stored)
        raise VlmcarError(
            f"the program in {path} was not accepted; {path / 'program.py'} loads it all the same"
        )
    return sized(stored).program


def sized(stored: StoredProgram) -> StoredProgram:
    """The same, whose program knows the size of the frames that it was verified on."""
    if stored.frame_shape is None:
        return stored
    height, width = stored.frame_shape[:2]
    return replace(stored, program=replace(stored.program, frame_size=(height, width)))


def program_of(program: AnyProgram) -> Program:
    """The program itself.

    Raises:
        ConfigError: it was pulled.
        VlmcarError: as for `load`.
    """
    refuse_pulled(program)
    if isinstance(program, StoredProgram):
        return sized(program).program
    return program if isinstance(program, Program) else load(program)


def refuse_pulled(program: object) -> None:
    """Refuse what nobody has verified here.

    Raises:
        ConfigError: says what to do.
    """
    if isinstance(program, PulledProgram):
        raise ConfigError(
            "what vlmcar.pull gave counts as not verified: run vlmcar.verify(pulled.program, ...) on episodes of your "
            "own, and give pulled.program if it is accepted"
        )


def _from_file(path: Path) -> Program:
    """With what is known of it, where its verdict lies beside it."""
    if (path.parent / "verdict.json").is_file() and path.name == "program.py":
        try:
            return sized(stored_program(path.parent)).program
        except VlmcarError:
            pass  # it was changed since: another program, and nothing is known of it
    return read_program(path)
