"""``python -m tests.bad_input``: makes every mistake, and writes ``docs/errors.md``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bad_input.running import Zygote, make
from tests.bad_input.table import MISTAKES, PAGE, page, row


def main() -> None:
    zygote, rows = Zygote(), {}
    with tempfile.TemporaryDirectory() as folder:
        for number, mistake in enumerate(MISTAKES):
            path = Path(folder, str(number))
            path.mkdir()
            rows[mistake.wrong] = row(mistake, make(mistake, path, zygote))
            print(rows[mistake.wrong], file=sys.stderr, flush=True)
    zygote.close()
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(rows), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
