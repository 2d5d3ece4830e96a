"""``make bench``: training steps per second of VLM-CaR and the sparse reward, interleaved in one process."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from vlmcar.config import Components, build
from vlmcar.obtain import obtain_program
from vlmcar.record.console import Console
from vlmcar.record.manifest import provenance
from vlmcar.reward.vector import RewardVecEnv
from vlmcar.types import Material


class Contestant:
    """One method in training, measured a few thousand steps at a time."""

    def __init__(self, built: Components, console: Console) -> None:
        self.name = built.method.name
        stored = obtain_program(built, console) if built.method.needs == "program" else None
        material = Material(built.vlm, built.sandbox, built.generation.prompts)
        if stored:
            material = replace(material, subtasks=stored.subtasks, program=stored.program)
        self.judge = built.method.judge(material)
        num_envs = built.algorithm.num_envs
        venv = built.env.make_vec(num_envs, range(num_envs), frames=self.judge is not None, auto_reset=True)
        self._step, venv.step_wait = venv.step_wait, self._timed_step
        rewarded = RewardVecEnv(venv, self.judge, built.reward, built.method.env_reward)
        self.model = built.algorithm.model(rewarded, built.seed)
        built.algorithm.defer(self.model, rewarded)
        self.rates: list[float] = []
        self.seconds = 0.0
        self.env_seconds = 0.0

    def run(self, steps: int) -> float:
        """Train on, and return the steps per second."""
        first, started = self.model.num_timesteps, time.perf_counter()
        self.model.learn(steps, reset_num_timesteps=False)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        return float((self.model.num_timesteps - first) / seconds)

    def shares(self) -> dict[str, float]:
        """Where the time went, as fractions: the environment (rendering included), the judge, and the learner."""
        judge = float(getattr(self.judge, "seconds", 0.0)) / self.seconds
        environment = self.env_seconds / self.seconds
        return {"environment": environment, "judge": judge, "learner": 1 - environment - judge}

    def _timed_step(self) -> Any:
        started = time.perf_counter()
        try:
            return self._step()
        finally:
            self.env_seconds += time.perf_counter() - started

    def close(self) -> None:
        if self.judge is not None:
            self.judge.close()


def bench(env: str, rounds: int, steps: int) -> dict[str, Any]:
    """Measure ``vlmcar`` and ``sparse`` in turn; the ratio of each pair is what can be quoted.

    Args:
        env: a choice of the config group ``env``.
        rounds: measured rounds, after one that warms up.
        steps: environment steps per method and round.
    """
    import torch

    torch.set_num_threads(1)
    conf = Path("conf").resolve()
    if not (conf / "config.yaml").is_file():
        raise SystemExit("vlmcar.bench: there is no conf/config.yaml here; run it from the repository's root")
    with initialize_config_dir(str(conf), version_base="1.3"):
        configs = [compose("config", [f"env={env}", f"method={name}"]) for name in ("vlmcar", "sparse")]
    contestants = [Contestant(build(cfg), Console("bench")) for cfg in configs]
    for number in range(rounds + 1):
        for contestant in contestants:
            rate = contestant.run(steps)
            if number > 0:
                contestant.rates.append(rate)
        shown = ", ".join(f"{c.name} {c.rates[-1]:,.0f}" for c in contestants if c.rates)
        print(f"round {number} of {rounds}: {shown or 'warm-up'} steps/s", flush=True)
    judged, unjudged = (contestant.rates for contestant in contestants)
    ratios = [one / other for one, other in zip(judged, unjudged, strict=True)]
    for contestant in contestants:
        contestant.close()
    return {
        "env": env,
        "steps_per_round": steps,
        "steps_per_second": {c.name: _spread(c.rates) for c in contestants},
        "ratio_vlmcar_to_sparse": _spread(ratios),
        "share_of_time": {c.name: c.shares() for c in contestants},
        **provenance(),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--env", nargs="+", default=["minigrid", "procgen"], help="choices of conf/env (default: both suites)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=8192, help="steps per round (default: %(default)s)")
    parser.add_argument("--out", default="results/bench.json", help="default: %(default)s")
    chosen = parser.parse_args()
    results = [bench(env, chosen.rounds, chosen.steps) for env in chosen.env]
    out = Path(chosen.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for result in results:
        print(result["env"])
        for name, spread in {**result["steps_per_second"], "ratio": result["ratio_vlmcar_to_sparse"]}.items():
            print(f"{name:>8}: median {spread['median']:,.2f}  [{spread['min']:,.2f}, {spread['max']:,.2f}]")
        for name, shares in result["share_of_time"].items():
            print(f"{name:>8}: " + ", ".join(f"{what} {share:.0%}" for what, share in shares.items()))
    print(f"written: {out}")


if __name__ == "__main__":
    main()
