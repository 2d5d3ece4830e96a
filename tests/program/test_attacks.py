"""What hostile programs can do: much to a plain process, nothing to a locked one.

Every attack runs in a world of its own, see `attacks/world.py`, first with all mechanisms off. There it must
work, or the test proves nothing and fails. Then it must leave no trace at all.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from vlmcar.program.errors import ProgramError

from .attacks import behaviour, exhaustion, files, kernel, memory, network, processes, python
from .attacks.attack import Attack
from .attacks.machine import missing
from .attacks.world import EFFECTS, read, world
from .helpers import SHAPE, grey, sandbox

ATTACKS = (
    *files.ATTACKS,
    *network.ATTACKS,
    *processes.ATTACKS,
    *memory.ATTACKS,
    *kernel.ATTACKS,
    *python.ATTACKS,
    *exhaustion.ATTACKS,
    *memory.FRAMES,
)

OFF: frozenset[str] = frozenset()
ALL = frozenset({"limits", "user", "landlock", "seccomp"})
ENOUGH: dict[str, tuple[frozenset[str], ...]] = {
    "seccomp": (frozenset({"seccomp"}), ALL),
    "limits": (ALL - {"landlock"}, ALL),
    "seal": (OFF, frozenset({"seccomp"}), ALL),
}
"""What holds an attack -> the layers that must do, from the fewest on. Landlock is only ever a second wall: kernels
may lack it."""
PATIENCE = 2.0
"""Seconds that an unhindered attack may take until it shows: signals, children and servers are not immediate."""

VOID = re.compile("while loading|NameError|LookupError|AttributeError: module|IndentationError")
"""What a program says that was stopped by a mistake of its own."""


def names(attack: Attack) -> str:
    return attack.name


class Outcome(NamedTuple):
    effects: dict[str, str]
    end: str
    """``answered``, or the kind of the error."""
    text: str


def attempt(
    attack: Attack, layers: frozenset[str], monkeypatch: pytest.MonkeyPatch, patience: float = 0.0
) -> Outcome:
    """Let a program loose in a new world, with these layers around it; wait for its evidence for so long."""
    monkeypatch.setattr("vlmcar.program.sandbox.LAYERS", layers)
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())
    initial, frames = grey(0), grey(7)
    with world() as place:
        source = attack.program(place.constants())
        runner = sandbox(frame_seconds=attack.seconds, memory_mb=attack.memory_mb, batch=4, allow_weak=True)
        worker = runner.start(source, SHAPE)
        place.watch(worker)
        answer, end, text = None, "answered", ""
        try:
            for _ in range(attack.requests):
                answer = float(worker.run(initial, frames)[0, 0])
            text = str(answer)
        except ProgramError as error:
            end, text = error.kind, str(error)
        effects = place.effects(answer, text, initial, frames)
        deadline = time.monotonic() + patience
        while attack.evidence not in effects and time.monotonic() < deadline:
            time.sleep(0.005)
            effects = place.effects(answer, text, initial, frames)
        return Outcome(effects, end, text)


@pytest.fixture(autouse=True)
def no_core_files() -> Iterator[None]:
    """Workers without limits inherit this process's."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def test_this_machine_can_show_it() -> None:
    """Without seccomp every attack below would work, and no test of it would mean anything: fail, do not skip."""
    level = sandbox().level()
    assert "seccomp" in level, f"workers on this machine reach level {level!r} only"
    if "landlock" not in level:
        warnings.warn("this kernel has no Landlock: the second wall is not tested here", stacklevel=1)


def test_every_attack_is_another_one() -> None:
    everything = (*ATTACKS, *behaviour.BEHAVIOURS, *behaviour.ORPHANS)
    assert len({attack.name for attack in everything}) == len(everything)
    assert len({attack.body for attack in everything}) == len(everything)
    assert {attack.evidence for attack in ATTACKS} == set(EFFECTS)


def skip_what_is_missing(attack: Attack) -> None:
    for reason in filter(None, map(missing, attack.needs)):
        pytest.skip(reason)


@pytest.mark.parametrize("attack", ATTACKS, ids=names)
def test_attack_works_unhindered_and_leaves_no_trace_when_held(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_what_is_missing(attack)
    with monkeypatch.context() as without_seal:
        if attack.layer == "seal":
            without_seal.setattr("vlmcar.program.shared.F_SEAL_FUTURE_WRITE", 0)
        control = attempt(attack, OFF, without_seal, PATIENCE)
    assert attack.evidence in control.effects, f"it does not even work unhindered: {control}"
    for layers in ENOUGH[attack.layer]:
        held = attempt(attack, layers, monkeypatch)
        allowed = {"answer"} if attack.evidence != "answer" else set()
        if not layers:  # then the seal holds the frames, and nothing holds the rest
            allowed |= {*EFFECTS} - {"frames"}
        assert not held.effects.keys() - allowed, f"held by {sorted(layers)}: {held}"
        assert not VOID.search(held.text), f"{sorted(layers)}: the attack did not even begin: {held}"


@pytest.mark.parametrize("attack", behaviour.BEHAVIOURS, ids=names)
def test_misbehaviour_ends_in_a_verdict(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the deadline, of the right kind, without any trace of it."""
    skip_what_is_missing(attack)
    monkeypatch.setattr("vlmcar.program.sandbox.GRACE_SECONDS", 0.3)
    monkeypatch.setattr("vlmcar.program.sandbox.WALL_TIMES", 3)
    children, began = processes_of(os.getpid()), time.monotonic()
    outcome = attempt(attack, ALL, monkeypatch)
    assert time.monotonic() - began < 10
    assert outcome.end == attack.evidence, outcome
    assert not VOID.search(outcome.text), outcome
    assert not outcome.effects.keys() - {"answer"}, outcome
    assert outcome.text.isascii()
    assert outcome.text.isprintable()
    assert len(outcome.text) < 500
    assert processes_of(os.getpid()) == children  # a zombie would still be there


def processes_of(parent: int) -> set[str]:
    return set(Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


@pytest.mark.parametrize("attack", behaviour.ORPHANS, ids=names)
def test_no_worker_outlives_its_trainer(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the trainer is killed and can clean nothing up."""
    assert survivors(attack, OFF, monkeypatch), "it does not even work unhindered"
    for layers in ENOUGH["seccomp"]:
        assert not survivors(attack, layers, monkeypatch), layers


def survivors(attack: Attack, layers: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ids of the processes that are left of a worker two seconds after its trainer was killed; ends them."""
    monkeypatch.setattr("vlmcar.program.sandbox.LAYERS", layers)
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())
    reading, writing = os.pipe()
    trainer = os.fork()
    if trainer == 0:
        try:
            runner = sandbox(frame_seconds=attack.seconds, batch=4, allow_weak=True)
            worker = runner.start(attack.program({"NUMBERS": {}}), SHAPE)
            os.write(writing, str(worker.pid).encode())
            worker.run(grey(0), grey(0))
        finally:
            signal.pause()
    os.close(writing)
    worker_pid = int(os.read(reading, 100))
    os.close(reading)
    line = read(worker_pid, "cmdline")

    def left() -> set[int]:
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        return {pid for pid in pids if line and read(pid, "cmdline") == line}

    time.sleep(0.3)
    os.kill(trainer, signal.SIGKILL)
    os.waitpid(trainer, 0)
    deadline = time.monotonic() + 2
    while found := left():
        if time.monotonic() > deadline or not layers:
            break
        time.sleep(0.01)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found
