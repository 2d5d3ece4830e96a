"""What Hydra's launchers need from us: a folder and a command line for their jobs, and their errors in words."""

from __future__ import annotations

import os
import shlex
import sys
import warnings

from vlmcar.installation import program

# Our yamls are named as the plugins name theirs, so that `hydra/launcher=ray` is the one with our values. Hydra then
# checks ours against the plugin's types, which is welcome, and warns that a later Hydra will not.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")

FOLDER = "VLMCAR_FOLDER"
"""Environment variable of a ray worker: where the sweep was started."""
COMMAND = "VLMCAR_COMMAND"
"""Environment variable of every job: what a person typed."""
_EXTRAS = {"hydra_submitit_launcher": "slurm", "hydra_ray_launcher": "ray"}
_OF_LAUNCHERS = ("submitit.", "ray.", "joblib.externals.loky.")


def enter_folder() -> None:
    """Make the sweep's folder the current one, before a ray worker takes its first run.

    A worker starts where its node was started, and ``conf`` and ``results`` are relative to the sweep.

    Raises:
        OSError: the folder is not there, so this node does not share the sweep's file system.
    """
    os.chdir(os.environ[FOLDER])


def remember_command() -> None:
    """Hand this command line on to the jobs: a cluster starts their processes with words of its own."""
    os.environ[COMMAND] = _command_line()


def command() -> str:
    """What a person typed to have this run made."""
    return os.environ.get(COMMAND) or _command_line()


def _command_line() -> str:
    return shlex.join([*program().split(), *sys.argv[1:]])


def explain(error: Exception) -> tuple[str, int] | None:
    """One line and an exit status for what a launcher raises; ``None``: it comes from elsewhere.

    The status is 2 where an extra or the cluster is missing, and 1 where a job was lost or not started.
    """
    text = " ".join(str(error).split())
    for plugin, extra in _EXTRAS.items():
        if text.startswith("Unknown plugin class") and plugin in text:
            return f"config error: this launcher needs an extra: pip install 'vlmcar[{extra}]'", 2
    if isinstance(error, RuntimeError) and 'detect "srun"' in text:
        return "config error: there is no Slurm here: start the sweep where `sbatch` and `srun` are", 2
    if isinstance(error, ConnectionError) and "Ray" in text:
        return "config error: no ray cluster is up here: `ray start --head` starts one (docs/clusters.md)", 2
    if type(error).__module__.startswith(_OF_LAUNCHERS):
        what = f"{type(error).__name__}: {text[:300]}"
        return (
            f"a job was lost or not started ({what}); the same command goes on with the runs that are not complete",
            1,
        )
    return None
