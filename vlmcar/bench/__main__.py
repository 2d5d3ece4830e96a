"""``python -m vlmcar.bench``: what training, judging and drawing take, as ratios within one run."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmcar.bench.around import reporting, starting, verification
from vlmcar.bench.growth import environments, subtasks
from vlmcar.bench.rendering import rendering
from vlmcar.bench.sweeping import sweeping
from vlmcar.bench.training import METHODS, compare, peak_memory
from vlmcar.cli import one_line_errors
from vlmcar.record.manifest import provenance
from vlmcar.report.tables import markdown

PARTS = ("training", "rendering", "growth", "start", "verification", "report", "sweep")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vlmcar.bench", description=__doc__)
    parser.add_argument(
        "--env", nargs="+", default=["minigrid", "procgen"], help="choices of conf/env (default: both suites)"
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(METHODS),
        help="the one to compare with first; overrides in the same word, after spaces (default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        help="vlm.model that direct_vlm asks (default: a tiny one with random weights, made for this)",
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=8192, help="steps per round (default: %(default)s)")
    parser.add_argument(
        "--out", default="results/bench.json", help="default: %(default)s; a table lies beside it"
    )
    chosen = parser.parse_args()
    minigrid = [env for env in chosen.env if env.startswith("minigrid")]
    result: dict[str, Any] = {**provenance(), "rounds": chosen.rounds}
    few = max(1, chosen.rounds // 2)
    if "training" in chosen.parts:
        with tempfile.TemporaryDirectory() as folder:
            model = chosen.model or _tiny(chosen.methods, Path(folder))
            result["training"] = [
                compare(env, chosen.rounds, chosen.steps, chosen.methods, model) for env in chosen.env
            ]
        result["local_vlm"] = chosen.model or "a tiny LLaVA with random weights (vlmcar.vlm.tiny)"
    if "rendering" in chosen.parts:
        result["rendering"] = [rendering(env, chosen.rounds) for env in minigrid]
    if "growth" in chosen.parts and minigrid:
        result["growth"] = {
            "env": minigrid[0],
            "environments": environments(minigrid[0], few, chosen.steps),
            "subtasks": subtasks(minigrid[0], few, chosen.steps),
        }
    if "start" in chosen.parts:
        result["start"] = starting(chosen.env[0], few)
    if "verification" in chosen.parts:
        result["verification"] = [verification(env, few) for env in chosen.env]
    if "report" in chosen.parts:
        result["report"] = reporting(few)
    if "sweep" in chosen.parts and minigrid:
        result["sweep"] = sweeping(minigrid[0], ("sparse", "vlmcar"), few, 10 * chosen.steps)
    result["peak_memory_mb"] = peak_memory()
    out = Path(chosen.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = table(result)
    out.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(f"{text}\n\nwritten: {out} and {out.with_suffix('.md')}")


def _tiny(methods: Sequence[str], folder: Path) -> str | None:
    """A VLM to ask, where one is."""
    if not any(name.startswith("direct_vlm") for name in methods):
        return None
    from vlmcar.vlm.tiny import save_tiny_vlm

    return str(save_tiny_vlm(folder / "tiny"))


def table(result: Mapping[str, Any]) -> str:
    """What was measured, as markdown: medians over rounds, and in brackets the least and the most."""
    commit = result["git"]["commit"] or "unknown"
    blocks = [
        f"{result['machine']}; Python {result['python']}; commit {commit[:10]}. Median of {result['rounds']} rounds "
        "[least, most]; ratios are of rounds next to each other. Memory, all of it in one process: at most "
        f"{result['peak_memory_mb']['trainer']:,.0f} MB."
    ]
    for one in result.get("training", []):
        blocks += _training(one)
    if drawn := result.get("rendering"):
        blocks += ["**Drawing**, frames per second, 16 environments at a time", _rendering(drawn)]
    if growth := result.get("growth"):
        blocks += _growth(growth)
    blocks += _around(result)
    return "\n\n".join(blocks)


def _training(one: Mapping[str, Any]) -> list[str]:
    methods = one["methods"]
    first = next(iter(methods))
    parts = list(methods[first]["share_of_time"])
    rows = [
        [
            name,
            _spread(measured["steps_per_second"]),
            _spread(measured[f"of_{first}"], 2),
            *(f"{measured['share_of_time'][part]:.0%}" for part in parts),
        ]
        for name, measured in methods.items()
    ]
    blocks = [
        f"**Training**, {one['env']}, {one['steps_per_round']:,} steps per round",
        markdown(["method", "steps per second", f"of {first}", *parts], rows),
    ]
    for name, measured in methods.items():
        if judged := measured["judged"]:
            blocks.append(
                f"{name}: per frame of training, judging took the trainer {judged['trainer_us_per_frame']:.0f} µs, "
                f"and the worker, beside it, {judged['worker_us_per_frame']:.0f} µs; "
                f"{judged['frames_judged_share']:.0%} of the frames were new, at "
                f"{judged['worker_us_per_judged_frame']:.0f} µs."
            )
    return blocks


def _rendering(drawn: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in drawn:
        rates = [_spread(one["frames_per_second"][name]) for name in ("ours", "get_frame")]
        rows.append([one["env"], str(one["tile_size"]), *rates, _spread(one["ratio"], 1)])
    return markdown(["environment", "tile", "ours", "get_frame", "ratio"], rows)


def _growth(growth: Mapping[str, Any]) -> list[str]:
    more_envs = [
        [str(row["num_envs"]), _spread(row["sparse"]), _spread(row["vlmcar"]), _spread(row["ratio"], 2)]
        for row in growth["environments"]
    ]
    more_subtasks = [[str(row["subtasks"]), _spread(row["vlmcar"])] for row in growth["subtasks"]]
    return [
        f"**More environments** side by side, {growth['env']}, steps per second",
        markdown(["environments", "sparse", "vlmcar", "ratio"], more_envs),
        f"**More sub-tasks**, {growth['env']}, steps per second",
        markdown(["sub-tasks", "vlmcar"], more_subtasks),
    ]


def _around(result: Mapping[str, Any]) -> list[str]:
    rows = []
    if start := result.get("start"):
        rows += [
            ["`--help`", _spread(start["help"], 1)],
            ["a config error", _spread(start["config_error"], 1)],
            [
                f"{start['env']}: until 2,048 steps are trained and on disk",
                _spread(start["first_training"], 1),
            ],
        ]
    for one in result.get("verification", []):
        again = _spread(one["again"], 1)
        rows.append([f"{one['env']}: verifying the program", f"{again}; the first time {one['first']:.1f}"])
    if report := result.get("report"):
        taken = f"{_spread(report['seconds'], 1)}; {report['memory_mb']:,.0f} MB"
        rows.append([f"the report on {report['runs']} runs, from csv", taken])
    blocks = ["**Around training**", markdown(["what", "seconds"], rows)] if rows else []
    return blocks + (_sweep(result["sweep"]) if result.get("sweep") else [])


def _sweep(one: Mapping[str, Any]) -> list[str]:
    columns = ("one_core", "all_cores")
    rows = [
        [name, *(_spread(measured[column]) for column in columns), _spread(measured["ratio"], 2)]
        for name, measured in one["methods"].items()
    ]
    return [
        f"**A sweep** of {2 * one['cores']} runs of {one['env']}, {one['steps']:,} steps each; a run's process had at "
        f"most {one['memory_mb']['run']:,.0f} MB, a sandbox worker {one['memory_mb']['worker']:,.0f} MB",
        markdown(["method", "seconds on one core", f"on {one['cores']}", "times faster"], rows),
    ]


def _spread(values: Mapping[str, float], digits: int = 0) -> str:
    return f"{values['median']:,.{digits}f} [{values['min']:,.{digits}f}, {values['max']:,.{digits}f}]"


if __name__ == "__main__":
    with one_line_errors():
        main()
