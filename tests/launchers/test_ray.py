"""A ray cluster of two nodes on this machine, one of which dies in the middle of a sweep."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.launchers.sweeps import Sweep, kill_tree, wait

pytest.importorskip("ray", reason="needs ray: pip install 'vlmcar[ray]'")

RAY = Path(sys.executable).with_name("ray")


@dataclass
class Cluster:
    """A head and a node, each with room for one run; started in ``/``, as a service would be."""

    address: str
    head: subprocess.Popen[str]
    node: subprocess.Popen[str]

    def kill_node(self) -> None:
        kill_tree(self.node.pid)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # a cluster runs any code that reaches it
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # its sockets' names must be short
    port = free_port()
    address = f"127.0.0.1:{port}"
    started: list[subprocess.Popen[str]] = []
    try:
        started.append(_node(f"{folder}/head.log", "--head", f"--port={port}", f"--temp-dir={folder}"))
        started.append(_node(f"{folder}/node.log", f"--address={address}"))
        yield Cluster(address, *started)
    finally:
        for process in reversed(started):
            kill_tree(process.pid)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _node(log: str, *arguments: str) -> subprocess.Popen[str]:
    """``ray start``, when it says that it is up."""
    common = ["--num-cpus=1", "--object-store-memory=78643200", "--disable-usage-stats", "--block"]
    if "--head" in arguments:
        common += ["--include-dashboard=false", f"--ray-client-server-port={free_port()}"]
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [str(RAY), "start", *arguments, *common], cwd="/", stdout=file, stderr=file, text=True
        )
    wait(lambda: "Ray runtime started" in Path(log).read_text(encoding="utf-8"), process)
    return process


@pytest.mark.cluster
def test_a_sweep_survives_the_death_of_a_node(cluster: Cluster, tmp_path: Path) -> None:
    sweep = Sweep(
        "ray", tmp_path, "training.steps=24576", "method=vlmcar", "seed=0,1,2",
        f"hydra.launcher.ray.init.address={cluster.address}",
    )  # fmt: skip
    root = set(os.listdir("/"))
    with sweep.started() as process:
        killed = on_node(cluster, process, sweep)
        cluster.kill_node()
        _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert [step > 0 for step in sweep.resumed_at("vlmcar", killed)] == [True]
    for seed in {0, 1, 2} - {killed}:
        assert sweep.resumed_at("vlmcar", seed) == []
    sweep.assert_one_program()
    assert set(os.listdir("/")) == root  # nothing was left where the nodes were started


def on_node(cluster: Cluster, process: subprocess.Popen[str], sweep: Sweep) -> int:
    """The seed of the run on the node, once it could be resumed: a process of the node holds its lock."""

    def holder() -> int | None:
        here = {child.pid for child in psutil.Process(cluster.node.pid).children(recursive=True)}
        for seed in (0, 1, 2):
            folder = sweep.folder("vlmcar", seed)
            if not folder.checkpoint_steps() or (folder.path / "result.json").exists():
                continue
            if holders(f"{folder.path}.lock") & here:
                return seed
        return None

    wait(lambda: holder() is not None, process)
    seed = holder()
    assert seed is not None
    return seed


def holders(lock: str) -> set[int]:
    """Processes that hold a file open."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(path) == lock:
                found.add(int(path.parts[2]))
        except OSError:
            continue
    return found
