"""``make bench``: what the sandbox costs beside the same program in-process, its cold start, and its recovery.

The program masks a colour in HSV and looks at contours, as the programs of the recordings do. Rounds alternate
between both places, and the ratio is taken within each round: what else the machine does touches both alike.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf

from vlmcar.installation import conf
from vlmcar.program.errors import ProgramTimedOut
from vlmcar.program.sandbox import Sandbox
from vlmcar.record.manifest import provenance
from vlmcar.types import Frames, Program, SubTask

BATCH = 16
SIZES = (64, 128, 256)
SOURCE = '''"""A green disc on a dark floor with other things."""
import cv2
import numpy as np

LOW, HIGH = np.array([40, 80, 80]), np.array([85, 255, 255])


def mask(image):
    green = cv2.inRange(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), LOW, HIGH)
    return cv2.morphologyEx(green, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


def reach_the_disc(initial, frame):
    contours, _ = cv2.findContours(mask(frame), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    before, _ = cv2.findContours(mask(initial), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours or not before:
        return False
    return cv2.contourArea(max(contours, key=cv2.contourArea)) < cv2.contourArea(max(before, key=cv2.contourArea))
'''
HSV = Program((SubTask("reach_the_disc", "The disc gets smaller."),), SOURCE)
LOOPS = Program(
    (SubTask("wait", "Loops on white frames."),),
    '"""Loops."""\n\n\ndef wait(initial, frame):\n    while frame[0, 0, 0] == 255:\n        pass\n    return True\n',
)


def scenes(count: int, size: int) -> Frames:
    """uint8 (count, size, size, 3): noise, lines and discs, one of them green."""
    rng = np.random.default_rng(size)
    frames = rng.integers(0, 60, (count, size, size, 3), dtype=np.uint8)
    for frame in frames:
        for colour in ((230, 30, 30), (30, 30, 230), (30, 220, 30)):
            x, y = (int(v) for v in rng.integers(size // 8, size - size // 8, 2))
            cv2.circle(frame, (x, y), int(rng.integers(size // 12, size // 6)), colour, -1)
        cv2.line(frame, (0, 0), (size - 1, int(rng.integers(size))), (240, 240, 240), 2)
    return frames


def spread(values: list[float]) -> dict[str, float]:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {"median": float(middle), "low": float(low), "high": float(high)}


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def overhead(sandbox: Sandbox, size: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per batch of `BATCH` frames in both places, and their ratio."""
    initial, frames = scenes(2 * BATCH, size)[:BATCH], scenes(2 * BATCH, size)[BATCH:]
    namespace: dict[str, Any] = {}
    exec(SOURCE, namespace)  # this file's own program
    function = namespace["reach_the_disc"]
    worker = sandbox.start(HSV, (size, size, 3))
    try:
        here = [[function(*pair)] for pair in zip(initial, frames, strict=True)]
        assert np.array_equal(worker.run(initial, frames), np.array(here, np.float32))
        times: dict[str, list[float]] = {"in_process": [], "sandbox": []}
        for _ in range(rounds):
            times["in_process"].append(
                timed(lambda: [function(*pair) for pair in zip(initial, frames, strict=True)])
            )
            times["sandbox"].append(timed(lambda: worker.run(initial, frames)))
    finally:
        worker.close()
    ratios = [one / other for one, other in zip(times["sandbox"], times["in_process"], strict=True)]
    milliseconds = {name: spread([1000 * value for value in values]) for name, values in times.items()}
    return {"pixels": size, "batch": BATCH, "milliseconds": milliseconds, "ratio": spread(ratios)}


def cold_start(sandbox: Sandbox, rounds: int) -> dict[str, float]:
    """Milliseconds from nothing to a loaded program."""
    milliseconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        worker = sandbox.start(HSV, (64, 64, 3))
        milliseconds.append(1000 * (time.perf_counter() - started))
        worker.close()
    return spread(milliseconds)


def recovery(sandbox: Sandbox, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of an endless loop beyond its deadline until it is dead, and from there to the next good answer.

    The next answer comes from a spare, as a judge keeps one.
    """
    shape = (64, 64, 3)
    dark, white = np.zeros((1, *shape), np.uint8), np.full((1, *shape), 255, np.uint8)
    times: dict[str, list[float]] = {"killed_after_deadline": [], "next_good_answer": []}
    for _ in range(rounds):
        worker, spare = sandbox.start(LOOPS, shape), sandbox.spawn(shape)
        spare.ready(sandbox.startup_seconds)
        started = time.perf_counter()
        try:
            worker.run(white, white)
        except ProgramTimedOut:
            killed = time.perf_counter()
        worker = sandbox.start(LOOPS, shape, spare)
        assert worker.run(dark, dark).all()
        times["next_good_answer"].append(1000 * (time.perf_counter() - killed))
        times["killed_after_deadline"].append(1000 * (killed - started - 1.0 - sandbox.frame_seconds))
        worker.close()
    return {name: spread(values) for name, values in times.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="per size (default: %(default)s)")
    parser.add_argument(
        "--starts", type=int, default=10, help="cold starts and endless loops (default: %(default)s)"
    )
    parser.add_argument("--frame-seconds", type=float, help="instead of conf/sandbox/default.yaml's")
    parser.add_argument("--out", default="results/bench_sandbox.json", help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    sandbox = instantiate(OmegaConf.load(conf() / "sandbox/default.yaml"))
    if chosen.frame_seconds:
        sandbox = replace(sandbox, frame_seconds=chosen.frame_seconds)
    cv2.setNumThreads(1)
    result = {
        "sandbox": sandbox.level(),
        "overhead": [overhead(sandbox, size, chosen.rounds) for size in SIZES],
        "cold_start_milliseconds": cold_start(sandbox, chosen.starts),
        "endless_loop_milliseconds": recovery(sandbox, chosen.starts),
        **provenance(),
    }
    Path(chosen.out).parent.mkdir(parents=True, exist_ok=True)
    Path(chosen.out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"sandbox level: {result['sandbox']}; median [quartiles]")
    for row in result["overhead"]:
        here, there = row["milliseconds"]["in_process"], row["milliseconds"]["sandbox"]
        print(
            f"{row['pixels']:>4} px, {BATCH} frames: in-process {shown(here)} ms, sandbox {shown(there)} ms, "
            f"ratio {shown(row['ratio'])}"
        )
    print(f"cold start to a loaded program: {shown(result['cold_start_milliseconds'])} ms")
    loop = result["endless_loop_milliseconds"]
    print(f"endless loop: killed {shown(loop['killed_after_deadline'])} ms after its deadline,")
    print(f"              next good answer {shown(loop['next_good_answer'])} ms after that")
    print(f"written: {chosen.out}")


def shown(values: dict[str, float]) -> str:
    return f"{values['median']:.2f} [{values['low']:.2f}, {values['high']:.2f}]"


if __name__ == "__main__":
    main()
