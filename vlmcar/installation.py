"""What comes with the package, in a checkout or from a wheel, and what it is called on a command line.

In a checkout ``conf/`` and ``results/recordings/`` lie beside the package; a wheel holds them inside of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent
_RECORDINGS = Path("results/recordings")


def conf() -> Path:
    """The folder of the yamls that come with the suite."""
    return _PACKAGE / "conf" if _is_wheel() else _PACKAGE.parent / "conf"


def shown_conf() -> str:
    """The same, as a person in the current folder would type it."""
    folder, here = conf(), Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def recordings() -> list[Path]:
    """Folders of recordings, whatever ``results=`` says: those that come with the suite, then the current folder's.

    Where both hold a task, the later one counts. In a checkout's root they are one and the same.
    """
    own = _PACKAGE / "recordings" if _is_wheel() else _PACKAGE.parent / _RECORDINGS
    folders = {folder.resolve(): folder for folder in (own, _RECORDINGS) if folder.is_dir()}
    return list(folders.values())


def program() -> str:
    """What a person types to start the suite: as this process was started, where that was the suite itself."""
    return started_as() or ("vlmcar" if _is_wheel() else "python run.py")


def started_as() -> str | None:
    """How this process was started; ``None``: it is another program, such as ``python -m vlmcar.report``."""
    path = Path(sys.argv[0])
    if path.name == "run.py":
        return f"python {path}"
    if path.name == "vlmcar":  # the console script
        return "vlmcar"
    return "python -m vlmcar" if path.parts[-2:] == ("vlmcar", "__main__.py") else None


def _is_wheel() -> bool:
    return (_PACKAGE / "conf").is_dir()
