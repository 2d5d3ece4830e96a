"""Training steps per second of several methods, in turns in one process, and where their time goes."""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from hydra import compose, initialize_config_dir

from vlmcar.config import Components, build
from vlmcar.env.minigrid_render import TileRenderer
from vlmcar.installation import conf
from vlmcar.measure import read_truths
from vlmcar.obtain import obtain_program, obtain_subtasks
from vlmcar.record.console import Console
from vlmcar.record.folder import RunFolder
from vlmcar.record.recorder import RunRecorder
from vlmcar.reward.vector import RewardVecEnv
from vlmcar.training.bookkeeper import Bookkeeper
from vlmcar.training.evaluate import Evaluator
from vlmcar.types import Material, Program, TruthJudge
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger

METHODS = ("sparse", "vlmcar", "oracle", "direct_vlm")
LOCAL_VLM = ("vlm=transformers", "vlm.min_answer_mass=0", "vlm.cache=false")
"""How ``direct_vlm`` asks a model on this machine; one with random weights hardly ever says yes or no."""
_FEWER = 4
"""A local VLM is slow: it trains for so many times fewer steps per round."""


class Clock:
    """Seconds that pass inside functions, and inside nothing that they call which has a clock, too."""

    running: ClassVar[list[Clock]] = []

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = 0.0

    def around(self, owner: Any, name: str) -> None:
        """Time ``owner.name`` from now on."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            self._enter()
            try:
                return function(*arguments, **named)
            finally:
                self._leave()

        setattr(owner, name, timed)

    def _enter(self) -> None:
        now = time.perf_counter()
        if Clock.running:
            outer = Clock.running[-1]
            outer.seconds += now - outer._since
        self._since = now
        Clock.running.append(self)

    def _leave(self) -> None:
        now = time.perf_counter()
        self.seconds += now - self._since
        Clock.running.pop()
        if Clock.running:
            Clock.running[-1]._since = now


class Contestant:
    """One method in training, measured a few thousand steps at a time; what it records goes to a folder of its own.

    Attributes:
        clocks: by part of a step: ``environment``, ``render``, ``judge``, ``reward``, ``policy``, ``update``,
            ``logging``. What is left is Stable-Baselines3's own.
    """

    def __init__(
        self,
        built: Components,
        console: Console,
        folder: Path,
        program: Program | None = None,
        recorded: Components | None = None,
    ) -> None:
        """Make it; ``program`` judges in place of the accepted one, and sub-tasks are those of ``recorded``."""
        self.name = built.method.name
        self.fewer = 1 if recorded is None else _FEWER
        self.judge = self._made_judge(built, console, program, recorded or built)
        num_envs = built.algorithm.num_envs
        told = {"truth": True} if isinstance(self.judge, TruthJudge) else {}
        venv = built.env.make_vec(
            num_envs, range(num_envs), frames=self.judge is not None, auto_reset=True, **told
        )
        rewarded = RewardVecEnv(
            venv, self.judge, built.reward, built.method.env_reward, built.method.ask_every
        )
        self.model = built.algorithm.model(rewarded, built.seed)
        built.algorithm.defer(self.model, rewarded)
        training = replace(
            built.training, steps=10**9, eval_every=10**9, checkpoint_every=10**9, eval_episodes=1
        )
        folder.mkdir(parents=True, exist_ok=True)
        recorder = RunRecorder(RunFolder(folder), built.logger, Console("bench"), dict)
        evaluator = Evaluator(built.env, training.eval_seed, built.algorithm.samples_actions)
        self.bookkeeper = Bookkeeper(training, evaluator, recorder, rewarded)
        self.rates: list[float] = []
        self.seconds = 0.0
        self.first = 0
        self.clocks = {name: Clock() for name in _PARTS}
        self._time(venv, rewarded, recorder)

    def run(self, steps: int) -> float:
        """Train on, and return the steps per second."""
        first, started = self.model.num_timesteps, time.perf_counter()
        self.model.learn(steps, callback=self.bookkeeper, reset_num_timesteps=False)
        seconds = time.perf_counter() - started
        self.seconds += seconds
        return float((self.model.num_timesteps - first) / seconds)

    def warmed_up(self) -> None:
        """Forget what was measured: everything that happens once has happened."""
        self.seconds, self.first = 0.0, self.model.num_timesteps
        for clock in self.clocks.values():
            clock.seconds = 0.0
        for name in _COUNTERS:
            if hasattr(self.judge, name):
                setattr(self.judge, name, 0)

    def shares(self) -> dict[str, float]:
        """Where the time went, as fractions of the whole."""
        shares = {name: clock.seconds / self.seconds for name, clock in self.clocks.items()}
        return {**shares, "other": 1 - sum(shares.values())}

    def judged(self) -> dict[str, float] | None:
        """What judging took: of a program, per frame of training and per frame that was judged anew, microseconds."""
        if not hasattr(self.judge, "cpu_seconds"):
            return None
        judge: Any = self.judge
        steps = self.model.num_timesteps - self.first
        return {
            "frames_judged_share": judge.frames_judged / steps,
            "trainer_us_per_frame": judge.seconds / steps * 1e6,
            "worker_us_per_frame": judge.cpu_seconds / steps * 1e6,
            "worker_us_per_judged_frame": judge.cpu_seconds / max(judge.frames_judged, 1) * 1e6,
        }

    def close(self) -> None:
        if self.judge is not None:
            self.judge.close()

    def _made_judge(
        self, built: Components, console: Console, program: Program | None, recorded: Components
    ) -> Any:
        material = Material(
            CountedVLM(built.vlm, Path(built.results), Ledger()), built.sandbox, built.generation.prompts
        )
        if built.method.needs != "nothing":
            obtain: Any = obtain_program if built.method.needs == "program" else obtain_subtasks
            stored = obtain(recorded, console)
            material = replace(
                material,
                subtasks=stored.subtasks,
                program=program or getattr(stored, "program", None),
                truths=read_truths(built.env.id) if built.method.judged_by(built.vlm).rates else {},
                ledger=Ledger(),
            )
        return built.method.judge(material)

    def _time(self, venv: Any, rewarded: RewardVecEnv, recorder: RunRecorder) -> None:
        clocks = self.clocks
        clocks["environment"].around(venv, "step_wait")
        clocks["reward"].around(rewarded, "step_wait")
        if isinstance(renderer := getattr(venv, "_renderer", None), TileRenderer):
            clocks["render"].around(renderer, "frames")
        for name in ("start", "step", "pump", "wait"):
            if rewarded._looking:
                clocks["judge"].around(rewarded._looking, name)
        for name in ("forward", "predict_values"):
            clocks["policy"].around(self.model.policy, name)
        clocks["update"].around(self.model, "train")
        for name in ("train_row", "progress"):
            clocks["logging"].around(recorder, name)


_PARTS = ("environment", "render", "judge", "reward", "policy", "update", "logging")
_COUNTERS = ("frames_judged", "frames_remembered", "seconds", "cpu_seconds")


def components(env: str, *overrides: str) -> Components:
    """Of a choice of the config group ``env``."""
    with initialize_config_dir(str(conf()), version_base="1.3"):
        return build(compose("config", [f"env={env}", "logger=none", *overrides]))


def compare(
    env: str, rounds: int, steps: int, methods: Sequence[str] = METHODS, model: str | None = None
) -> dict[str, Any]:
    """Measure the methods in turn; the ratio of each to the first, of pairs next to each other, can be quoted.

    Args:
        env: a choice of the config group ``env``.
        rounds: measured rounds, after one that warms up.
        steps: environment steps per method and round.
        methods: choices of ``method``, the one to compare with first; a word after a space is an override.
        model: ``vlm.model`` of a local VLM that ``direct_vlm`` asks about the recorded sub-tasks, for a quarter of the
            steps; ``None``: the simulated judge stands in.
    """
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        contestants = []
        for number, name in enumerate(methods):
            method, *overrides = name.split(" ")
            built = recorded = components(env, f"method={method}", *overrides)
            if model and method == "direct_vlm":
                built = components(env, f"method={method}", *LOCAL_VLM, f"vlm.model={model}", *overrides)
            contestants.append(
                Contestant(
                    built,
                    Console("bench"),
                    Path(folder) / str(number),
                    recorded=None if built is recorded else recorded,
                )
            )
            contestants[-1].name = name
        in_turns(contestants, rounds, steps, env)
    first = contestants[0]
    return {
        "env": env,
        "steps_per_round": steps,
        "methods": {
            c.name: {
                "steps_per_second": spread(c.rates),
                f"of_{first.name}": spread([a / b for a, b in zip(c.rates, first.rates, strict=True)]),
                "share_of_time": c.shares(),
                "judged": c.judged(),
            }
            for c in contestants
        },
    }


def in_turns(contestants: Sequence[Contestant], rounds: int, steps: int, title: str) -> None:
    """Train each for so many steps in every round; the first one warms up. Then they are closed."""
    for number in range(rounds + 1):
        for contestant in contestants:
            rate = contestant.run(steps // contestant.fewer)
            if number > 0:
                contestant.rates.append(rate)
            else:
                contestant.warmed_up()
        shown = ", ".join(f"{c.name} {c.rates[-1]:,.0f}" for c in contestants if c.rates)
        print(f"{title}, round {number} of {rounds}: {shown or 'warm-up'} steps/s", flush=True)
    for contestant in contestants:
        contestant.close()


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def peak_memory() -> dict[str, float]:
    """MB, since this process started: its own, and the largest of its children's that has ended."""
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"trainer": own, "worker": children}
