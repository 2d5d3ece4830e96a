"""``python -m vlmcar.bench_judges``: what judging 1,000 frames takes that were not seen before, by kind of judge."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from tqdm import tqdm

from vlmcar.config import Components, build
from vlmcar.installation import conf
from vlmcar.measure import read_truths
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.record.manifest import provenance
from vlmcar.types import Frame, Frames, Material, Truth, TruthJudge
from vlmcar.verification.store import StoredProgram
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger, Usage

_FIRST_SEED = 60_000
_BATCH = 16  # frames at a time, as training steps its environments
_TINY = ("method=direct_vlm", "vlm=transformers", "vlm.min_answer_mass=0", "vlm.cache=false")


@dataclass(frozen=True)
class Sample:
    """Distinct frames, their episodes' first frames, and ground truth for the simulated judge."""

    initial: Frames
    frames: Frames
    truth: Truth

    def batches(self, most: int) -> Iterator[Sample]:
        """In batches as training has them, up to ``most`` frames."""
        for first in range(0, min(most, len(self.frames)), _BATCH):
            part = slice(first, min(first + _BATCH, most))
            truth = {name: so[part] for name, so in self.truth.items()}
            yield Sample(self.initial[part], self.frames[part], truth)


class Contestant:
    """One kind of judge, asked from nothing in each round.

    Args:
        name: for the table.
        built: a config whose method has this judge.
        stored: whose sub-tasks all are asked about.
        frames: per round; a slow judge gets fewer, and its figures are scaled to 1,000.
    """

    def __init__(self, name: str, built: Components, stored: StoredProgram, frames: int) -> None:
        self.name = name
        self.built = built
        self.stored = stored
        self.frames = frames
        self.seconds: list[float] = []
        self.usage = Usage()

    def round(self, sample: Sample, counts: bool) -> None:
        """Judge the sample once; ``counts``: not the first time, which loads what has to be loaded."""
        ledger = Ledger()
        vlm = CountedVLM(self.built.vlm, Path(self.built.results), Ledger())
        material = Material(
            vlm=vlm,
            sandbox=self.built.sandbox,
            prompts=self.built.generation.prompts,
            subtasks=self.stored.subtasks,
            program=self.stored.program,
            truths=read_truths(self.built.env.id),
            ledger=ledger,
        )
        judge = self.built.method.judge(material)
        assert judge is not None
        batches = list(sample.batches(self.frames))
        if not isinstance(judge, TruthJudge):  # its worker starts with the first call, once per run
            judge.progress(sample.frames[-1:], sample.frames[-1:])
        vlm.ledger = ledger
        started = time.perf_counter()
        for batch in batches:
            if isinstance(judge, TruthJudge):
                judge.progress_given(batch.initial, batch.frames, batch.truth)
            else:
                judge.progress(batch.initial, batch.frames)
        seconds = time.perf_counter() - started
        judge.close()
        if counts:
            self.seconds.append(seconds * 1000 / self.frames)
            source = "projected" if isinstance(judge, TruthJudge) else "asked"
            self.usage = ledger.usage("decisions", source)

    def row(self) -> dict[str, Any]:
        """Per 1,000 frames: seconds measured over rounds, and calls, tokens and US dollars of one."""
        scale = 1000 / self.frames

        def scaled(value: float | None) -> float | None:
            return None if value is None else value * scale

        projected = self.built.method.judged_by(self.built.vlm).rates is not None
        return {
            "judge": self.name,
            "frames_per_round": self.frames,
            "seconds": statistics.median(self.seconds),
            "seconds_min": min(self.seconds),
            "seconds_max": max(self.seconds),
            "calls": scaled(self.usage.calls),
            "input_tokens": scaled(self.usage.input_tokens),
            "cost": scaled(self.usage.cost),
            "projected_seconds": scaled(self.usage.seconds) if projected else None,
        }


def sample_of(built: Components, number: int) -> Sample:
    """Distinct (first frame, frame) pairs of random play, on levels that nothing else uses."""
    initial: list[Frame] = []
    frames: list[Frame] = []
    truths: list[dict[str, bool]] = []
    seen: set[tuple[int, bytes]] = set()
    seed = _FIRST_SEED
    with tqdm(total=number, desc="frames", disable=None) as bar:
        while len(frames) < number:
            played = built.env.random(seed, built.verification.random_steps)
            truth = built.env.truth(played)  # for the simulated judge, and for nobody else
            for step, frame in enumerate(played.frames):
                key = (seed, frame.tobytes())
                if key not in seen and len(frames) < number:
                    seen.add(key)
                    initial.append(played.frames[0])
                    frames.append(frame)
                    truths.append({name: bool(so[step]) for name, so in truth.items()})
            seed += 1
            bar.update(len(frames) - bar.n)
    columns = {name: np.array([row[name] for row in truths]) for name in truths[0]}
    return Sample(np.stack(initial), np.stack(frames), columns)


def bench(env: str, model: str, rounds: int, vlm_frames: int) -> dict[str, Any]:
    """Measure all judges in turn, ``rounds`` times after one that warms up.

    Args:
        env: a choice of the config group ``env``.
        model: ``vlm.model`` of the local VLM.
        rounds: measured rounds.
        vlm_frames: frames per round for the local VLM; the others get 1,000.
    """
    import torch

    torch.set_num_threads(1)

    def built(*overrides: str) -> Components:
        return build(compose("config", [f"env={env}", *overrides]))

    with initialize_config_dir(str(conf()), version_base="1.3"):
        stored = obtain_program(built(), Console("bench"))
        tiny = [*_TINY, f"vlm.model={model}"]
        contestants = [
            Contestant("program in its sandbox", built("method=vlmcar"), stored, 1000),
            Contestant("simulated judge", built("method=direct_vlm"), stored, 1000),
            Contestant("local VLM, batches of 1", built(*tiny, "vlm.batch_size=1"), stored, vlm_frames),
            Contestant("local VLM, batches of 16", built(*tiny, "vlm.batch_size=16"), stored, vlm_frames),
        ]
    sample = sample_of(contestants[0].built, 1000)
    for number in tqdm(range(rounds + 1), "rounds", disable=None):
        for contestant in contestants:
            contestant.round(sample, counts=number > 0)
    return {
        "env": env,
        "model": model,
        "rounds": rounds,
        "judges": [contestant.row() for contestant in contestants],
        **provenance(),
    }


def _text(result: dict[str, Any]) -> str:
    """A markdown table."""
    lines = ["| judge | seconds per 1,000 frames | calls | tokens in | US dollars |", "|---|---|---|---|---|"]

    def cell(value: float | None, form: str = ",.0f") -> str:
        return "–" if value is None else format(value, form)

    for row in result["judges"]:
        measured = f"{row['seconds']:,.2f} [{row['seconds_min']:,.2f}, {row['seconds_max']:,.2f}]"
        if row["projected_seconds"] is not None:
            measured += f"; projected {row['projected_seconds']:,.0f}"
        calls = cell(row["calls"]) if row["calls"] else "none"
        if row["projected_seconds"] is not None:
            calls += ", projected"
        tokens = cell(row["input_tokens"]) if row["calls"] else "none"
        lines.append(f"| {row['judge']} | {measured} | {calls} | {tokens} | {cell(row['cost'], ',.2f')} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="minigrid", help="a choice of conf/env (default: %(default)s)")
    parser.add_argument(
        "--model", help="vlm.model of the local VLM (default: a tiny one with random weights)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds (default: %(default)s)")
    parser.add_argument("--vlm-frames", type=int, default=64, help="per round (default: %(default)s)")
    parser.add_argument("--out", default="results/bench_judges.json", help="default: %(default)s")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = chosen.model
        if model is None:
            from vlmcar.vlm.tiny import save_tiny_vlm

            model = str(save_tiny_vlm(Path(folder) / "tiny"))
        result = bench(chosen.env, model, chosen.rounds, chosen.vlm_frames)
    if chosen.model is None:
        result["model"] = "a tiny LLaVA with random weights (vlmcar.vlm.tiny)"
    out = Path(chosen.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['env']}, local VLM: {result['model']}\n{_text(result)}\nwritten: {out}")


if __name__ == "__main__":
    main()
