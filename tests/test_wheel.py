"""A wheel holds what a run needs, and a sweep from it works in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Built from this checkout; hatchling writes nothing into it, and needs no network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("vlmcar-*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def tracked(folder: str) -> set[str]:
    """Files of a folder of the checkout that a wheel has to hold, relative to it."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {
        str(Path(name).relative_to(folder)) for name in done.stdout.split("\0") if (ROOT / name).is_file()
    }


@pytest.mark.parametrize(
    ("folder", "inside"),
    [
        ("vlmcar", "vlmcar"),
        ("baselines", "baselines"),
        ("conf", "vlmcar/conf"),
        ("results/recordings", "vlmcar/recordings"),
    ],
)
def test_every_file_of_it_is_there_once(folder: str, inside: str, wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert len(names) == len(set(names))
    others = ("vlmcar/conf/", "vlmcar/recordings/") if folder == "vlmcar" else ()
    there = {name for name in names if name.startswith(f"{inside}/") and not name.startswith(others)}
    assert there == {f"{inside}/{name}" for name in tracked(folder)} - {f"{inside}/"}


def test_nothing_else_is_there_but_metadata(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (metadata,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"vlmcar", "baselines", metadata}
    assert "vlmcar = vlmcar.cli:main" in wheel.read(f"{metadata}/entry_points.txt").decode()


def test_a_sweep_runs_from_it_in_an_empty_folder(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    wheel.extractall(site)
    empty.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=empty, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = run("vlmcar", "--help")
    assert "\n  python -m vlmcar -m seed=0,1,2 " in told
    assert f"explained in {site / 'vlmcar/conf'}/<group>/<name>.yaml" in told
    quick = ["env=mine", "training.steps=2048", "training.final_eval_episodes=2", "logger=none"]
    (empty / "conf/env").mkdir(parents=True)
    mine = (site / "vlmcar/conf/env/minigrid/doorkey_5x5.yaml").read_text()
    (empty / "conf/env/mine.yaml").write_text(mine.replace("name: doorkey_5x5", "name: mine"))
    sweep = ["--config-dir", "conf", "-m", *quick, "method=sparse,oracle", "seed=0"]
    (empty / "results/recordings/minigrid-mine").mkdir(parents=True)
    truths = (site / "vlmcar/recordings/minigrid-doorkey_5x5/truth.yaml").read_text()
    (empty / "results/recordings/minigrid-mine/truth.yaml").write_text(truths)
    assert "2 runs" in run("vlmcar", *sweep)
    for manifest in (empty / "results/runs").rglob("manifest.json"):
        content = json.loads(manifest.read_text())
        assert content["command"] == " ".join(["python -m vlmcar", *sweep])
        assert content["git"] == {"commit": None, "dirty": None}
    assert len(list((empty / "results/runs/minigrid-mine").rglob("result.json"))) == 2
    assert "index.html" in run("vlmcar.report")
