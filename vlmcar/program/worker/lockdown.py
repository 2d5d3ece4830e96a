"""Gives up, for good, what judging frames does not need; and tries whether it is really gone.

Each layer is put on if it was asked for and the system has it. The answer is what held when it was probed, not
what was tried. A program that is already running here could undo nothing of it.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from . import seccomp

NOBODY = 65534
PR_SET_PDEATHSIG, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 23, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION_3 = 0x20080522

LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
"""The same number on every machine."""
LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""ABI -> how many kinds of file access it handles; those between are as the one before."""
LANDLOCK_TCP, LANDLOCK_SCOPES = 0b11, 0b11
"""Bind and connect, since ABI 4. Abstract unix sockets and signals to outside, since ABI 6."""

Call = Callable[..., int]


def lock_down(layers: frozenset[str], parent: int, memory_mb: int, pipes: tuple[int, int]) -> frozenset[str]:
    """Put on the layers, each where the system has it.

    Args:
        layers: names from `protocol.LAYERS`.
        parent: process that this one must not outlive.
        memory_mb: MiB of address space beyond what is in use now.
        pipes: descriptors of requests and of responses; every other above 2 is closed.

    Returns:
        The layers that hold.

    Raises:
        OSError: a limit was refused, or privileges could not be given up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    close_others(pipes)
    if "limits" in layers:
        limit(memory_mb)
    held = {"limits"} & layers
    if sys.platform == "linux":
        if "user" in layers:
            drop_privileges(libc)
            held |= {"user"}
        die_with(parent, libc)  # after the user, because a change of user clears it
        call(libc.prctl, PR_SET_NO_NEW_PRIVS, 1)
        if "landlock" in layers and landlock(libc) and failure(open_and_close) == errno.EACCES:
            held |= {"landlock"}
    if "limits" in layers:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if sys.platform == "linux" and "seccomp" in layers and seccomp.install(*pipes) and filtered(libc):
        held |= {"seccomp"}
    return frozenset(held)


def close_others(keep: Sequence[int]) -> None:
    """Close every other descriptor above 2; `mmap` holds a duplicate of each memory file it maps."""
    # Elsewhere the limit may be infinite and closing takes a call each; only what was opened here is open at all.
    last = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if sys.platform == "linux" else 1024
    for low, high in itertools.pairwise((2, *sorted(keep), last)):
        os.closerange(low + 1, high)


def limit(memory_mb: int) -> None:
    """Memory; and nothing that counts files, processes, locked pages or queues."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * mmap.PAGESIZE
        space = used + memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
    for name in ("CORE", "FSIZE", "NPROC", "MEMLOCK", "MSGQUEUE"):
        if hasattr(resource, f"RLIMIT_{name}"):  # the last is Linux's alone
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (0, 0))


def drop_privileges(libc: ctypes.CDLL) -> None:
    """No capabilities; and where this is root, another user, whom no file belongs to."""
    if os.getuid() == 0:
        # A container may own one user only, or hold no privilege to change it: no capabilities is what counts.
        with suppress(OSError):
            for capability in range(64):
                if libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1:
                    call(libc.prctl, PR_CAPBSET_DROP, capability)
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)  # older kernels have no such set
    if (number := CAPSET.get(os.uname().machine)) is not None:
        header = ctypes.create_string_buffer(struct.pack("<Ii", CAPABILITY_VERSION_3, 0))
        none = ctypes.create_string_buffer(24)  # effective, permitted, inheritable; twice 32 bits each
        call(libc.syscall, number, ctypes.addressof(header), ctypes.addressof(none))


def die_with(parent: int, libc: ctypes.CDLL) -> None:
    call(libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was armed
        os._exit(1)


def landlock(libc: ctypes.CDLL) -> bool:
    """Refuse every file, TCP connection, abstract socket and signal to outside; False where the kernel cannot.

    See the kernel's ``Documentation/userspace-api/landlock.rst``. UDP and plain sockets are not covered.
    """
    syscall = libc.syscall
    syscall.restype = ctypes.c_long
    abi = syscall(*longs(LANDLOCK_CREATE_RULESET, 0, 0, LANDLOCK_CREATE_RULESET_VERSION))
    if abi < 1:
        return False
    kinds = max(count for first, count in LANDLOCK_FILES.items() if first <= abi)
    words = [(1 << kinds) - 1]
    if abi >= 4:
        words.append(LANDLOCK_TCP)
    if abi >= 6:
        words.append(LANDLOCK_SCOPES)
    rules = ctypes.create_string_buffer(struct.pack(f"<{len(words)}Q", *words))
    ruleset = syscall(*longs(LANDLOCK_CREATE_RULESET, ctypes.addressof(rules), 8 * len(words), 0))
    if ruleset < 0:
        return False
    try:
        return bool(syscall(*longs(LANDLOCK_RESTRICT_SELF, ruleset, 0)) == 0)
    finally:
        os.close(ruleset)


def filtered(libc: ctypes.CDLL) -> bool:
    """Whether it is the filter that refuses files, sockets, processes and executable memory.

    EPERM is its answer: the other layers and limits give others.
    """
    libc.mmap.restype = ctypes.c_void_p
    executable = (None, ctypes.c_size_t(mmap.PAGESIZE), 7, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if libc.mmap(*executable) != ctypes.c_void_p(-1).value:
        return False
    return {failure(attempt) for attempt in (open_and_close, socket.socket, fork_and_wait)} == {errno.EPERM}


def open_and_close() -> None:
    os.close(os.open("/", os.O_RDONLY))


def fork_and_wait() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


def failure(attempt: Callable[[], object]) -> int | None:
    """The error number; ``None`` if it worked."""
    try:
        attempt()
    except OSError as error:
        return error.errno
    return None


def call(function: Call, *arguments: int) -> None:
    """Call into libc; raise an OSError if it fails."""
    if function(*longs(*arguments, *[0] * (5 - len(arguments)))) != 0:
        raise OSError(ctypes.get_errno(), f"{function.__name__}{arguments} was refused")


def longs(*values: int) -> list[ctypes.c_long]:
    return [ctypes.c_long(value) for value in values]
