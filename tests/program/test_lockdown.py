"""The layers: what the filter decides, that the kernel decides the same, and that a weaker system is told."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from errno import EINVAL, ENOSYS, ENXIO, EPERM
from pathlib import Path

import numpy as np
import pytest

from vlmcar.program.errors import ProgramCrashed, ProgramTimedOut
from vlmcar.program.sandbox import REQUIRED, Worker, level_name
from vlmcar.program.worker import protocol, seccomp
from vlmcar.types import VlmcarError

from .helpers import BRIGHT, SHAPE, grey, program, sandbox

ROOT = Path(__file__).parents[2]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
REQUESTS, RESPONSES = 5, 6
KILL, EPERMITTED, ALLOW = seccomp.KILL_PROCESS, seccomp.ERRNO | EPERM, seccomp.ALLOW
UPROBES = (335, 336) if platform.machine() == "x86_64" else ()
"""Two numbers that recent kernels answer before any filter: they do nothing unless a tracer has put a probe here."""
LAST = 1024
"""No machine has as many system calls yet."""

needs_filter = pytest.mark.skipif(
    platform.machine() not in seccomp.MACHINES,
    reason=f"THE FILTER IS NOT TESTED: there is none for {platform.machine()}",
)


def decision(machine: str, number: int, arguments: tuple[int, ...] = (), arch: int | None = None) -> int:
    """What the filter returns for a system call: the kernel's interpreter in small."""
    program = seccomp.instructions(machine, REQUESTS, RESPONSES)
    data = {seccomp.NR: number, seccomp.ARCH: seccomp.AUDIT_ARCH[machine] if arch is None else arch}
    data |= {16 + 8 * n: value & 0xFFFFFFFF for n, value in enumerate(arguments)}
    at, accumulator = 0, 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        match code:
            case seccomp.LOAD:
                accumulator = data.get(value, 0)
            case seccomp.AND:
                accumulator &= value
            case seccomp.EQUAL:
                at += yes if accumulator == value else no
            case seccomp.AT_LEAST:
                at += yes if accumulator >= value else no
            case seccomp.ANY_BIT:
                at += yes if accumulator & value else no
            case seccomp.RETURN:
                return value


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_numbers_are_the_kernels(machine: str) -> None:
    header = HEADERS[machine]
    if not header.is_file():
        pytest.skip(f"NUMBERS OF {machine} ARE NOT CHECKED: {header} is not installed (linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    numbers = {name: int(number) for name, number in found}
    column = seccomp.MACHINES.index(machine)
    ours = {name: row[column] for name, row in {**seccomp.ALLOWED, **seccomp.REFUSED}.items()}
    newer = {"openat2": 437, "faccessat2": 439, "close_range": 436, "clone3": 435, "rseq": 334, "statx": 332}
    for name, number in ours.items():
        # Headers may be older than the kernel, and some calls exist on one machine only.
        expected = numbers.get(
            name.removeprefix("new") if machine == "aarch64" else name, newer.get(name, seccomp.ABSENT)
        )
        assert number == expected or (name in newer and name not in numbers), name
    assert numbers["seccomp"] == seccomp.SECCOMP[machine]


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_every_number_is_decided(machine: str) -> None:
    """Exactly the allow-list survives, whatever the number; with arguments that are never harmless."""
    column = seccomp.MACHINES.index(machine)
    allowed = {row[column]: name for name, row in seccomp.ALLOWED.items()}
    refused = {row[column]: name for name, row in seccomp.REFUSED.items() if row[column] >= 0}
    assert not allowed.keys() & refused.keys()
    anything = (77, 77, 0xFFFFFFFF, 0)
    for number in range(LAST):
        name = allowed.get(number) or refused.get(number)
        if name in ("read", "write", "mmap", "mprotect", "futex", "clock_gettime"):
            expected = EPERMITTED
        elif name == "clone3":
            expected = seccomp.ERRNO | ENOSYS
        else:
            expected = ALLOW if number in allowed else EPERMITTED if number in refused else KILL
        assert decision(machine, number, anything) == expected, (number, name)
    for number in (-1 & 0xFFFFFFFF, 2**31, seccomp.X32_BIT, seccomp.X32_BIT + 1, LAST, 2**31 + 1):
        assert decision(machine, number) == KILL
    for arch in (
        0x40000003,
        0x40000028,
        0,
        *(set(seccomp.AUDIT_ARCH.values()) - {seccomp.AUDIT_ARCH[machine]}),
    ):
        assert all(decision(machine, number, arch=arch) == KILL for number in allowed)


@pytest.mark.parametrize("machine", seccomp.MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("read", (REQUESTS,), ALLOW),
        *[("read", (fd,), EPERMITTED) for fd in (0, 1, 2, 3, RESPONSES, 0xFFFFFFFF)],
        *[("write", (fd,), ALLOW) for fd in (RESPONSES, 1, 2)],
        *[("write", (fd,), EPERMITTED) for fd in (0, 3, REQUESTS, 7)],
        ("mmap", (0, 4096, 3, 0x22), ALLOW),
        ("mmap", (0, 4096, 7, 0x22), EPERMITTED),
        ("mmap", (0, 4096, 4, 0x22), EPERMITTED),
        ("mmap", (0, 4096, 3, 0x02), EPERMITTED),  # of a file
        ("mmap", (0, 4096, 1, 0x01), EPERMITTED),
        ("mprotect", (0, 4096, 3), ALLOW),
        ("mprotect", (0, 4096, 5), EPERMITTED),
        *[("clock_gettime", (clock,), ALLOW) for clock in (0, 1, 2, 3, 4, 7, 11)],
        *[
            ("clock_gettime", (clock & 0xFFFFFFFF,), EPERMITTED)
            for clock in (16, -2, (~1 << 3) | 2, 3 << 3 | 3)
        ],
        *[("futex", (0, op), ALLOW) for op in (0, 1, 9, 10, 128, 129, 137, 393)],
        *[("futex", (0, op), EPERMITTED) for op in (2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 134, 140)],
    ],
)
def test_arguments_decide(machine: str, name: str, arguments: tuple[int, ...], expected: int) -> None:
    number = seccomp.ALLOWED[name][seccomp.MACHINES.index(machine)]
    assert decision(machine, number, arguments) == expected


WALK = """
import ctypes, json, os, sys
from vlmcar.program.worker import seccomp

libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
outcomes = {}
for number in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        assert seccomp.install(5, 6)
        arguments = [ctypes.c_long(77), ctypes.c_long(77), ctypes.c_long(0xFFFFFFFF), ctypes.c_long(0)]
        result = libc.syscall(ctypes.c_long(number), *arguments)
        os._exit(200 if result != -1 else ctypes.get_errno())
    _, status = os.waitpid(child, 0)
    outcomes[number] = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
print(json.dumps(outcomes))
"""


@needs_filter
def test_the_kernel_decides_the_same_for_every_number() -> None:
    machine = platform.machine()
    numbers = [*range(600), seccomp.X32_BIT, seccomp.X32_BIT + 2, seccomp.X32_BIT + 520]
    done = subprocess.run(
        [sys.executable, "-c", WALK, json.dumps(numbers)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    outcomes = {int(number): outcome for number, outcome in json.loads(done.stdout).items()}
    column = seccomp.MACHINES.index(machine)
    ends = {
        seccomp.ALLOWED["exit_group"][column]: 77,
        seccomp.ALLOWED["rt_sigreturn"][column]: -signal.SIGSEGV,
    }
    survivors = 0
    for number in numbers:
        decided = decision(machine, number, (77, 77, 0xFFFFFFFF, 0))
        outcome = outcomes[number]
        if number in UPROBES and outcome in (-signal.SIGILL, ENXIO, ENOSYS):
            continue
        if decided == KILL:
            assert outcome == -signal.SIGSYS, number
        elif decided == ALLOW:
            survivors += 1
            assert outcome == ends.get(number, outcome), number
            assert outcome not in (-signal.SIGSYS, EPERM), number
        else:
            assert outcome == decided & 0xFFFF, number
    assert survivors == 7  # of 13; the other six were refused for their arguments


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = sandbox(memory_mb=256).start(program(BRIGHT), SHAPE)
    yield worker
    worker.close()


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_a_worker_seen_from_outside(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limits, its privileges and what it holds, as the kernel tells them."""
    limits = Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
    for name in (
        "Max core file size", "Max file size", "Max processes", "Max locked memory", "Max msgqueue size",
        "Max open files",
    ):  # fmt: skip
        (line,) = [line for line in limits if line.startswith(name)]
        assert line.removeprefix(name).split()[:2] == ["0", "0"], line
    told = status(worker.pid)
    assert (told["NoNewPrivs"], told["Seccomp"], told["Threads"]) == ("1", "2", "1")
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(told[capabilities], 16) == 0
    if os.getuid() == 0:
        assert set(told["Uid"].split()) == set(told["Gid"].split()) == {"65534"}
        assert told["Groups"] == ""
        assert int(told["CapBnd"], 16) == 0
    (space,) = [line for line in limits if line.startswith("Max address space")]
    headroom = int(space.split()[3]) / 2**20 - int(told["VmSize"].split()[0]) / 2**10
    assert 200 < headroom <= 256


def test_nothing_of_the_trainer_comes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No environment variable, no descriptor, no module, no working directory, no session."""
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())
    body = f"""
        import os, sys
        ours = [name for name in sys.modules if name.startswith("vlmcar")]
        raise ValueError(f"{{ours}} {{os.environ.get('WANDB_API_KEY')}} {{{str(tmp_path)!r} in sys.path}} "
            f"{{any(path.endswith('program') for path in sys.path)}} {{'PYTHONPATH' in os.environ}}")
    """
    with open(os.devnull) as held:
        os.set_inheritable(held.fileno(), True)
        worker = sandbox().start(program(textwrap.dedent(body).strip()), SHAPE)
    try:
        folder = Path(f"/proc/{worker.pid}")
        held_by_worker = {int(entry.name): os.readlink(entry) for entry in (folder / "fd").iterdir()}
        assert {held_by_worker.pop(fd) for fd in (0, 1, 2)} == {"/dev/null"}
        assert len(held_by_worker) == 2
        assert all(target.startswith("pipe:") for target in held_by_worker.values())
        assert os.readlink(folder / "cwd") == "/"
        assert b"secret" not in (folder / "environ").read_bytes()
        assert os.getsid(worker.pid) == worker.pid
        maps = [line for line in (folder / "maps").read_text().splitlines() if "memfd:vlmcar" in line]
        assert sorted(line.split()[1] for line in maps) == [
            "r--s",
            "rw-s",
        ]  # the frames; the page of the position
        with pytest.raises(ProgramCrashed, match=re.escape("ValueError: [] None False False False")):
            worker.run(grey(0), grey(0))
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ({"limits", "user", "landlock", "seccomp"}, "seccomp+landlock"),
        ({"limits", "user", "seccomp"}, "seccomp"),
        ({"limits", "landlock"}, "landlock"),
        ({"limits"}, "process"),
        (set(), "process"),
    ],
)
def test_levels(monkeypatch: pytest.MonkeyPatch, layers: set[str], name: str) -> None:
    """Whatever is missing, the name says so; and less than required is refused."""
    monkeypatch.setattr("vlmcar.program.sandbox.LAYERS", frozenset(layers))
    assert level_name(frozenset(layers)) == name
    if layers >= REQUIRED:
        assert sandbox().level() == name
        return
    with pytest.raises(VlmcarError, match="did not hold on this kernel"):
        sandbox().level()
    with pytest.raises(VlmcarError, match="sandbox.allow_weak=true runs them all the same"):
        sandbox().start(program(BRIGHT), SHAPE)
    weak = sandbox(allow_weak=True)
    assert weak.level() == name
    worker = weak.start(program(BRIGHT), SHAPE)
    try:
        assert worker.level == name
        np.testing.assert_array_equal(worker.run(grey(0, 0), grey(0, 255)), [[0], [1]])
    finally:
        worker.close()


def test_layers_and_bits() -> None:
    for bits in range(16):
        assert protocol.layer_bits(protocol.layers_of(bits)) == bits


FILTERED = """
import ctypes, os
from vlmcar.program.worker import lockdown, seccomp

libc = ctypes.CDLL(None, use_errno=True)
before = lockdown.filtered(libc)
libc.prctl(38, 1, 0, 0, 0)
print(before, seccomp.install(0, 1), lockdown.filtered(libc), flush=True)
os._exit(0)
"""


@needs_filter
def test_the_probe_tells_with_from_without() -> None:
    done = subprocess.run([sys.executable, "-c", FILTERED], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "True", "True"], done.stderr


OLD_KERNEL = """
import ctypes, errno, platform, struct, subprocess, sys
from vlmcar.program.worker import lockdown, seccomp

# An outer filter under which the kernel has neither seccomp(2) nor Landlock, as seen by everything started here.
program = [seccomp.Instruction(seccomp.LOAD, 0, 0, seccomp.NR)]
for number in (seccomp.SECCOMP[platform.machine()], lockdown.LANDLOCK_CREATE_RULESET):
    program += [seccomp.Instruction(seccomp.EQUAL, 0, 1, number), seccomp.give(seccomp.ERRNO | errno.ENOSYS)]
program.append(seccomp.give(seccomp.ALLOW))
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *instruction) for instruction in program))
filter = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, filter, 0, 0) == 0
sys.exit(subprocess.run([sys.executable, "run.py", *sys.argv[1:]]).returncode)
"""


@needs_filter
@pytest.mark.parametrize("allow_weak", [False, True])
def test_a_kernel_without_seccomp_is_refused_before_anything_is_asked(
    tmp_path: Path, allow_weak: bool
) -> None:
    arguments = ["env=minigrid/doorkey_5x5", "experiment=smoke", "stage=generate", f"results={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-c", OLD_KERNEL, *arguments, f"sandbox.allow_weak={str(allow_weak).lower()}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if allow_weak:
        assert done.returncode == 0, done.stderr
        assert "accepted after" in done.stdout + done.stderr
        return
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert "programs are not run here: seccomp did not hold on this kernel" in line
    assert "could read your files, use your network and signal your processes" in line
    assert "sandbox.allow_weak=true runs them all the same" in line
    assert not list((tmp_path / "programs").rglob("conversation.jsonl"))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the trainer knows, this is a Mac: no memory files, no seals, no clock of another process, no filter."""
    monkeypatch.setattr("vlmcar.program.sandbox.LAYERS", frozenset({"limits"}))
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.delattr("os.memfd_create")
    monkeypatch.delattr("fcntl.F_ADD_SEALS")

    def no_such_clock(clock: int) -> float:
        if clock < 0:
            raise OSError(EINVAL, "there is no such clock")
        return time.monotonic()

    monkeypatch.setattr("vlmcar.program.process.time.clock_gettime", no_such_clock)


@pytest.mark.usefixtures("elsewhere")
def test_other_systems_refuse_and_say_why() -> None:
    with pytest.raises(VlmcarError, match="Darwin has no seccomp, which filters what a process may ask"):
        sandbox().start(program(BRIGHT), SHAPE)


@pytest.mark.usefixtures("elsewhere")
def test_other_systems_run_programs_if_told_to() -> None:
    worker = sandbox(allow_weak=True).start(program("while frame[0, 0, 0] == 9: pass\nreturn True"), SHAPE)
    assert worker.level == "process"
    np.testing.assert_array_equal(worker.run(grey(0, 0), grey(0, 255)), [[1], [1]])
    with pytest.raises(ProgramTimedOut):
        worker.run(grey(0), grey(9))
    assert not worker.alive
