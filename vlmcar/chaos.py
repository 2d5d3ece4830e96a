"""``python -m vlmcar.chaos``: a sweep whose processes are killed at random must give what an undisturbed one gives.

Sandbox workers, runs, what waits for them and the sweep itself are killed with SIGKILL, without warning. The same
command is given again whenever the sweep has ended, until every run is complete. Then every csv file is compared, byte
for byte, with that of the same sweep left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from vlmcar.cli import environment, one_line_errors
from vlmcar.record.folder import EVAL, RESULT, TRAIN, RunFolder
from vlmcar.record.manifest import provenance
from vlmcar.record.processes import below
from vlmcar.report.tables import markdown
from vlmcar.types import VlmcarError

SETTINGS = (
    "env=minigrid/doorkey_5x5", "logger=none", "training.checkpoint_every=4096", "training.eval_every=20000",
    "training.eval_episodes=5", "training.final_eval_episodes=5", "audit.episodes=2",
)  # fmt: skip
KINDS = {"worker": 5, "run": 4, "job": 1, "sweep": 2}
"""What is killed, and how often beside the others: a program's sandbox, a training, the launcher's process that waits
for it, the command itself."""
_MARKS = {
    "worker": "-m worker ",
    "run": "-m vlmcar.sweep.process",
    "job": "joblib.externals.loky.backend.popen",
}
_NUMBERS = ("final_success", "final_episodes", "steps_to_90", "program_hash")
_TRIES = 10


class Disturbed:
    """A sweep that is begun again until it is through, and in the meantime killed in parts.

    Args:
        arguments: of ``run.py``.
        log: where its output goes.
        seed: of what is killed when.
        pause: seconds between two kills, on average.
    """

    def __init__(self, arguments: Sequence[str], log: Path, seed: int, pause: float) -> None:
        self.arguments = arguments
        self.log = log
        self.killed: Counter[str] = Counter()
        self.begun = 0
        self._random = random.Random(seed)
        self._pause = pause

    def run(self, kills: int, deadline: float) -> None:
        """Go on until every run is complete.

        Args:
            kills: that make enough; then it is left alone.
            deadline: of ``time.monotonic``; then it is left alone, too.

        Raises:
            VlmcarError: it was left alone and did not get through.
        """
        alone = 0
        with tqdm(total=kills, desc="kills", disable=None) as bar:
            while True:
                process = self._begin()
                enough = self._disturb(process, kills, deadline, bar)
                if process.wait() == 0:
                    return
                alone += enough
                if alone > _TRIES:
                    raise VlmcarError(
                        f"left alone, the sweep did not get through in {_TRIES} tries: see {self.log}"
                    )

    def _begin(self) -> subprocess.Popen[bytes]:
        self.begun += 1
        with self.log.open("ab") as log:
            log.write(f"\n--- begun for time {self.begun}\n".encode())
            log.flush()
            command = [sys.executable, "run.py", *self.arguments]
            return subprocess.Popen(command, env=environment(), stdout=log, stderr=log)

    def _disturb(self, process: subprocess.Popen[bytes], kills: int, deadline: float, bar: tqdm) -> bool:
        """Kill parts of it until it ends; whether enough were killed before it began."""
        enough = self.killed.total() >= kills or time.monotonic() > deadline
        while process.poll() is None:
            if self.killed.total() >= kills or time.monotonic() > deadline:
                process.wait()
                break
            time.sleep(self._random.uniform(0, 2 * self._pause))
            kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
            if self._kill(kind, process):
                self.killed[kind] += 1
                bar.update(1)
        return enough

    def _kill(self, kind: str, process: subprocess.Popen[bytes]) -> bool:
        """Kill one of a kind, if there is one; and whether there was."""
        found = [process.pid] if kind == "sweep" else below(process.pid, _MARKS[kind])
        if not found or process.poll() is not None:
            return False
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(self._random.choice(found), signal.SIGKILL)
            return True
        return False


def differences(undisturbed: Path, disturbed: Path) -> tuple[int, list[str]]:
    """How many runs the first folder has, and in what the second differs from it, a line each."""
    lines = []
    runs = sorted(path.parent.relative_to(undisturbed) for path in undisturbed.glob(f"runs/**/{RESULT}"))
    for run in runs:
        one, other = undisturbed / run, disturbed / run
        for name in (TRAIN, EVAL):
            if not (other / name).is_file():
                lines.append(f"{run}: no {name}")
            elif (one / name).read_bytes() != (other / name).read_bytes():
                lines.append(f"{run}: {name} is another")
        results = [RunFolder(folder).read_json(RESULT) for folder in (one, other)]
        if results[1] is None:
            lines.append(f"{run}: is not complete")
            continue
        assert results[0] is not None
        lines += [f"{run}: {key} is another" for key in _NUMBERS if results[0][key] != results[1][key]]
        if not results[1]["resumed_exactly"]:
            lines.append(f"{run}: went on with new episodes")
    extra = {path.parent.relative_to(disturbed) for path in disturbed.glob(f"runs/**/{RESULT}")} - set(runs)
    return len(runs), [*lines, *(f"{run}: nobody asked for it" for run in sorted(extra))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vlmcar.chaos", description=__doc__.splitlines()[0])
    for name, default, what in (
        ("--kills", 100, "at least"),
        ("--minutes", 12.0, "of killing, at most"),
        ("--pause", 2.5, "seconds between kills, on average"),
        ("--steps", 150_000, "of each run"),
        ("--methods", "vlmcar,sparse,direct_vlm,oracle", "of the sweep"),
        ("--seeds", "0,1,2", "of the sweep"),
        ("--random", 0, "seed of what is killed when"),
        ("--results", Path("results/chaos"), "a folder, emptied first"),
    ):
        parser.add_argument(name, type=type(default), default=default, help=f"{what} (default: %(default)s)")
    chosen = parser.parse_args()
    shutil.rmtree(chosen.results, ignore_errors=True)
    chosen.results.mkdir(parents=True)
    sweep = [f"method={chosen.methods}", f"seed={chosen.seeds}", f"training.steps={chosen.steps}"]

    def arguments(name: str) -> list[str]:
        return ["-m", *SETTINGS, *sweep, f"results={chosen.results / name}"]

    print("the sweep, left alone", flush=True)
    started = time.monotonic()
    with (chosen.results / "undisturbed.log").open("wb") as log:
        command = [sys.executable, "run.py", *arguments("undisturbed")]
        done = subprocess.run(command, env=environment(), stdout=log, stderr=log)
    if done.returncode:
        raise VlmcarError(
            f"left alone it ended with {done.returncode}: see {chosen.results / 'undisturbed.log'}"
        )
    between = time.monotonic()
    print(f"{between - started:.0f} s; the sweep, disturbed", flush=True)
    disturbed = Disturbed(
        arguments("disturbed"), chosen.results / "disturbed.log", chosen.random, chosen.pause
    )
    disturbed.run(chosen.kills, between + 60 * chosen.minutes)
    runs, lines = differences(chosen.results / "undisturbed", chosen.results / "disturbed")
    print(_text(chosen.results, disturbed, runs, lines, (between - started, time.monotonic() - between)))
    if disturbed.killed.total() < chosen.kills:
        print(f"too few kills: {disturbed.killed.total()} of {chosen.kills}; give more --minutes or --steps")
        return 1
    return 1 if lines else 0


def _text(
    results: Path, disturbed: Disturbed, runs: int, lines: Sequence[str], seconds: tuple[float, float]
) -> str:
    """What happened, also kept as JSON."""
    resumed = [
        len((RunFolder(path.parent).read_json(RESULT) or {}).get("resumed_at", []))
        for path in (results / "disturbed").glob(f"runs/**/{RESULT}")
    ]
    facts = {
        "killed": dict(disturbed.killed),
        "kills": disturbed.killed.total(),
        "begun": disturbed.begun,
        "runs": runs,
        "resumed": sum(resumed),
        "different": list(lines),
        "seconds_alone": round(seconds[0]),
        "seconds_disturbed": round(seconds[1]),
        **provenance(),
    }
    (results / "chaos.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    rows = [[f"{kind} killed", str(disturbed.killed[kind])] for kind in KINDS]
    rows += [
        ["kills in all", str(facts["kills"])],
        ["times the command was given", str(disturbed.begun)],
        ["resumptions from a checkpoint", str(sum(resumed))],
        ["runs", str(runs)],
        ["differences from the undisturbed sweep", str(len(lines))],
        ["seconds, left alone and disturbed", f"{seconds[0]:.0f} and {seconds[1]:.0f}"],
    ]
    return "\n".join([markdown(["what", "number"], rows), *lines])


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main())
