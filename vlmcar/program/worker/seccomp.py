"""The system-call filter: what a worker may still ask of the kernel once it judges frames.

Three answers. Allowed is what numpy and OpenCV need on memory they have, and only with harmless arguments: reading
requests, writing responses, anonymous memory that is not executable. Refused with an error (`REFUSED`) is what honest
code may trip on, or what the worker's own probe tries. Anything else ends the process.

The filter is a classic BPF program over ``struct seccomp_data``, see the kernel's
``Documentation/userspace-api/seccomp_filter.rst``.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Mapping
from typing import NamedTuple

ALLOWED: Mapping[str, tuple[int, int]] = {
    "read": (0, 63),
    "write": (1, 64),
    "futex": (202, 98),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "brk": (12, 214),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "clock_gettime": (228, 113),
    "rt_sigreturn": (15, 139),
    "restart_syscall": (219, 128),
    "exit_group": (231, 94),
}
"""Name -> number on x86-64 and on aarch64. Some are restricted by their arguments, see `instructions`."""

ABSENT = -1
REFUSED: Mapping[str, tuple[int, int]] = {
    # files
    "open": (2, ABSENT),
    "openat": (257, 56),
    "openat2": (437, 437),
    "stat": (4, ABSENT),
    "lstat": (6, ABSENT),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, ABSENT),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, ABSENT),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "memfd_create": (319, 279),
    # descriptors
    "close": (3, 57),
    "close_range": (436, 436),
    "dup": (32, 23),
    "dup2": (33, ABSENT),
    "dup3": (292, 24),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "lseek": (8, 62),
    "pipe": (22, ABSENT),
    "pipe2": (293, 59),
    "poll": (7, ABSENT),
    "ppoll": (271, 73),
    "select": (23, ABSENT),
    "pselect6": (270, 72),
    "socket": (41, 198),
    # processes and threads
    "fork": (57, ABSENT),
    "vfork": (58, ABSENT),
    "clone": (56, 220),
    "clone3": (435, 435),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "sigaltstack": (131, 132),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    # who and where am I
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrusage": (98, 165),
    "getrlimit": (97, 163),
    "prlimit64": (302, 261),
    "getrandom": (318, 278),
    # memory policy: OpenBLAS tries it at its first large product
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    "set_mempolicy": (238, 237),
}
"""As `ALLOWED`. ``clone3`` fails with ENOSYS, so that libc falls back to ``clone``; all others with EPERM."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = tuple(AUDIT_ARCH)
X32_BIT = 0x40000000
"""Numbers from here on are x86-64's second set of entry points, with other numbers: never used."""

ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NR, ARCH = 0, 4
"""Offsets in ``struct seccomp_data``; argument i is at 16 + 8 * i, low half first."""

LOAD, AND, RETURN = 0x20, 0x54, 0x06
EQUAL, AT_LEAST, ANY_BIT = 0x15, 0x35, 0x45

PROT_EXEC, MAP_ANONYMOUS = 0x4, 0x20
CLOCKS = 16
"""The kernel's own clocks have lower numbers."""
FUTEX_FLAGS = 128 | 256
FUTEX_OPERATIONS = (0, 1, 9, 10)
"""WAIT, WAKE and both with a bit set; the flags only say private memory and which clock."""

SET_MODE_FILTER, ALL_THREADS = 1, 1
SECCOMP = {"x86_64": 317, "aarch64": 277}


class Instruction(NamedTuple):
    """``struct sock_filter``: a jump skips ``yes`` or ``no`` instructions."""

    code: int
    yes: int
    no: int
    value: int


def argument(index: int) -> Instruction:
    """Load the low half of an argument; the kernel reads descriptors, flags and operations from there."""
    return Instruction(LOAD, 0, 0, 16 + 8 * index)


def give(action: int) -> Instruction:
    return Instruction(RETURN, 0, 0, action)


def only(values: tuple[int, ...]) -> list[Instruction]:
    """Allow if the loaded value is one of these, refuse otherwise."""
    jumps = [Instruction(EQUAL, len(values) - n, 0, value) for n, value in enumerate(values)]
    return [*jumps, give(ERRNO | errno.EPERM), give(ALLOW)]


def instructions(machine: str, requests: int, responses: int) -> list[Instruction]:
    """The filter for one worker.

    Args:
        machine: one of `MACHINES`.
        requests: the one descriptor that may be read.
        responses: a descriptor that may be written; 1 and 2, which lead to /dev/null, are the others.
    """
    column = MACHINES.index(machine)
    refuse = give(ERRNO | errno.EPERM)
    checked = {
        "read": [argument(0), *only((requests,))],
        "write": [argument(0), *only((responses, 1, 2))],
        "futex": [argument(1), Instruction(AND, 0, 0, ~FUTEX_FLAGS & 0xFFFFFFFF), *only(FUTEX_OPERATIONS)],
        "mmap": [
            argument(2),
            Instruction(ANY_BIT, 2, 0, PROT_EXEC),
            argument(3),
            Instruction(ANY_BIT, 1, 0, MAP_ANONYMOUS),
            refuse,
            give(ALLOW),
        ],
        "mprotect": [argument(2), Instruction(ANY_BIT, 0, 1, PROT_EXEC), refuse, give(ALLOW)],
        # Higher numbers, and negative ones, are clocks of other processes and of devices.
        "clock_gettime": [argument(0), Instruction(AT_LEAST, 0, 1, CLOCKS), refuse, give(ALLOW)],
        "clone3": [give(ERRNO | errno.ENOSYS)],
    }
    program = [
        Instruction(LOAD, 0, 0, ARCH),
        Instruction(EQUAL, 1, 0, AUDIT_ARCH[machine]),
        give(KILL_PROCESS),
        Instruction(LOAD, 0, 0, NR),
        Instruction(AT_LEAST, 0, 1, X32_BIT),
        give(KILL_PROCESS),
    ]
    for table, otherwise in ((ALLOWED, give(ALLOW)), (REFUSED, refuse)):
        for name, numbers in table.items():
            if numbers[column] != ABSENT:
                block = checked.get(name, [otherwise])
                program += [Instruction(EQUAL, 0, len(block), numbers[column]), *block]
    return [*program, give(KILL_PROCESS)]


def install(requests: int, responses: int) -> bool:
    """Put the filter on this process, for good; False where kernel or machine have none.

    Needs no-new-privileges to be set before.
    """
    machine = platform.machine()
    if machine not in MACHINES:
        return False
    program = instructions(machine, requests, responses)
    packed = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    code = ctypes.create_string_buffer(packed, len(packed))
    # struct sock_fprog: number of instructions, padding, their address.
    fprog = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    return bool(syscall(*map(ctypes.c_long, (SECCOMP[machine], SET_MODE_FILTER, ALL_THREADS)), fprog) == 0)
