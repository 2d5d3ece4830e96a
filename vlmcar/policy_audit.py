"""The audit after training: the policy's own episodes judged anew, the numbers of it and a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vlmcar.config import Components
from vlmcar.types import Frame, Program
from vlmcar.verification.evidence import Episode
from vlmcar.verification.exploited import EXPERTS, MOST_FRAMES, Findings, key_frames
from vlmcar.vlm.conversation import read_png

PICTURE = "audit.png"
_ROWS = 4
"""Episodes in the picture."""
_CELL, _CAPTION, _MARGINS = 1.9, 0.55, 0.9
"""Inches: width of a frame, height of the text above it, title and footer."""


def audit_policy(built: Components, program: Program, model: Any, refinement: int) -> Findings:
    """Let the policy play, and judge its episodes in a fresh worker.

    Args:
        built: the run's components.
        program: what the policy learned from.
        model: the policy.
        refinement: how often the program has been refined: other levels are played each time, where there are others.

    Raises:
        ProgramError: the program had no answer.
    """
    from vlmcar.training.rollout import policy_trajectories

    audit = built.audit
    training = built.env.training_seeds
    # Of a limited set each level once: an interval takes episodes for independent.
    levels = training[: audit.episodes] if training else audit.seeds(refinement)
    played = policy_trajectories(built.env, model, levels, built.algorithm.samples_actions)
    # A bar on terminals only.
    shown = tqdm(played, "audit of the policy", total=len(levels), disable=None, leave=False)
    taught = built.verification.episodes_of("feedback", built.env).experts
    experts = map(built.env.expert, taught[:EXPERTS])
    pay = built.reward, built.method.env_reward
    findings: Findings = audit.look(program, built.sandbox, pay, experts, shown)
    return findings


def draw(findings: Findings, path: Path, title: str, footer: str) -> Frame | None:
    """Draw the episodes in question, a row each: unearned ones first; ``None`` and no file if there are none.

    Args:
        findings: of an audit.
        path: PNG.
        title: what was trained.
        footer: who wrote the program, and which command trained.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    shown = [*findings.unearned[:_ROWS], *findings.missed][:_ROWS]
    if not shown:
        path.unlink(missing_ok=True)
        return None
    columns = max(len(key_frames(episode)) for episode in shown)
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "text.parse_math": False}):
        rows, pixels, _ = shown[0].trajectory.shape
        width = _CELL * max(columns, 3)
        height = (_CELL * rows / pixels + _CAPTION) * len(shown)
        figure = Figure((width, height + _MARGINS), layout="constrained")
        sentence = findings.sentence()
        figure.suptitle("\n".join([title, *textwrap.wrap(sentence, int(12 * width))]), fontsize=9)
        grid = figure.subplots(len(shown), columns, squeeze=False)
        for axes, episode in zip(grid, shown, strict=True):
            _row(axes, findings.program, episode)
        figure.supxlabel("\n".join(textwrap.wrap(footer, int(17 * width))), fontsize=6, color="#555555")
        figure.savefig(path, dpi=150)
    return read_png(path)


def _row(axes: Sequence[Any], program: Program, episode: Episode) -> None:
    """One episode: its key frames, and what was done on them."""
    numbers = key_frames(episode)
    assert len(numbers) <= MOST_FRAMES
    for axis in axes:
        axis.axis("off")
    for axis, number in zip(axes, numbers, strict=False):
        done = [s.name for s, at in zip(program.subtasks, episode.done_at, strict=True) if at == number]
        if number == episode.last:
            done.append("success" if episode.trajectory.success else "END, NO SUCCESS")
        axis.imshow(episode.trajectory.frame(number), interpolation="nearest")
        axis.set_title("\n".join([f"frame {number}", *done]), fontsize=7)
    axes[0].text(
        *(-0.06, 0.5, f"level {episode.trajectory.seed}"),
        transform=axes[0].transAxes, rotation=90, ha="right", va="center", fontsize=7,
    )  # fmt: skip
