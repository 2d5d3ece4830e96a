"""``manifest.json``: what is run, with what, where."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from vlmcar.config import Components, config_hash
from vlmcar.launchers import command
from vlmcar.obtain import StoredSubTasks
from vlmcar.record.folder import CHECKPOINT, MANIFEST, RunFolder
from vlmcar.record.manifest import provenance
from vlmcar.training.state import has_environments
from vlmcar.types import JudgedBy
from vlmcar.verification.store import StoredProgram

EXACTLY = "as if never stopped"
_SAME = ("git", "packages", "python", "machine", "cpu", "torch_threads")
"""Of a session: with others, sums are rounded in another order, or the code is another."""


def judged_what(stored: StoredProgram | StoredSubTasks | None) -> dict[str, Any]:
    """What a judge's answers are about; a checkpoint is worth nothing for others."""
    return {
        "program_hash": stored.program.hash if isinstance(stored, StoredProgram) else None,
        "subtasks": [subtask.name for subtask in stored.subtasks] if stored else None,
    }


def manifest_of(
    built: Components,
    folder: RunFolder,
    settings: Mapping[str, Any],
    stored: StoredProgram | StoredSubTasks | None,
    first: int | None,
    refinements: int,
) -> dict[str, Any]:
    """What is run, with what, where. Timings in ``result.json`` are those of the last session of its training.

    Args:
        built: the run's components.
        folder: the run's; what an earlier session left there is gone on with.
        settings: that its numbers depend on.
        stored: what its judge is made of.
        first: the step that this session begins at, 0 for a new training; ``None``: the training is over.
        refinements: how often its program has been refined.
    """
    before = (folder.read_json(MANIFEST) or {}) if first != 0 else {}
    now = provenance()
    judged_by = built.method.judged_by(built.vlm)
    program = stored if isinstance(stored, StoredProgram) else None
    now |= {"torch_threads": built.training.torch_threads}
    earlier = before.get("sessions", [])
    session = {"first_step": built.training.steps if first is None else first, **now}
    if first:
        session["continues"] = _continues(built, folder, earlier[-1], now)
    sessions = [*earlier, session]
    return {
        "env": built.env.id,
        "method": built.method.name,
        "label": built.label,
        "vlm": judged_by.vlm,
        "vlm_model": _provenance(judged_by, stored),
        "judge": judged_by.judge,
        "false_positives": judged_by.rates[0] if judged_by.rates else None,
        "false_negatives": judged_by.rates[1] if judged_by.rates else None,
        **judged_what(stored),
        "algorithm": built.algorithm.name,
        "seed": built.seed,
        "steps": built.training.steps,
        "config_hash": config_hash(settings),
        "settings": settings,
        "sandbox": built.sandbox.level() if program else None,
        "program_attempts": program.attempts if program else None,
        "program_error": None,
        "refinements": refinements,
        "vlm_calls": stored.vlm_calls if stored else 0,
        "resumed_at": [session["first_step"] for session in sessions[1:]],
        "resumed_exactly": all(session.get("continues", EXACTLY) == EXACTLY for session in sessions[1:]),
        "wandb_id": before.get("wandb_id") or secrets.token_hex(6),
        "command": command(),
        **now,
        "sessions": sessions,
    }


def _continues(
    built: Components, folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]
) -> str:
    """How like a training that was never stopped the one is that goes on from the folder's checkpoint."""
    if not has_environments(folder.path / CHECKPOINT):
        return "with new episodes: its environments could not be saved"
    if getattr(built.method, "max_queries", None) is not None:
        return "with fewer queries left: those after the checkpoint were spent"
    if other := [name for name in _SAME if before.get(name) != now.get(name)]:
        return f"but not to the last digit: {', '.join(other)} changed"
    return EXACTLY


def _provenance(judged_by: JudgedBy, stored: StoredProgram | StoredSubTasks | None) -> str | None:
    """Who answered, in the VLM's own words or those of whoever stood in for it."""
    if stored is None:
        return None
    if judged_by.rates:
        return f"no VLM judged a frame: ground truth with errors; sub-tasks by {stored.vlm_model}"
    return stored.vlm_model
