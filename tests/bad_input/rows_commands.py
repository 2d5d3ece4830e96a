"""The other commands: ``python -m vlmcar.report`` and the like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.bad_input.running import Mistake, Place
from tests.conftest import PROGRAMS, ROOT
from vlmcar.vlm.conversation import write_png


def row(wrong: str, command: str, *says: str, **more: object) -> Mistake:
    return Mistake("other commands", wrong, f"-m vlmcar.{command}", says, **{"status": 1, **more})  # type: ignore[arg-type]


def program(text: str) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        pictures(place)
        (place.path / "program.py").write_text(text)

    return prepare


def pictures(place: Place) -> None:
    for name, size in (("a", 64), ("b", 32)):
        write_png(place.path / f"{name}.png", np.zeros((size, size, 3), np.uint8))
    (place.path / "notes.png").write_text("no picture")
    (place.path / "program.py").write_text((PROGRAMS / "doorkey.py").read_text())


def a_file(place: Place) -> None:
    (place.path / "report").write_text("mine")


def csvs(place: Place) -> None:
    for name in ("runs.csv", "evaluations.csv"):
        text = (ROOT / "results" / "reference" / name).read_text()
        (place.path / name).write_text(text if name == "runs.csv" else text[: len(text) // 2])


CHECK = "program check {place}/program.py"
REPORT = "report --results {results} --out {place}/report"
ROWS = (
    row("a report on no folder", REPORT, "is no folder"),
    row(
        "a report into a file",
        REPORT,
        "File exists",
        "--out",
        prepare=lambda place: (a_file(place), place.results.mkdir()),
    ),
    row(
        "a report into nowhere",
        "report --results {results} --out /proc/report",
        "/proc/report",
        "--out",
        prepare=lambda place: place.results.mkdir(),
    ),
    row(
        "a report from csv files that are not there",
        "report --from-csv {place} --out {place}/report",
        "runs.csv cannot be read",
        "an earlier report",
    ),
    row(
        "a report from a csv file that is cut",
        "report --from-csv {place} --out {place}/report",
        "evaluations.csv cannot be read",
        prepare=csvs,
    ),
    row("an experiment for the paper's figures", "paper --plan -- experiment=smoke", "choose with --figures"),
    row("a program file that is not there", f"{CHECK} --initial x.png", "cannot be read"),
    row(
        "a program without functions",
        f"{CHECK} --initial {{place}}/a.png",
        "no function",
        prepare=program("x = 1\n"),
    ),
    row(
        "a program with a syntax error",
        f"{CHECK} --initial {{place}}/a.png",
        "syntax",
        prepare=program("def f(:\n"),
    ),
    row(
        "a picture that is not there",
        f"{CHECK} --initial {{place}}/c.png",
        "does not exist",
        prepare=pictures,
    ),
    row(
        "a picture that is none",
        f"{CHECK} --initial {{place}}/notes.png",
        "not a picture",
        "PNG",
        prepare=pictures,
    ),
    row(
        "pictures of two sizes",
        f"{CHECK} --initial {{place}}/a.png --frame {{place}}/b.png",
        "32 x 32",
        "64 x 64",
        "one size",
        prepare=pictures,
    ),
    row(
        "a setting of the sandbox with a typo",
        f"{CHECK} memory_m=64 --initial {{place}}/a.png",
        "memory_m",
        "the settings are",
        prepare=pictures,
    ),
    row("a tiny model into nowhere", "vlm.tiny /proc/model", "/proc/model"),
    row(
        "a corpus for no environment",
        "power --env nope --out {place}/power",
        "Could not find 'env/nope'",
        status=2,
    ),
    row(
        "a benchmark of no environment",
        "bench --env nope --out {place}/bench.json",
        "Could not find 'env/nope'",
        status=2,
    ),
)
