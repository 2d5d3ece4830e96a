"""Run folders on disk to two tidy frames, and the same two frames to and from csv.

`runs` has one row per run, `evaluations` one row per evaluation of a run. In text columns ``""`` means "not
stated", in number columns NaN does. A file that cannot be trusted is never half-used: its run is left out and
named in `problems`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from vlmcar.report.audit import COLUMNS as AUDIT_COLUMNS
from vlmcar.report.audit import audit_columns
from vlmcar.report.cut import refuse_cut, refuse_half_a_line
from vlmcar.report.ledger import COLUMNS, ledger_rows
from vlmcar.report.ledger import FILE as LEDGER
from vlmcar.types import VlmcarError

_SIMULATED = re.compile("simulated_fp(.+)_fn(.+)")
"""A simulated judge's name (``vlmcar.vlm.simulated``), where a VLM's stands."""
IDENTITY = ["env", "method", "label", "vlm", "algorithm", "seed"]
"""Two runs that agree on these are the same run."""

TEXT, NUMBER, OPTIONAL_TEXT, OPTIONAL_NUMBER = (
    (str,),
    (int, float),
    (str, type(None)),
    (int, float, type(None)),
)

MANIFEST_FIELDS: dict[str, tuple[type, ...]] = {
    "env": TEXT,
    "method": TEXT,
    "label": TEXT,
    "vlm": TEXT,
    "judge": TEXT,
    "algorithm": TEXT,
    "seed": (int,),
    "steps": (int,),
    "config_hash": TEXT,
    "git": (dict,),
    "sandbox": OPTIONAL_TEXT,
    "machine": TEXT,
    "command": TEXT,
    "false_positives": OPTIONAL_NUMBER,
    "false_negatives": OPTIONAL_NUMBER,
    "program_hash": OPTIONAL_TEXT,
    "program_error": OPTIONAL_TEXT,
    "packages": (dict, type(None)),
}
RESULT_FIELDS: dict[str, tuple[type, ...]] = {
    "final_success": NUMBER,
    "final_episodes": NUMBER,
    "steps_to_90": OPTIONAL_NUMBER,
    "final_train_success": OPTIONAL_NUMBER,
    "train_steps_to_90": OPTIONAL_NUMBER,
    "train_seconds": NUMBER,
    "steps_per_second": NUMBER,
    "seconds": NUMBER,
    "vlm_calls": OPTIONAL_NUMBER,
    "vlm_model": OPTIONAL_TEXT,
    "program_hash": OPTIONAL_TEXT,
    "program_attempts": OPTIONAL_NUMBER,
    "resumed_at": (list,),
    "audit": (dict, type(None)),
    "exploited_before": (list, type(None)),
    "judged": (dict, type(None)),
}
_NOT_COLUMNS = ("resumed_at", "audit", "exploited_before", "judged")
JUDGED_COLUMNS = ["frames_judged", "frames_remembered"]
"""Of `runs`: frames that the judge was asked about, and those answered from memory; since it was last resumed."""
MEASURES = ["episodes", "success_rate", "env_return", "length"]
NOT_IN_OLDER_FILES = [
    *("final_train_success", "train_steps_to_90", "train_success_rate"),  # null: any level
    *("false_positives", "false_negatives"),  # null: the judge is not simulated
    *("refused", "truncated"),  # null: counted among the failed
    *("program_hash", "program_error"),  # null: there was no program; it did not fail
    "packages",  # null: in the run folders alone
    *("judged", *JUDGED_COLUMNS),  # null: nobody judged, or the run says not how much
    *("audit", "exploited_before", "exploited", *AUDIT_COLUMNS),  # null: no audit
]

RUN_COLUMNS = {
    **dict.fromkeys(["env", "method", "label", "vlm", "algorithm"], "str"),
    "seed": "int64",
    **dict.fromkeys(["judge", "config_hash", "sandbox", "commit", "dirty", "machine"], "str"),
    **dict.fromkeys(["command", "folder", "vlm_model", "program_hash", "program_error"], "str"),
    "packages": "str",
    "steps": "int64",
    "finished": "bool",
    **dict.fromkeys(["final_success", "final_episodes", "steps_to_90", "train_seconds"], "float64"),
    **dict.fromkeys(["steps_per_second", "seconds", "vlm_calls", "program_attempts", "resumed"], "float64"),
    **dict.fromkeys(["final_train_success", "train_steps_to_90"], "float64"),
    **dict.fromkeys(["false_positives", "false_negatives"], "float64"),
    **dict.fromkeys(JUDGED_COLUMNS, "float64"),
    "exploited": "str",
    **dict.fromkeys(AUDIT_COLUMNS, "float64"),
}
NUMBER_COLUMNS = {"steps": "int64", **dict.fromkeys([*MEASURES, "train_success_rate"], "float64")}
EVALUATION_COLUMNS = {**{name: RUN_COLUMNS[name] for name in IDENTITY}, **NUMBER_COLUMNS}
LEDGER_COLUMNS = {**{name: RUN_COLUMNS[name] for name in IDENTITY}, **COLUMNS}
FIRST_METHODS = ["vlmcar", "sparse", "direct_vlm", "oracle"]
"""The order of methods in every table and figure; the others follow by name."""


class Problem(NamedTuple):
    """A file that was left out, and why."""

    path: str
    reason: str


class Unreadable(Exception):
    """A file of a run folder that does not say what it should."""

    def __init__(self, path: Path, reason: str):
        super().__init__(reason)
        self.path = path


@dataclass(frozen=True)
class Results:
    """What the report is made of; all frames carry a derived column ``series``, the name of a curve."""

    runs: pd.DataFrame
    evaluations: pd.DataFrame
    ledger: pd.DataFrame
    """What VLMs were asked by finished runs: one row per run, purpose and source."""
    problems: tuple[Problem, ...] = ()
    csv_folder: str = ""
    """Where the frames come from when they were not read from run folders."""


def read_runs(results: Path, only: Collection[Path] | None = None) -> Results:
    """Reads every run folder under `results`/runs, or under `results` itself if it has no such folder.

    Args:
        only: leave out every folder that is not among these; ``None``: read all.
    """
    root = runs_root(results)
    runs: dict[tuple[Any, ...], dict[str, Any]] = {}
    evaluations: list[pd.DataFrame] = []
    ledger: list[dict[str, Any]] = []
    problems = []
    for folder in _run_folders(root):
        if only is not None and folder not in only:
            continue
        try:
            run, rows, spent = _read_run(folder, root)
        except Unreadable as error:
            problems.append(Problem(error.path.relative_to(root).as_posix(), str(error)))
            continue
        key = tuple(run[name] for name in IDENTITY)
        if key in runs:  # one seed counted twice would make an interval look narrower than it is
            problems.append(Problem(run["folder"], f"is the same run as {runs[key]['folder']}"))
            continue
        runs[key] = run
        evaluations.append(rows)
        ledger += spent
    table = _frame(runs.values(), RUN_COLUMNS)
    identities = table.loc[table.index.repeat([len(rows) for rows in evaluations]), IDENTITY]
    numbers = pd.concat([_frame([], NUMBER_COLUMNS), *evaluations], ignore_index=True)
    return _results(
        table, identities.reset_index(drop=True).join(numbers), _frame(ledger, LEDGER_COLUMNS), problems
    )


def runs_root(results: Path) -> Path:
    """Where the ``folder`` of every run begins."""
    return results / "runs" if (results / "runs").is_dir() else results


def write_csv(results: Results, folder: Path) -> None:
    """Writes ``runs.csv``, ``evaluations.csv`` and ``ledger.csv``, from which everything can be redrawn."""
    results.runs[list(RUN_COLUMNS)].to_csv(folder / "runs.csv", index=False)
    results.evaluations[list(EVALUATION_COLUMNS)].to_csv(folder / "evaluations.csv", index=False)
    results.ledger[list(LEDGER_COLUMNS)].to_csv(folder / LEDGER, index=False)


def read_csv(folder: Path) -> Results:
    """Reads what `write_csv` wrote.

    Raises:
        VlmcarError: when one of the files is not such a file, or missing; older reports have no ledger.
    """
    runs = _read_frame(folder / "runs.csv", RUN_COLUMNS)
    evaluations = _read_frame(folder / "evaluations.csv", EVALUATION_COLUMNS)
    path = folder / LEDGER
    ledger = _read_frame(path, LEDGER_COLUMNS) if path.is_file() else _frame([], LEDGER_COLUMNS)
    results = _results(runs, evaluations, ledger, [])
    refuse_cut(results.runs, results.evaluations, IDENTITY, folder / "evaluations.csv")
    return replace(results, csv_folder=folder.as_posix())


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct names: the known methods first, each followed by its variants, then the others by name."""

    def place(name: str) -> tuple[int, str]:
        method = name.split(" ")[0]  # "vlmcar (label) · openai"
        return FIRST_METHODS.index(method) if method in FIRST_METHODS else len(FIRST_METHODS), name

    return sorted(set(names), key=place)


def distinct(values: Iterable[str]) -> list[str]:
    """Distinct stated values, sorted; ``""`` is not a value."""
    return sorted({value for value in values if value})


def mean_success(results: Results) -> dict[tuple[str, str, int], float]:
    """Mean of a run's evaluations after the one before training: how much it succeeded while it learned."""
    later = results.evaluations[results.evaluations["steps"] > 0]
    means = later.groupby(["env", "series", "seed"])["success_rate"].mean()
    return {(str(env), str(series), int(seed)): float(value) for (env, series, seed), value in means.items()}


def _run_folders(root: Path) -> list[Path]:
    """Folders that hold a manifest, or a result that has lost its manifest."""
    return sorted({path.parent for name in ("manifest.json", "result.json") for path in root.rglob(name)})


def _frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict(columns))


def _read_run(folder: Path, root: Path) -> tuple[dict[str, Any], pd.DataFrame, list[dict[str, Any]]]:
    """One row of `runs`, the `evaluations` and the rows of `ledger` of one run folder.

    Raises:
        Unreadable: names the first file that is not as it should be.
    """
    manifest = _read_fields(folder / "manifest.json", MANIFEST_FIELDS)
    run = {
        name: "" if manifest[name] is None and types == OPTIONAL_TEXT else manifest[name]
        for name, types in MANIFEST_FIELDS.items()
    }
    git = manifest["git"]
    del run["git"]
    run |= {
        "commit": git.get("commit") or "",
        "packages": ", ".join(f"{name} {version}" for name, version in (manifest["packages"] or {}).items()),
        "dirty": {True: "yes", False: "no"}.get(git.get("dirty"), ""),
        "folder": folder.relative_to(root).as_posix(),
        "finished": (folder / "result.json").exists(),
        "vlm_model": "",
        "exploited": "",
    }
    spent: list[dict[str, Any]] = []
    if run["finished"]:
        result, spent = _read_result(folder / "result.json", manifest)
        run |= result
    path = folder / "eval.csv"
    evaluations = _read_evaluations(path) if path.exists() else _frame([], NUMBER_COLUMNS)
    if run["finished"] and evaluations.empty:
        raise Unreadable(path, "holds no evaluation although the run is finished")
    if run["finished"] and evaluations["steps"].iloc[-1] < run["steps"]:
        raise Unreadable(path, "has lost its last evaluation although the run is finished")
    identity = {name: run[name] for name in IDENTITY}
    return run, evaluations, [identity | row for row in spent]


def _read_result(path: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The run's numbers, and the rows of its ledger; older runs have none."""
    same = [*IDENTITY, "config_hash"]
    result = _read_fields(path, RESULT_FIELDS | {name: MANIFEST_FIELDS[name] for name in same})
    for name in same:
        if result[name] != manifest[name]:
            raise Unreadable(path, f"{name} is {result[name]!r}, but {manifest[name]!r} in manifest.json")
    for name in ("final_success", "final_train_success"):
        if result[name] is not None and not 0 <= result[name] <= 1:
            raise Unreadable(path, f"{name} is {result[name]}, outside 0 to 1")
    values = {name: result[name] for name in RESULT_FIELDS if name not in _NOT_COLUMNS}
    values |= {name: (result["judged"] or {}).get(name) for name in JUDGED_COLUMNS}
    for name in ("vlm_model", "program_hash"):
        values[name] = values[name] or ""
    try:
        spent = ledger_rows(result.get("vlm_ledger") or {})
        values |= audit_columns(result["audit"], result["exploited_before"])
    except ValueError as error:
        raise Unreadable(path, str(error)) from None
    if spent:  # a judge that is asked frame by frame, too
        values["vlm_calls"] = sum(
            row["calls"] for row in spent if row["purpose"] == "program" or row["source"] != "cached"
        )
    return values | {"resumed": len(result["resumed_at"])}, spent


def _read_fields(path: Path, fields: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """A JSON object with at least `fields`, each of one of its types; null for what an older file lacks."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(path, f"cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise Unreadable(path, "is not a JSON object")
    content = dict.fromkeys(NOT_IN_OLDER_FILES) | content
    for name, types in fields.items():
        if name not in content:
            raise Unreadable(path, f"has no {name!r}")
        if not isinstance(content[name], types) or isinstance(content[name], bool):
            wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
            raise Unreadable(path, f"{name} is {content[name]!r}, expected {wanted}")
    return content


def _read_evaluations(path: Path) -> pd.DataFrame:
    """One ``eval.csv``, in increasing steps. A file that ends inside a line is not trusted at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Unreadable(path, f"cannot be read: {error}") from error
    if text and not text.endswith("\n"):  # "0.97" may be the beginning of "0.9712", or "12" of "128"
        raise Unreadable(path, "ends in the middle of a line")
    header, *lines = list(csv.reader(text.splitlines())) or [[]]
    if missing := [name for name in ["steps", *MEASURES] if name not in header]:
        raise Unreadable(path, f"has no column {', '.join(missing)}")
    names = [name for name in NUMBER_COLUMNS if name in header]
    first, *places = [header.index(name) for name in names]
    rates = [place for place, name in enumerate(names) if name.endswith("success_rate")]
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=2):
        try:
            if len(line) != len(header):
                raise ValueError("more or fewer values than columns")
            row = [int(line[first]), *[float(line[place]) for place in places]]
        except ValueError as error:
            raise Unreadable(path, f"line {number} is not an evaluation: {','.join(line)!r}") from error
        for place in rates:
            if not 0 <= row[place] <= 1:
                raise Unreadable(path, f"line {number}: {names[place]} is {row[place]}, outside 0 to 1")
        if rows and row[0] <= rows[-1][0]:
            raise Unreadable(path, f"line {number}: steps go from {rows[-1][0]} to {row[0]}")
        rows.append(row)
    frame = pd.DataFrame(np.array(rows, dtype=np.float64).reshape(-1, len(names)), columns=names)
    return frame.reindex(columns=list(NUMBER_COLUMNS)).astype(NUMBER_COLUMNS)


def _read_frame(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """A csv with exactly these dtypes; only number columns have missing values, so ``none`` stays a word."""
    numbers = {name: [""] for name, dtype in columns.items() if dtype == "float64"}
    try:
        refuse_half_a_line(path)
        frame = pd.read_csv(
            path, dtype=dict(columns), keep_default_na=False, na_values=numbers, float_precision="round_trip"
        )
        lacking = [name for name in NOT_IN_OLDER_FILES if name in columns and name not in frame]
        nothing = {name: "" if columns[name] == "str" else np.nan for name in lacking}
        return frame.assign(**nothing)[list(columns)].astype(dict(columns))
    except (OSError, ValueError, KeyError) as error:
        raise VlmcarError(
            f"{path} cannot be read ({error}); expected runs.csv and evaluations.csv of an earlier report"
        ) from error


def _results(
    runs: pd.DataFrame, evaluations: pd.DataFrame, ledger: pd.DataFrame, problems: Iterable[Problem]
) -> Results:
    """Adds the column ``series`` to the frames and sorts them by environment, series and seed."""
    several = {name: _methods_with_several(runs, name) for name in ("vlm", "algorithm")}

    def name_of(row: Any) -> str:
        name = f"{row.method} ({row.label})" if row.label else row.method
        parts = [getattr(row, what) for what in several if (row.method, row.label) in several[what]]
        if simulated := _SIMULATED.fullmatch(row.vlm):  # always said, with its rates
            told = "simulated (FP {}, FN {})".format(*simulated.groups())
            parts = [told, *(part for part in parts if part != row.vlm)]
        return " · ".join([name, *parts])

    naming = [name for name in IDENTITY if name not in ("env", "seed")]
    variants = runs.drop_duplicates(naming)  # few, however many rows there are
    names = variants[naming].assign(
        series=pd.Series(map(name_of, variants.itertuples()), variants.index, "str")
    )
    rank = {name: place for place, name in enumerate(in_order(names["series"]))}
    names["_rank"] = names["series"].map(rank)
    frames = [
        frame.merge(names, on=naming)
        .sort_values(["env", "_rank", "seed", *keys], ignore_index=True)
        .drop(columns="_rank")
        for frame, keys in ((runs, []), (evaluations, ["steps"]), (ledger, ["purpose", "source"]))
    ]
    return Results(frames[0], frames[1], frames[2], tuple(problems))


def _methods_with_several(runs: pd.DataFrame, column: str) -> set[tuple[str, str]]:
    """(method, label) pairs that one environment has with several values of `column`.

    Their runs must not be averaged into one curve, so the value becomes part of the name, everywhere.
    """
    counts = runs.groupby(["env", "method", "label"])[column].nunique()
    return {(method, label) for (_, method, label), count in counts.items() if count > 1}
