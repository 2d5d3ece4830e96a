"""What a machine must have for an attack to exist at all, and a sentence where it has not."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from .attack import NUMBERS

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ENOSYS, EPERM, EACCES = 38, 1, 13


def known(name: str, *arguments: int) -> bool:
    """Whether the kernel has a system call and refuses it to nobody: these arguments make it fail otherwise."""
    if name not in NUMBERS:
        return False
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *[ctypes.c_long(word) for word in arguments])
    return result != -1 or ctypes.get_errno() not in (ENOSYS, EPERM, EACCES)


def capable(number: int) -> bool:
    """Whether this process has a capability, by its number."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
    ]
    return bool(int(line.split()[1], 16) >> number & 1)


def extended_attributes() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        try:
            os.setxattr(file.name, "user.test", b"1")
        except OSError:
            return False
    return True


def may_use_bpf() -> bool:
    return capable(39) or capable(21) or setting("kernel/unprivileged_bpf_disabled") == "0"


def setting(name: str) -> str:
    """A file below /proc/sys, empty where there is none."""
    place = Path("/proc/sys", name)
    return place.read_text().strip() if place.exists() else ""


def traces() -> bool:
    return capable(19) or setting("kernel/yama/ptrace_scope") in ("", "0")


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "root": (lambda: os.geteuid() == 0, "only root can do this, and these tests do not run as root"),
    "x86-64": (lambda: platform.machine() == "x86_64", "this is an attack on x86-64 processors"),
    "xattr": (extended_attributes, "the file system of the temporary folder has no extended attributes"),
    "ptrace": (traces, "this kernel (Yama) lets nobody look into a process that it has not started"),
    "ipv6": (lambda: Path("/proc/net/if_inet6").exists(), "this machine has no IPv6"),
    "cc": (lambda: shutil.which("cc") is not None, "there is no C compiler"),
    "sys_admin": (lambda: capable(21), "this process may not mount: it lacks CAP_SYS_ADMIN"),
    "sys_nice": (lambda: capable(23), "this process may not raise priorities: it lacks CAP_SYS_NICE"),
    "sys_time": (lambda: capable(25), "this process may not set clocks: it lacks CAP_SYS_TIME"),
    "net_raw": (lambda: capable(13), "this process may not use raw sockets: it lacks CAP_NET_RAW"),
    "sys_chroot": (lambda: capable(18), "this process may not chroot: it lacks CAP_SYS_CHROOT"),
    "dac_read": (lambda: capable(2), "this process may not open by handle: it lacks CAP_DAC_READ_SEARCH"),
    "checkpoint": (lambda: capable(40), "this process lacks CAP_CHECKPOINT_RESTORE"),
    "syslog": (lambda: capable(34), "this process may not read the kernel's log: it lacks CAP_SYSLOG"),
    "io_uring": (lambda: known("io_uring_setup", 0, 0), "this machine has io_uring switched off"),
    "userfaultfd": (lambda: known("userfaultfd", -1), "this machine has userfaultfd switched off"),
    "perf": (lambda: known("perf_event_open", 0, 0, -1, -1, 0), "this machine has no perf events"),
    "bpf": (
        lambda: known("bpf", 0, 0, 0) and may_use_bpf(),
        "bpf is for privileged processes on this machine",
    ),
    "keys": (lambda: known("keyctl", 0, -1, 0), "this machine has no kernel keyrings"),
    "kcmp": (lambda: known("kcmp", 0, 0, -1, 0, 0), "this kernel has no kcmp"),
    "user_namespaces": (
        lambda: fork_can("unshare", 0x10000000),
        "no user namespaces",
    ),
    "memfd_secret": (lambda: known("memfd_secret", -1), "this kernel has no memfd_secret"),
    "mount_api": (lambda: capable(21) and known("fsopen", 0, 0), "this process may not use the mount API"),
    "pkeys": (lambda: known("pkey_mprotect", 1, 0, 0, -1), "this kernel has no protection keys"),
    "ldt": (lambda: known("modify_ldt", 0, 0, 0), "this kernel has no modify_ldt"),
    "personality": (lambda: known("personality", 0xFFFFFFFF), "personality() is refused to everybody here"),
    "mqueue": (lambda: known("mq_unlink", 0), "this kernel has no message queues"),
    "sysv": (lambda: Path("/proc/sysvipc/shm").exists(), "this kernel has no System V objects"),
    "fanotify": (lambda: capable(21) and known("fanotify_init", -1, 0), "fanotify needs CAP_SYS_ADMIN"),
    "i386": (lambda: platform.machine() == "x86_64" and runs_i386(), "this kernel runs no 32-bit programs"),
}


def fork_can(name: str, *arguments: int) -> bool:
    """Whether a system call succeeds in a child that ends at once."""
    pid = os.fork()
    if pid == 0:
        words = [ctypes.c_long(word) for word in arguments]
        os._exit(0 if libc.syscall(ctypes.c_long(NUMBERS[name]), *words) != -1 else 1)
    return os.waitpid(pid, 0)[1] == 0


@cache
def runs_i386() -> bool:
    """int 0x80 with getpid in eax, in a child."""
    import mmap

    pid = os.fork()
    if pid == 0:
        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(bytes.fromhex("b814000000 cd80 c3"))
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        os._exit(0 if ctypes.CFUNCTYPE(ctypes.c_long)(address)() == os.getpid() else 1)
    return os.waitpid(pid, 0)[1] == 0


@cache
def missing(need: str) -> str:
    """Why this machine lacks something, or an empty text."""
    there, sentence = NEEDS[need]
    return "" if there() else sentence
