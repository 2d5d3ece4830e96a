"""What each figure consists of, and how far its runs are. Nothing is written or run."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from vlmcar.config import build, config_hash, relevant_settings, run_path
from vlmcar.installation import conf
from vlmcar.record.folder import RunFolder

STATES = {"complete": "complete", "resume": "resumable", "new": "to begin", "other": "other settings"}
"""A folder's state -> what a table calls it."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a figure, and where it is or will be."""

    env: str
    method: str
    judge: str
    algorithm: str
    seed: int
    steps: int
    """Environment steps it is trained for."""
    folder: RunFolder
    config_hash: str
    overwrite: bool
    """A run with other settings in its folder is replaced."""

    def state(self) -> str:
        """One of ``STATES``; what is trained and has no result yet is resumed for it."""
        state = self.folder.state(self.config_hash)
        return "resume" if state == "trained" else state

    def steps_left(self) -> int:
        """Environment steps that the same command would still take."""
        state = self.folder.state(self.config_hash)
        if state in ("complete", "trained") or (state == "other" and not self.overwrite):
            return 0
        done = self.folder.checkpoint_steps() if state == "resume" else None
        return max(self.steps - (done or 0), 0)


@dataclass(frozen=True)
class Figure:
    """One experiment yaml, with what the command line changes of it."""

    name: str
    runs: tuple[PlannedRun, ...]
    parallel: int
    """Runs side by side."""
    results: Path
    arguments: tuple[str, ...]
    """Of the suite's command, for all of its runs."""

    @property
    def envs(self) -> list[str]:
        return list(dict.fromkeys(run.env for run in self.runs))

    def counts(self) -> Counter[str]:
        """Number of runs by state."""
        return Counter(run.state() for run in self.runs)


def names() -> list[str]:
    """Of the experiment yamls, one per figure."""
    return sorted(path.stem for path in (conf() / "experiment").glob("paper_*.yaml"))


def figures(chosen: Iterable[str], overrides: Sequence[str]) -> list[Figure]:
    """Compose every run of these experiments, as ``vlmcar -m`` would, and check it.

    Args:
        chosen: of ``names``.
        overrides: as on the command line of ``vlmcar``; lists are swept.

    Raises:
        ConfigError, HydraException: a run cannot be configured so.
    """
    with initialize_config_dir(str(conf()), version_base="1.3"):
        return [_figure(name, list(overrides)) for name in chosen]


def _figure(name: str, overrides: list[str]) -> Figure:
    parsed = OverridesParser.create().parse_overrides(overrides)
    single = [str(one.input_line) for one in parsed if not one.is_sweep_override()]
    whole = compose("config", [f"experiment={name}", *single], return_hydra_config=True)
    swept = [f"{key}={values}" for key, values in whole.hydra.sweeper.params.items()]
    of_a_run = [
        str(one.input_line) for one in parsed if not one.key_or_group.startswith(("hydra.", "hydra/"))
    ]
    runs = [_planned(cfg) for cfg in _composed(_jobs([*swept, f"experiment={name}", *of_a_run]))]
    arguments = ("-m", f"experiment={name}", *overrides)
    return Figure(name, tuple(runs), _parallel(whole), Path(whole.results), arguments)


def _jobs(overrides: list[str]) -> list[list[str]]:
    """Every combination of swept values; of two lists for one key the later one counts, as in Hydra's own sweeper."""
    choices: dict[str, list[str]] = {}
    for one in OverridesParser.create().parse_overrides(overrides):
        key = one.get_key_element()
        swept = one.is_sweep_override()
        choices[key] = (
            [f"{key}={value}" for value in one.sweep_string_iterator()] if swept else [str(one.input_line)]
        )
    return [list(job) for job in itertools.product(*choices.values())]


def _composed(jobs: Iterable[list[str]]) -> Iterator[DictConfig]:
    """Each job's config. Composing takes a tenth of a second, so jobs that differ in the seed alone share it."""
    shared: dict[tuple[str, ...], DictConfig] = {}
    for job in jobs:
        seed = [one for one in job if one.startswith("seed=")]
        others = tuple(one for one in job if one not in seed)
        if others not in shared:
            shared[others] = compose("config", list(others))
        cfg = OmegaConf.merge(shared[others], OmegaConf.from_dotlist(seed))
        assert isinstance(cfg, DictConfig)
        yield cfg


def _planned(cfg: DictConfig) -> PlannedRun:
    built = build(cfg)
    return PlannedRun(
        env=built.env.id,
        method=built.method.name,
        judge=built.method.judged_by(built.vlm).judge,
        algorithm=built.algorithm.name,
        seed=built.seed,
        steps=built.training.steps,
        folder=RunFolder(run_path(built)),
        config_hash=config_hash(relevant_settings(cfg, built)),
        overwrite=built.overwrite,
    )


def _parallel(cfg: DictConfig) -> int:
    """Runs side by side; a launcher that does not say takes one at a time, and joblib's -1 is every core it may use."""
    return int(joblib.effective_n_jobs(OmegaConf.select(cfg, "hydra.launcher.n_jobs", default=1)))
