"""Runs and programs as they lie on a disk, to be broken: each is made once, by the suite itself."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir

from tests.bad_input.running import Place, Zygote
from tests.conftest import PROGRAMS, ROOT
from vlmcar.config import build
from vlmcar.obtain import ingredients
from vlmcar.types import Program, SubTask, Verdict
from vlmcar.verification.store import ProgramStore, StoredProgram

SMALL = (
    "env=minigrid/doorkey_5x5 training.steps=4096 training.checkpoint_every=2048 training.eval_every=2048 "
    "training.eval_episodes=1 training.final_eval_episodes=1 logger=none"
)
"""Settings of a run of a few seconds with a checkpoint in its middle."""
TASK = "minigrid-doorkey_5x5"
SPARSE = Path("runs", TASK, "sparse", "none", "ppo", "seed_0")
SIMULATED = Path("runs", TASK, "direct_vlm", "simulated_fp0.01_fn0.1", "ppo", "seed_0")


@cache
def _finished(zygote: Zygote, method: str, folder: Path) -> Path:
    """The results of one complete run."""
    argv = ["run.py", f"method={method}", *SMALL.split(), f"results={folder}"]
    status, _, err = zygote.run(argv, ROOT, {}, ())
    assert status == 0, err
    return folder


def finished(place: Place, method: str = "sparse") -> Path:
    """A complete run in ``place``; its folder."""
    made = _finished(place.zygote, method, place.path.parent / f"finished_{method}")
    shutil.copytree(made, place.results)
    return place.results / (SPARSE if method == "sparse" else SIMULATED)


def killed(place: Place, method: str = "sparse") -> Path:
    """The same run, killed after its checkpoint; its folder."""
    folder = finished(place, method)
    for name in ("result.json", "trained.json", "policy.zip"):
        (folder / name).unlink()
    return folder


def stored(place: Place) -> Path:
    """An accepted program in ``place``'s store; its folder."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        built = build(compose("config", SMALL.split()))
    store = ProgramStore(place.results / "programs")
    folder = store.folder(built.env.id, built.vlm.name, ingredients(built, built.env.images()))
    recording = ROOT / "results" / "recordings" / TASK
    shutil.copytree(recording / "images", folder / "images")
    shutil.copy(recording / "conversation.jsonl", folder)
    names = ("pick_up_key", "open_door", "reach_goal")
    program = Program(
        tuple(SubTask(name, f"{name} is done.") for name in names),
        (PROGRAMS / "doorkey.py").read_text(encoding="utf-8"),
    )
    store.put(StoredProgram(program, Verdict(True, ()), 1, 3, "by hand", folder))
    return folder
