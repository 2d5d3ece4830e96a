"""What an attack could touch, and what there is to see of it from outside.

A world is built anew for every run of every attack: files that everybody may change, listeners, a process
that is nobody's business, secrets. `World.effects` says what has changed since, each time as a word and a
sentence; a program that was contained leaves none.
"""

from __future__ import annotations

import ctypes
import os
import resource
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vlmcar.program.sandbox import Worker
from vlmcar.types import Frames

from .attack import NUMBERS, code, code_of_i386

EFFECTS = {
    "files": "a file of the world was created, changed or removed",
    "secret": "the answer is a secret that the program was never given",
    "contact": "something arrived at a listener",
    "signal": "a signal arrived, or a process that is not the worker ended or stopped",
    "process": "there is a process more",
    "thread": "the worker has more threads",
    "descriptor": "the worker has an open descriptor more",
    "mapping": "the worker can execute, or write for others, memory that it could not before",
    "state": "the kernel's record of the worker has changed: ids, limits, masks, directories, timers ...",
    "others": "limits, priority or memory of another process have changed",
    "frames": "the shared frames are not what the trainer put there",
    "objects": "the kernel keeps something for everybody: a segment, a queue, a mount",
    "memory": "the worker took much more memory than it was given",
    "answer": "the program said so: where nothing but the result of a system call can tell",
}
MUCH = 150
"""MiB beyond what the worker had that count as a ``memory`` effect."""
SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGIO, signal.SIGURG, signal.SIGALRM, signal.SIGTERM)
PR_SET_PTRACER, MNT_DETACH = 0x59616D61, 2
libc = ctypes.CDLL(None, use_errno=True)


class World:
    """Made by `world`."""

    def __init__(self, cleanup: ExitStack) -> None:
        number = 10000 + secrets.randbelow(90000)
        self.secret = number / 100000
        self.token = f"secret-{number}"
        # Not a folder of pytest's, which a worker with another user's rights could not even enter.
        self.root = Path(tempfile.mkdtemp(prefix="vlmcar-attack-"))
        cleanup.callback(shutil.rmtree, self.root, ignore_errors=True)
        self.key = secrets.randbelow(2**30) + 1
        """Of System V objects: to know them again among those of others."""
        self._cleanup = cleanup
        self._build_files(number)
        self._listen()
        self._others()
        cleanup.callback(self._remove_objects)
        self._files = self._snapshot()
        self._told = {self.secret, environment_sum()}

    # Building

    def _build_files(self, number: int) -> None:
        root = self.root
        (root / "secret.txt").write_text(self.token + "\n")
        (root / "untouched.txt").write_text("untouched " * 10)
        (root / "link").symlink_to("untouched.txt")
        (root / "pointer").symlink_to(self.token)
        (root / "names").mkdir()
        (root / "names" / self.token).touch()
        (root / "folder").mkdir()
        pixel = np.array([number & 255, number >> 8 & 255, number >> 16], np.uint8)
        cv2.imwrite(str(root / "image0.png"), np.full((32, 32, 3), pixel))
        np.save(root / "array.npy", np.array([number]))
        (root / "matrix.yml").write_text(f"%YAML:1.0\n---\nsecret: {number}\n")
        (root / "module_of_the_world.py").write_text(f"SECRET = {self.token!r}\n")
        (root / "script").write_text(f"#!/bin/sh\n: > {root}/ran\n")
        library = sorted(Path(os.__file__).with_name("lib-dynload").glob("*.so"), key=size)
        shutil.copyfile(library[0], root / "library.so")
        (root / "long").write_bytes(bytes(number))  # its length is the secret
        with suppress(OSError):  # the test asks `machine.py` first
            os.setxattr(root / "secret.txt", "user.secret", self.token.encode())
        for place in (root, *root.rglob("*")):
            if not place.is_symlink():
                place.chmod(0o777)

    def _listen(self) -> None:
        self._listeners: dict[str, socket.socket] = {}
        self._reached: set[str] = set()
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        places: dict[str, tuple[int, int, Any]] = {
            "tcp": (socket.AF_INET, stream, ("127.0.0.1", 0)),
            "udp": (socket.AF_INET, datagram, ("127.0.0.1", 0)),
            "unix stream": (socket.AF_UNIX, stream, str(self.root / "stream")),
            "unix datagram": (socket.AF_UNIX, datagram, str(self.root / "datagram")),
            "abstract": (socket.AF_UNIX, stream, f"\0vlmcar-{self.root.name}"),
        }
        if Path("/proc/net/if_inet6").exists():
            places["tcp6"] = (socket.AF_INET6, stream, ("::1", 0))
        for name, (family, kind, place) in places.items():
            listener = self._cleanup.enter_context(socket.socket(family, kind))
            listener.bind(place)
            listener.setblocking(False)
            if kind == stream:
                listener.listen()
            self._listeners[name] = listener
        for name in ("stream", "datagram"):
            (self.root / name).chmod(0o777)

    def _others(self) -> None:
        """The test process as it is now, and a process of its own session."""
        libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))  # Yama, where there is one, does not protect this one
        self.note = ctypes.create_string_buffer(self.token.encode())
        self.page = ctypes.create_string_buffer(b"untouched")
        self.victim = subprocess.Popen(
            ["sleep", "600"],
            env={"PATH": os.environ.get("PATH", ""), "SECRET": self.token},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        self._cleanup.callback(end, self.victim)
        while not read(self.victim.pid, "environ"):  # it has only just been executed
            time.sleep(0.001)
        handle, place = tempfile.mkstemp(dir=self.root)  # deleted, but open: only its descriptor leads there
        os.write(handle, self.token.encode())
        os.unlink(place)
        self._cleanup.callback(os.close, handle)
        self.handle = handle
        self.received: list[str] = []
        for number in SIGNALS:
            old = signal.signal(number, lambda which, _: self.received.append(signal.Signals(which).name))
            self._cleanup.callback(signal.signal, number, old)
        self._before_others = self._state_of_others()

    def constants(self) -> dict[str, object]:
        """What a program is told, in capitals."""
        return {
            "WORLD": str(self.root),
            "PARENT": os.getpid(),
            "VICTIM": self.victim.pid,
            "TCP": self._listeners["tcp"].getsockname()[1],
            "TCP6": self._listeners["tcp6"].getsockname()[1] if "tcp6" in self._listeners else 0,
            "UDP": self._listeners["udp"].getsockname()[1],
            "ABSTRACT": self._listeners["abstract"].getsockname(),
            "KEY": self.key,
            "NOTE": ctypes.addressof(self.note),
            "PAGE": ctypes.addressof(self.page),
            "HANDLE": self.handle,
            "CODE": code(str(self.root / "ran").encode()),
            "CODE32": code_of_i386(str(self.root / "ran").encode()),
            "NUMBERS": NUMBERS,
        }

    def watch(self, worker: Worker) -> None:
        """Remember the worker as it is before the attack."""
        self._worker = worker
        self._cmdline = read(worker.pid, "cmdline")
        self._images: Frames = worker.process.shared.images
        self._before = state(worker.pid)
        self._resident = memory(worker.pid)
        self._cleanup.callback(self._end_processes)

    # Looking

    def effects(self, answer: float | None, text: str, initial: Frames, frames: Frames) -> dict[str, str]:
        """What an attack has done, by the words of `EFFECTS`."""
        found = {
            "files": difference(self._files, self._snapshot()),
            "secret": self._secret(answer, text),
            "contact": ", ".join(name for name in self._listeners if self._arrived(name)),
            "signal": self._signals(),
            "process": ", ".join(map(str, self._processes())),
            "others": difference(self._before_others, self._state_of_others()),
            "frames": self._frames(initial, frames),
            "objects": self._objects(),
            "answer": "yes" if answer == 1 else "",
            **self._of_the_worker(),
        }
        return {name: what for name, what in found.items() if what}

    def _snapshot(self) -> dict[str, str]:
        found = {}
        for place in (self.root, *sorted(self.root.rglob("*"))):
            about = place.lstat()
            fields = [
                about.st_mode,
                about.st_uid,
                about.st_gid,
                about.st_nlink,
                about.st_size,
                about.st_mtime_ns,
            ]
            if stat.S_ISREG(about.st_mode):
                fields += [zlib.crc32(place.read_bytes())]
            with suppress(OSError):
                fields += [os.listxattr(place, follow_symlinks=False)]  # type: ignore[list-item]
            found[str(place.relative_to(self.root))] = str(fields)
        return found

    def _secret(self, answer: float | None, text: str) -> str:
        if self.token in text:
            return "in the text of its error"
        told = answer is not None and any(abs(answer - told) < 2e-6 for told in self._told)
        return f"the answer {answer}" if told else ""

    def _arrived(self, name: str) -> bool:
        listener = self._listeners[name]
        with suppress(BlockingIOError):
            if listener.type == socket.SOCK_STREAM:
                listener.accept()[0].close()
            else:
                listener.recv(100)
            self._reached.add(name)
        return name in self._reached

    def _signals(self) -> str:
        found = list(self.received)
        if self.victim.poll() is not None:
            found.append(f"the other process ended: {self.victim.returncode}")
        elif read(self.victim.pid, "stat").rsplit(b")", 1)[1].split()[0] in b"Tt":
            found.append("the other process stands still")
        return ", ".join(found)

    def _processes(self) -> list[int]:
        """All that the worker has started, also those that have left its session."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) in (self._worker.pid, self.victim.pid):
                continue
            fields = read(int(name), "stat").rsplit(b")", 1)[-1].split()
            if len(fields) < 4 or fields[0] == b"Z":
                continue
            line = read(int(name), "cmdline")
            ours = bool(line) and (line == self._cmdline or self.root.name.encode() in line)
            if ours or int(fields[3]) == self._worker.pid:
                found.append(int(name))
        return found

    def _state_of_others(self) -> dict[str, str]:
        found = {}
        for pid in (self.victim.pid, os.getpid()):
            with suppress(ProcessLookupError):
                of_one = {
                    "nice": os.getpriority(os.PRIO_PROCESS, pid),
                    "processors": sorted(os.sched_getaffinity(pid)),
                    "scheduler": os.sched_getscheduler(pid),
                    "limits": [resource.prlimit(pid, number) for number in range(16)],
                    "group": os.getpgid(pid),
                    "tracer": field(read(pid, "status"), "TracerPid"),
                    "oom": read(pid, "oom_score_adj"),
                    "io": libc.syscall(NUMBERS["ioprio_set"] + 1, 1, pid),
                }
                found.update({f"{name} of {pid}": str(value) for name, value in of_one.items()})
        found["environment"] = str(read(self.victim.pid, "environ")) if self.victim.poll() is None else ""
        found["memory of the trainer"] = str((self.note.raw, self.page.raw))
        found["descriptors of the trainer"] = str(sorted(os.listdir(f"/proc/{os.getpid()}/fd"))[:3])
        found["host"] = str((os.uname().nodename, read_text("/proc/sys/kernel/domainname")))
        return found

    def _frames(self, initial: Frames, frames: Frames) -> str:
        first = len(self._images) // 2  # initial images lie in the second half
        same = (self._images[:1] == frames).all() and (self._images[first : first + 1] == initial).all()
        return "" if same else "their bytes"

    def _objects(self) -> str:
        found = [kind for kind in ("shm", "sem", "msg") if self._system_v(kind)]
        if self.root.name in read_text("/proc/self/mounts"):
            found.append("a mount")
        return ", ".join(found)

    def _system_v(self, kind: str) -> list[int]:
        lines = [line.split() for line in read_text(f"/proc/sysvipc/{kind}").splitlines()[1:]]
        return [int(line[1]) for line in lines if int(line[0]) == self.key]

    def _of_the_worker(self) -> dict[str, str]:
        pid = self._worker.pid
        if not self._worker.alive or not (after := state(pid)):
            return {}
        found = {"state": difference(self._before["state"], after["state"])}
        for kind in ("thread", "descriptor", "mapping"):
            before = self._before[kind]
            more = {name: what for name, what in after[kind].items() if larger(what, before.get(name, ""))}
            found[kind] = difference({name: before.get(name, "nothing") for name in more}, more)
        taken = memory(pid) - self._resident
        return found | {"memory": f"{taken} MiB" if taken > MUCH else ""}

    # Cleaning

    def _end_processes(self) -> None:
        self._worker.close()
        for _ in range(20):
            for pid in (left := self._processes()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.01)

    def _remove_objects(self) -> None:
        for kind, remove in (("shm", libc.shmctl), ("msg", libc.msgctl)):
            for number in self._system_v(kind):
                remove(number, 0, None)
        for number in self._system_v("sem"):
            libc.semctl(number, 0, 0)
        libc.syscall(NUMBERS["mq_unlink"], f"vlmcar-{self.key}".encode())
        for line in read_text("/proc/self/mounts").splitlines():
            if self.root.name in (place := line.split()[1]):
                libc.umount2(place.encode(), MNT_DETACH)


@contextmanager
def world() -> Iterator[World]:
    """A new world; all of it is gone at the end, with every process that was started in it."""
    with ExitStack() as cleanup:
        yield World(cleanup)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def size(place: Path) -> int:
    return place.stat().st_size


def read(pid: int, name: str) -> bytes:
    """A file of /proc/PID, empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def read_text(place: str) -> str:
    try:
        return Path(place).read_text()
    except OSError:
        return ""


def field(status: bytes, name: str) -> str:
    return next((line for line in status.decode().splitlines() if line.startswith(name + ":")), "")


def environment_sum() -> float:
    """The environment that this process was started with, as an answer."""
    return sum(read(os.getpid(), "environ")) % 99991 / 100000


def memory(pid: int) -> int:
    """MiB that a process has had at most."""
    line = field(read(pid, "status"), "VmHWM").split()
    return int(line[1]) // 1024 if len(line) > 1 else 0


KEPT = """
    Name Umask Uid Gid Groups TracerPid NoNewPrivs Seccomp Seccomp_filters CapInh CapPrm CapEff CapBnd CapAmb
    SigBlk SigIgn SigCgt ShdPnd Cpus_allowed Mems_allowed THP_enabled untag_mask Speculation_Store_Bypass
    VmLck VmPin
"""


def state(pid: int) -> dict[str, dict[str, str]]:
    """What the kernel says of a process, by kind of effect; empty when it is gone."""
    status = read(pid, "status")
    try:
        fields = read(pid, "stat").rsplit(b")", 1)[1].split()
        record = {name: field(status, name) for name in KEPT.split()}
        for name in ("limits", "personality", "oom_score_adj", "timerslack_ns", "timers", "comm", "cmdline"):
            record[name] = str(read(pid, name))
        record["standard streams"] = str([os.path.exists(f"/proc/{pid}/fd/{fd}") for fd in range(3)])
        for name in ("cwd", "root", "exe", *(f"ns/{kind}" for kind in os.listdir(f"/proc/{pid}/ns"))):
            record[name] = os.readlink(f"/proc/{pid}/{name}")
        record["group and session"] = str(fields[2:4])
        record["priority"] = str([fields[16], *fields[37:39]])
        record["io priority"] = str(libc.syscall(NUMBERS["ioprio_set"] + 1, 1, pid))
        record["owner"] = str(os.stat(f"/proc/{pid}/status").st_uid)
        return {
            "state": record,
            "thread": {"threads": field(status, "Threads").split()[1]},
            "descriptor": {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")},
            "mapping": mappings(pid),
        }
    except (OSError, IndexError):
        return {}


def mappings(pid: int) -> dict[str, str]:
    """Memory that can be executed, and shared memory that can be written: what it is -> where.

    Less of it is no effect, and memory that is shared with nobody (``/dev/zero``) is not shared.
    """
    found: dict[str, list[str]] = {}
    for line in read(pid, "maps").decode().splitlines():
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        if "x" in rights or (rights.startswith("rw") and rights.endswith("s") and "/dev/zero" not in name):
            found.setdefault(f"{rights} {' '.join(name)}", []).append(place)
    return {what: f"{sum(map(length, places)) >> 10} KiB" for what, places in found.items()}


def larger(now: str, before: str) -> bool:
    """Of numbers with a unit, whether it is more; of anything else, whether it is another."""
    number, old = now.split(" ")[0], before.split(" ")[0]
    return int(number) > int(old) if number.isdigit() and old.isdigit() else now != before


def length(place: str) -> int:
    first, last = (int(part, 16) for part in place.split("-"))
    return last - first


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    """The names of what has changed, and how."""
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return "; ".join(f"{name}: {before.get(name)} -> {after.get(name)}" for name in changed)[:600]
