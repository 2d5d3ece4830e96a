"""``power.md``: rates with intervals, by rule, by check, by operator and by task; and what slipped through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from scipy.stats import binomtest

Row = Mapping[str, str]

COLUMNS = [
    *("task", "name", "origin", "operator", "program_hash", "agreement", "label"),
    *("accepted", "published", "failed", "held_out"),
]


def page(rows: Sequence[Row], command: str, explained: Mapping[str, str]) -> str:
    """The whole table as markdown; ``explained``: hash of a program -> why it was misjudged."""
    right, wrong = (of(rows, label) for label in ("right", "wrong"))
    unclear = len(rows) - len(right) - len(wrong)
    mistaken = sum(row["operator"] == "written to be right" for row in wrong)
    sections = [
        "# The power of verification",
        f"{len(rows)} programs on {len({row['task'] for row in rows})} tasks: {len(right)} right, {len(wrong)} wrong, "
        f"{unclear} left out as unclear. Ground truth labels them, on levels of its own: right, if in at least 99 % of "
        "the episodes no sub-task is done at first, every one counts within a frame of the truth and, in an expert's, "
        "is answered truly from then on; wrong, if in at most 95 %. Verification sees no label.",
        "No VLM was asked: programs are those of the recordings, some that were written for this corpus, to be right "
        "or to lie (`vlmcar/power/programs`), and what was made of these (`vlmcar/power/mutants.py`). Many a mutant is "
        f"right, and {mistaken} of those written to be right are not. Real programs in the sandbox; "
        f"intervals are 95 % Wilson intervals. Made by `{command}`.",
        "## Both rules on the same programs",
        table(
            ["rule", "wrong programs rejected", "right programs accepted"],
            [
                ["verification, all checks, both sets", rate(wrong, rejected), rate(right, accepted)],
                [
                    "published rule, re-stated: every expert completes, at most a tenth of random play",
                    rate(wrong, lambda row: not published(row)),
                    rate(right, published),
                ],
            ],
        ),
        "![Both rules, task by task](power.png)",
        "The published rule is computed on the feedback set's experts and random episodes; random episodes that "
        "succeed are not held against a program under either rule.",
        "## By check",
        "How many programs fail a check, in the set that rejects them, and for how many it is the only one.",
        table(
            ["check", "wrong programs", "by it alone", "right programs", "by it alone"],
            by_check(right, wrong),
        ),
        "## By operator",
        table(
            ["made by", "wrong", "rejected", "published rule rejects", "right", "accepted"],
            by(rows, "operator"),
        ),
        "## By task",
        table(["task", "wrong", "rejected", "published rule rejects", "right", "accepted"], by(rows, "task")),
        "## Wrong programs that were accepted",
        listed((row for row in wrong if accepted(row)), explained),
        "## Right programs that were rejected",
        listed((row for row in right if rejected(row)), explained),
    ]
    return "\n\n".join(sections) + "\n"


def of(rows: Iterable[Row], label: str) -> list[Row]:
    return [row for row in rows if row["label"] == label]


def accepted(row: Row) -> bool:
    return row["accepted"] == "1"


def rejected(row: Row) -> bool:
    return not accepted(row)


def published(row: Row) -> bool:
    return row["published"] == "1"


RULES: Mapping[str, Callable[[Row], bool]] = {
    "verification": accepted,
    "published rule, re-stated": published,
}
"""Name -> whether it accepts a program."""


def rate(rows: Sequence[Row], so: Callable[[Row], bool]) -> str:
    """``0.97 [0.93, 0.99] (97 of 100)``."""
    if not rows:
        return "–"
    count = sum(map(so, rows))
    interval = binomtest(count, len(rows)).proportion_ci(0.95, method="wilson")
    return f"{count / len(rows):.3f} [{interval.low:.3f}, {interval.high:.3f}] ({count} of {len(rows)})"


def by_check(right: Sequence[Row], wrong: Sequence[Row]) -> list[list[str]]:
    counts = []
    for rows in (wrong, right):
        failed = [row["failed"].split() for row in rows]
        counts += [Counter(name for names in failed for name in names)]
        counts += [Counter(names[0] for names in failed if len(names) == 1)]
    names = sorted({name for count in counts for name in count}, key=lambda name: (-counts[0][name], name))
    return [[f"`{name}`", *(str(count[name]) for count in counts)] for name in names]


def by(rows: Sequence[Row], column: str) -> list[list[str]]:
    found = []
    for value in sorted({row[column] for row in rows}):
        group = [row for row in rows if row[column] == value]
        right, wrong = of(group, "right"), of(group, "wrong")
        found.append(
            [
                value,
                str(len(wrong)),
                str(sum(map(rejected, wrong))),
                str(sum(not published(row) for row in wrong)),
                str(len(right)),
                str(sum(map(accepted, right))),
            ]
        )
    return found


def listed(rows: Iterable[Row], explained: Mapping[str, str]) -> str:
    """A line for each program, with what somebody found out about it."""
    lines = [
        f"- {row['task']}: {row['name']} (right in {float(row['agreement']):.0%} of the episodes"
        + (f"; failed {row['failed'].replace(' ', ', ')})" if row["failed"] else ")")
        + f": {explained.get(row['program_hash'], 'not looked into')}"
        for row in rows
    ]
    return "\n".join(lines) or "None."


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
