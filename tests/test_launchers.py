"""What ``vlmcar.launchers`` does for jobs and for who started them; whole sweeps are in ``tests/launchers``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hydra_plugins.hydra_joblib_launcher
import pytest

from tests.conftest import ROOT
from vlmcar.launchers import COMMAND, FOLDER, command, enter_folder, explain, remember_command

WITHOUT_PLUGINS = """
import runpy, sys, types
plugins = types.ModuleType("hydra_plugins")
plugins.__path__ = [{folder!r}]
sys.modules["hydra_plugins"] = plugins
sys.argv = ["run.py", "-m", "hydra/launcher={launcher}", "method=sparse", "results={folder}/results"]
runpy.run_path("run.py", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("launcher", "extra"), [("submitit_slurm", "slurm"), ("submitit_local", "slurm"), ("ray", "ray")]
)
def test_a_missing_extra_is_one_line_that_says_which(launcher: str, extra: str, tmp_path: Path) -> None:
    here = Path(hydra_plugins.hydra_joblib_launcher.__path__[0])
    (tmp_path / here.name).symlink_to(here)  # as it is after `pip install vlmcar`
    code = WITHOUT_PLUGINS.format(folder=str(tmp_path), launcher=launcher)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"vlmcar: config error: this launcher needs an extra: pip install 'vlmcar[{extra}]'\n"
    )


def test_without_a_ray_cluster_one_line_says_how_to_start_one(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'vlmcar[ray]'")
    done = subprocess.run(
        [sys.executable, "run.py", "-m", "hydra/launcher=ray", "method=sparse", f"results={tmp_path}"],
        cwd=ROOT, env={**os.environ, "RAY_TMPDIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "vlmcar: config error: no ray cluster is up here: `ray start --head` starts one (docs/clusters.md)"
    )


def test_other_errors_are_not_explained_away() -> None:
    assert explain(RuntimeError("Unknown plugin class : 'hydra_plugins.somebody_else.Launcher'")) is None
    assert explain(ConnectionError("refused")) is None
    assert explain(KeyError("seed")) is None


def test_a_job_knows_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND, "")
    monkeypatch.setattr(sys, "argv", ["run.py", "-m", "label=a b", "seed=0,1"])
    typed = "python run.py -m 'label=a b' seed=0,1"
    assert command() == typed
    remember_command()
    monkeypatch.setattr(sys, "argv", ["default_worker.py", "--node-manager-port=1"])
    assert command() == typed


def test_a_ray_worker_goes_where_the_sweep_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # put back afterwards
    monkeypatch.setenv(FOLDER, str(tmp_path))
    enter_folder()
    assert Path.cwd() == tmp_path
    monkeypatch.setenv(FOLDER, str(tmp_path / "not shared"))
    with pytest.raises(FileNotFoundError, match="not shared"):
        enter_folder()
