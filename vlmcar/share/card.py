"""``README.md`` of a shared program: what it does, what was measured, who wrote it, how it is used."""

from __future__ import annotations

from vlmcar.types import Check
from vlmcar.verification.store import StoredProgram

_HEAD = """---
library_name: vlmcar
tags:
- reinforcement-learning
- code-as-reward
- vlmcar
---
"""


def card(stored: StoredProgram, task: str, shape: tuple[int, int, int]) -> str:
    """Markdown, with the lines before it that a model page of the Hugging Face Hub reads.

    Args:
        stored: an accepted program.
        task: what it is called.
        shape: (height, width, 3) of the frames that it judges.
    """
    height, width, _ = shape
    who = _plain(stored.vlm_model)
    subtasks = "\n".join(
        f"{n}. `{s.name}`: {_plain(s.description)}" for n, s in enumerate(stored.subtasks, 1)
    )
    rows = "\n".join(_row(check) for check in stored.verdict.checks)
    return f"""{_HEAD}
# A reward program for {task}

`program.py` was written from an initial and a goal image (`initial.png`, `goal.png`), with
[VLM-CaR](https://arxiv.org/abs/2402.04764) as `vlmcar` does it: one Python function per sub-task, two pictures in,
"done?" out. Who wrote it: {who}.

## Sub-tasks

{subtasks}

**Frames:** uint8 ({height}, {width}, 3) RGB, 0-255: the first one of the episode, and the one that is judged. Others
are answered wrongly or not at all.

## What was measured

By whoever shared it, on their machine. **To you this is a claim**: verify the program on your own task before you
train on it.

| check | sub-task | trajectories | count | measured | asked | passed |
|---|---|---|---|---|---|---|
{rows}

## Who wrote it

{who}. That is how they call themselves, or are called by whoever asked them. Programs that were verified until this
one was accepted: {stored.attempts}. Answers in all: {stored.vlm_calls}. `conversation.jsonl` and `images/` hold every
turn.

## How to use it

    python -m vlmcar.share pull FROM

checks the files and runs nothing; FROM is this folder, or `hf://owner/name`. Where your task shows the same images and
prompts, the suite replays the conversation, verifies the program anew and trains on it:

    vlmcar env=YOURS vlm=offline vlm.recordings=FOLDER

Elsewhere, `program.py` is verified on episodes of your own: see `vlmcar.verify`. It runs in vlmcar's sandbox only.
"""


def _row(check: Check) -> str:
    cells = [check.name, check.subtask or "", check.trajectories, str(check.count), f"{check.measured:.4g}"]
    cells += [check.threshold, "yes" if check.passed else "no"]
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """In one line, and nothing that markdown or HTML would read as its own."""
    line = " ".join(text.split())
    for sign in "\\`*_[]<>|":
        line = line.replace(sign, f"\\{sign}")
    return line
