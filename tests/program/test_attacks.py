"""What hostile programs can do: much to a plain process, nothing to a locked one.

Every attack runs in a world of its own, see `attacks/world.py`, first with all mechanisms off. There it must
work, or the test proves nothing and fails. Then it must leave no trace at all.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from vlmcar.program.errors import ProgramError

from .attacks import behaviour, exhaustion, files, kernel, memory, network, processes, python
from .attacks.attack import Attack
from .attacks.machine import missing
from .attacks.world import EFFECTS, read, world
from .helpers import BRIGHT, SHAPE, grey, program, sandbox

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
LEVELS = {
    "seccomp alone": frozenset({"seccomp"}),
    "without landlock": ALL - {"landlock"},
    "all": ALL,
}
PATIENCE = 2.0
"""Seconds that an unhindered attack may take until it shows: signals, children and servers are not immediate."""


def names(attack: Attack) -> str:
    return attack.name


class Outcome(NamedTuple):
    effects: dict[str, str]
    end: str
    """``answered``, or the kind of the error."""
    text: str


def attempt(attack: Attack, layers: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Let a program loose in a new world, with these layers around it."""
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
        deadline = time.monotonic() + (0 if layers else PATIENCE)
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


def skip_what_is_missing(attack: Attack) -> None:
    for reason in filter(None, map(missing, attack.needs)):
        pytest.skip(reason)


@pytest.mark.parametrize("attack", ATTACKS, ids=names)
def test_attack_works_unhindered_and_leaves_no_trace_when_held(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_what_is_missing(attack)
    levels = dict(LEVELS)
    with monkeypatch.context() as without_seal:
        if attack.layer == "seal":
            without_seal.setattr("vlmcar.program.shared.F_SEAL_FUTURE_WRITE", 0)
            levels["seal alone"] = OFF
        control = attempt(attack, OFF, without_seal)
    assert attack.evidence in control.effects, f"it does not even work unhindered: {control}"
    if attack.layer == "limits":
        del levels["seccomp alone"]
    for name, layers in levels.items():
        held = attempt(attack, layers, monkeypatch)
        allowed = {"answer"} if attack.evidence != "answer" else set()
        if not layers:
            allowed |= {*EFFECTS} - {"frames"}
        assert not held.effects.keys() - allowed, f"{name}: {held}"
        assert "while loading" not in held.text, f"{name}: the attack did not even begin: {held}"


@pytest.mark.parametrize("attack", behaviour.BEHAVIOURS, ids=names)
def test_misbehaviour_ends_in_a_verdict(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the deadline, of the right kind, without any trace; and the next program is judged as ever."""
    skip_what_is_missing(attack)
    monkeypatch.setattr("vlmcar.program.sandbox.GRACE_SECONDS", 0.3)
    monkeypatch.setattr("vlmcar.program.sandbox.WALL_TIMES", 3)
    children, began = processes_of(os.getpid()), time.monotonic()
    outcome = attempt(attack, ALL, monkeypatch)
    assert time.monotonic() - began < 10
    assert outcome.end == attack.evidence, outcome
    assert not outcome.effects.keys() - {"answer"}, outcome
    assert outcome.text.isascii()
    assert outcome.text.isprintable()
    assert len(outcome.text) < 500
    assert processes_of(os.getpid()) == children  # a zombie would still be there
    worker = sandbox().start(program(BRIGHT), SHAPE)
    try:
        assert worker.run(grey(0), grey(255)) == 1
    finally:
        worker.close()


def processes_of(parent: int) -> set[str]:
    return set(Path(f"/proc/{parent}/task/{parent}/children").read_text().split())


@pytest.mark.parametrize("attack", behaviour.ORPHANS, ids=names)
def test_no_worker_outlives_its_trainer(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the trainer is killed and can clean nothing up."""
    assert survivors(attack, OFF, monkeypatch), "it does not even work unhindered"
    for name, layers in LEVELS.items():
        assert not survivors(attack, layers, monkeypatch), name


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
