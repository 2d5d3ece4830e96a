"""All mistakes, and the page that lists them with what they get."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bad_input import rows_commands, rows_config, rows_files, rows_machine, rows_own
from tests.bad_input.running import Mistake, Outcome
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "errors.md"
RENEW = "python -m tests.bad_input"
MISTAKES = (*rows_config.ROWS, *rows_own.ROWS, *rows_files.ROWS, *rows_machine.ROWS, *rows_commands.ROWS)
HEAD = f"""# What goes wrong, and what you see

Every mistake below ends in **one line** on standard error, without a traceback, and with an exit status: 2 for settings
that cannot run, before anything is written; 1 for a run that failed, which keeps what it has done; 130 for Ctrl-C.
`HYDRA_FULL_ERROR=1` before the command shows the traceback after all.

This page is written by `{RENEW}`, which makes every mistake through the real entry points; `tests/bad_input` fails
when a line differs from what stands here. Each command had a results folder of its own and, beside what is shown,
settings that keep it short: a small task and budget, the sparse reward, no retries. Left behind: the folders below
`results/` in which the command wrote something; a file that was there before is never changed, unless a killed run
goes on with it. `HASH`, `PORT` and the like stand for what differs.

{len(MISTAKES)} mistakes:
"""


def row(mistake: Mistake, outcome: Outcome) -> str:
    """One line of the page's table."""
    command = _shown(mistake.command)
    note = f" (without {', '.join(mistake.missing)})" if mistake.missing else ""
    cells = [
        f"{mistake.wrong}{note}",
        _code(command),
        _code(" ".join(outcome.lines)),
        outcome.status,
        _left(outcome),
    ]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def page(rows: dict[str, str]) -> str:
    """Markdown.

    Args:
        rows: by ``wrong`` of each mistake.
    """
    parts = [HEAD]
    for about in dict.fromkeys(mistake.about for mistake in MISTAKES):
        parts.append(f"## {about.capitalize()}\n")
        parts.append("| what was wrong | command, after `python` | what you see | exit | left behind |")
        parts.append("|---|---|---|---|---|")
        parts.append("\n".join(rows[m.wrong] for m in MISTAKES if m.about == about) + "\n")
    return "\n".join(parts)


def committed() -> Iterator[str]:
    """The lines of the page as it is."""
    yield from PAGE.read_text(encoding="utf-8").splitlines() if PAGE.is_file() else ()


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _shown(command: str) -> str:
    fill = {
        "{place}/": "",
        "{results}": "results",
        "{root}": "path/to",
        "{place}": ".",
        "{url}": "http://127.0.0.1:PORT/v1",
    }
    for key, value in {**fill, "{tls}": "https://127.0.0.1:PORT/v1", "a" * 300: "aaa..."}.items():
        command = command.replace(key, value)
    return command


def _left(outcome: Outcome) -> str:
    areas = {path.removeprefix("results/").split("/")[0] for path in outcome.left if path != "results"}
    return ", ".join(sorted(areas)) or "nothing"
