"""``make verification-power``: which right programs verification accepts, and which wrong ones it rejects.

Ground truth labels a corpus of programs, on levels of its own; verification judges them and never sees the labels.
A killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tqdm import tqdm

from vlmcar.cli import one_line_errors
from vlmcar.config import Components, build
from vlmcar.installation import conf
from vlmcar.power.corpus import TASKS, Entry, corpus
from vlmcar.power.figure import draw
from vlmcar.power.labels import Labelled, agreement, episodes, label
from vlmcar.power.table import COLUMNS, page

PROCESSES = 2
EXPLAINED = Path(__file__).with_name("explained.yaml")
_MUTANTS = 40
"""Of a task that is not in the corpus by default."""
PUBLISHED_RANDOM = 0.1
"""The published rule rejects if more than this share of the random trajectories is complete."""


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m vlmcar.power", description=__doc__)
    parser.add_argument(
        "--env", nargs="+", default=list(TASKS), help="choices of conf/env (default: %(default)s)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="fraction of the mutants (default: all)")
    parser.add_argument(
        "--results", default="results", help="where programs and plans are kept (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results/reference/verification_power"), help="default: %(default)s"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="only write the table of what was measured before"
    )
    chosen = parser.parse_args(arguments)
    file = chosen.out / "programs.csv"
    if not chosen.redraw:
        _measure_all(chosen.env, chosen.share, chosen.results, file)
    rows, command = _read(file), shlex.join(["python", "-m", "vlmcar.power", *arguments])
    text = page(rows, command, explained())
    draw(rows, command, chosen.out)
    (chosen.out / "power.md").write_text(text, encoding="utf-8")
    print(text)


def _measure_all(envs: Sequence[str], share: float, results: str, file: Path) -> None:
    """Append a row to the file for every program that has none there."""
    rows = _read(file)
    done = {(row["task"], row["program_hash"]) for row in rows}
    work = [
        (env, entry.name, results)
        for env in envs
        for entry in _entries(env, results, round(TASKS.get(env, _MUTANTS) * share))
        if (entry.task, entry.program.hash) not in done
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(PROCESSES) as pool, file.open("a", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS)
        if not rows:
            writer.writeheader()
        futures = [pool.submit(_measure, *item) for item in work]
        for future in tqdm(as_completed(futures), "programs", total=len(futures), disable=None):
            writer.writerow(future.result())
            out.flush()


def explained() -> dict[str, str]:
    """Hash of a program -> why verification misjudged it, as somebody found out."""
    content = OmegaConf.to_container(OmegaConf.load(EXPLAINED))
    return {str(key): str(text) for key, text in content.items()} if isinstance(content, dict) else {}


def _read(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


@cache
def _built(env: str, results: str) -> Components:
    with initialize_config_dir(str(conf()), version_base="1.3"):
        return build(compose("config", [f"env={env}", f"results={results}", "method=vlmcar"]))


@cache
def _entries(env: str, results: str, count: int) -> list[Entry]:
    return corpus(_built(env, results), count)


@cache
def _labelled(env: str, results: str) -> list[Labelled]:
    return episodes(_built(env, results).env)


def _measure(env: str, name: str, results: str) -> dict[str, Any]:
    """One row: what ground truth says of a program, and what verification does."""
    built = _built(env, results)
    entry = next(e for e in _entries(env, results, TASKS.get(env, _MUTANTS)) if e.name == name)
    agreed = agreement(entry.program, entry.truths, built.sandbox, _labelled(env, results))
    verdict = built.verification.verify(
        entry.program, built.env, built.sandbox, built.reward, built.method.env_reward
    )
    shown = [row for row in verdict.checks if row.trajectories.startswith("feedback")]
    measured = {row.name: row.measured for row in shown}
    published = measured.get("expert_completes", 0.0) >= 1.0 and (
        measured.get("random_completes", 0.0) <= PUBLISHED_RANDOM
    )
    return {
        "task": entry.task,
        "name": entry.name,
        "origin": entry.origin,
        "operator": entry.operator,
        "program_hash": entry.program.hash,
        "agreement": f"{agreed:.4f}",
        "label": label(agreed),
        "accepted": int(verdict.accepted),
        "published": int(published),
        "failed": " ".join(sorted({row.name for row in verdict.checks if not row.passed})),
        "held_out": int(any(row.trajectories.startswith("held_out") for row in verdict.checks)),
    }


if __name__ == "__main__":
    with one_line_errors():
        main()
