"""What a program's page tells: how it came about, what was asked of it, and episodes that it judged. Files only."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vlmcar.report.results import Problem

MOST_POLICIES = 3
"""Trained policies shown per program: those of the first seeds."""
_KINDS = ("expert", "random", "policy")


@dataclass(frozen=True)
class Shown:
    """One episode, frame by frame."""

    title: str
    facts: Mapping[str, Any]
    """As ``vlmcar.record.episodes`` writes them."""
    sheet: str
    """The frames as one picture: a data URI."""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    text: str
    images: tuple[str, ...]
    """Data URIs."""


@dataclass(frozen=True)
class Story:
    """One program of one task."""

    env: str
    program_hash: str
    vlm: str
    vlm_model: str
    attempts: int
    accepted: bool
    subtasks: tuple[Mapping[str, str], ...]
    checks: tuple[Mapping[str, Any], ...]
    source: str
    turns: tuple[Turn, ...]
    episodes: tuple[Shown, ...]
    runs: tuple[str, ...]
    """Folders of the runs that learned from it."""

    @property
    def file(self) -> str:
        """Name of its page."""
        return f"program_{self.env}_{self.program_hash}.html"


def read_stories(runs: pd.DataFrame, root: Path) -> tuple[list[Story], list[Problem]]:
    """One story per environment and program; a program whose files cannot be read is named and left out.

    Args:
        runs: of `Results`.
        root: where the runs' ``folder`` begins.
    """
    stories, problems = [], []
    programs = runs[runs["program_hash"] != ""]
    for (env, program), group in programs.groupby(["env", "program_hash"], sort=False):
        group = group.sort_values(["finished", "seed"], ascending=[False, True])
        try:
            stories.append(_story(str(env), str(program), group, root))
        except (OSError, ValueError, KeyError, TypeError) as error:
            folder = group.iloc[0]["folder"]
            problems.append(Problem(str(folder), f"its program's page cannot be made: {error!r}"))
    return stories, problems


def read_episode(folder: Path, kind: str, title: str) -> Shown | None:
    """An episode of a run; ``None``: the run has none of this kind, as older ones.

    Raises:
        ValueError, KeyError: the files are not what a run writes.
    """
    place = folder / "episodes"
    if not (place / f"{kind}.json").is_file():
        return None
    facts = json.loads((place / f"{kind}.json").read_text(encoding="utf-8"))
    count = len(facts["frames"])
    series = [
        facts["env_return"],
        *(facts[name] for name in ("return", "progress") if facts[name] is not None),
    ]
    if not count or any(len(values) != count for values in series):
        raise ValueError(f"{place / kind}.json has not as many values as frames")
    return Shown(title, facts, png_uri(place / f"{kind}.png"))


def png_uri(path: Path) -> str:
    """A picture inside a page.

    Raises:
        OSError, ValueError: there is none.
    """
    data = path.read_bytes()
    if not data.startswith(b"\x89PNG"):
        raise ValueError(f"{path.name} is no PNG")
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _story(env: str, program: str, group: pd.DataFrame, root: Path) -> Story:
    folders = [root / str(name) for name in group["folder"]]
    folder, first = folders[0], group.iloc[0]
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    return Story(
        env=env,
        program_hash=program,
        vlm=str(first["vlm"]),
        vlm_model=str(verdict["vlm_model"]),
        attempts=int(verdict["attempts"]),
        accepted=bool(verdict["accepted"]),
        subtasks=tuple(verdict["subtasks"]),
        checks=tuple(verdict["checks"]),
        source=(folder / "program.py").read_text(encoding="utf-8"),
        turns=tuple(_turns(folder)),
        episodes=tuple(_episodes(group, folders)),
        runs=tuple(str(name) for name in group["folder"]),
    )


def _turns(folder: Path) -> list[Turn]:
    lines = (folder / "conversation.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    return [
        Turn(
            row["role"],
            row["text"],
            tuple(png_uri(folder / "images" / name) for name in row.get("images", ())),
        )
        for row in rows
    ]


def _episodes(group: pd.DataFrame, folders: Sequence[Path]) -> list[Shown]:
    """An expert's and a random one, and those of a few policies."""
    found = []
    for kind in _KINDS:
        for run, folder in zip(group.itertuples(), folders, strict=True):
            name = f"{run.series}, seed {run.seed}" if kind == "policy" else kind
            shown = read_episode(folder, kind, f"trained policy: {name}" if kind == "policy" else name)
            if shown is not None:
                found.append(shown)
            if len([one for one in found if one.facts["kind"] == kind]) >= (
                MOST_POLICIES if kind == "policy" else 1
            ):
                break
    return found
