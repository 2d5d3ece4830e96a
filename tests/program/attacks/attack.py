"""A hostile program: what it does, and what would be seen of it outside of its process."""

from __future__ import annotations

import platform
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from vlmcar.types import Program, SubTask

NATIVE = Path(__file__).with_name("prelude.py").read_text(encoding="utf-8")
NAMES = set(re.findall(r"^(?:import |def )?(\w+)", NATIVE, re.MULTILINE)) - {
    "import",
    "def",
    "from",
    "os",
    "sys",
}

PLAIN = '''
def reveal(data):
    """The secret that a text holds, as an answer: 0.0 without one."""
    data = data.encode() if type(data) is str else bytes(data)
    at = data.find(b"secret-")
    return int(data[at + 7 : at + 12]) / 100000 if at >= 0 else 0.0
'''


@dataclass(frozen=True)
class Attack:
    """One program, and how to see whether it got anywhere."""

    name: str
    evidence: str
    """Which of the effects in `world.py` it has when nothing holds it."""
    body: str
    """Lines of ``first(initial, frame)``. They may use `PLAIN`, `prelude.py` and the constants of the world."""
    needs: tuple[str, ...] = ()
    """Names in `machine.NEEDS`: what the machine must have for the attack to exist."""
    requests: int = 1
    seconds: float = 10.0
    """Deadline. Shorter for those that never answer."""
    memory_mb: int = 512
    layer: str = "seccomp"
    """Which layer alone must hold it."""

    @property
    def native(self) -> bool:
        """Whether it needs `prelude.py`."""
        return bool(set(re.findall(r"\w+", self.body)) & NAMES)

    def program(self, constants: dict[str, object]) -> Program:
        body = textwrap.indent(textwrap.dedent(self.body).strip(), "    ")
        text = [
            '"""An attack."""',
            "import cv2",
            "import numpy as np",
            *(f"{name} = {value!r}" for name, value in constants.items() if self.native or name in body),
            NATIVE if self.native else "",
            PLAIN,
            f"def first(initial, frame):\n{body}",
        ]
        return Program((SubTask("first", "The first thing."),), "\n".join(text) + "\n")


ROWS = """
    read 0 63, write 1 64, open 2 -, close 3 57, mmap 9 222, mprotect 10 226, brk 12 214, ioctl 16 29
    pread64 17 67, readv 19 65, mremap 25 216, madvise 28 233, shmget 29 194, shmat 30 196, dup 32 23
    alarm 37 -, setitimer 38 103, sendfile 40 71, socket 41 198, connect 42 203, sendto 44 206
    bind 49 200, listen 50 201, socketpair 53 199, clone 56 220, fork 57 -, execve 59 221, kill 62 129
    semget 64 190, msgget 68 186, fcntl 72 25, truncate 76 45, creat 85 -, umask 95 166, syslog 103 116
    ptrace 101 117, setgid 106 144, setresuid 117 147, setgroups 116 159, capset 126 91
    rt_sigqueueinfo 129 138, personality 135 92, setpriority 141 140, sched_setscheduler 144 119
    modify_ldt 154 -, pivot_root 155 41, prctl 157 167, adjtimex 159 171, chroot 161 51, acct 163 89
    settimeofday 164 170, mount 165 40, umount2 166 39, sethostname 170 161, setdomainname 171 162
    quotactl 179 60, setxattr 188 5, getxattr 191 8, tkill 200 130, sched_setaffinity 203 122
    remap_file_pages 216 234, getdents64 217 61, timer_create 222 107, clock_settime 227 112
    tgkill 234 131, mq_open 240 180, mq_unlink 241 181, add_key 248 217, keyctl 250 219, ioprio_set 251 30
    inotify_init1 294 26, migrate_pages 256 238, openat 257 56, mkdirat 258 34, mknodat 259 33
    fchownat 260 54, unlinkat 263 35, linkat 265 37, symlinkat 266 36, readlinkat 267 78, fchmodat 268 53
    unshare 272 97, get_robust_list 274 100, splice 275 76, tee 276 77, vmsplice 278 75, move_pages 279 239
    utimensat 280 88, timerfd_create 283 85, fallocate 285 47, signalfd4 289 74, eventfd2 290 19
    epoll_create1 291 20, pipe2 293 59, rt_tgsigqueueinfo 297 240, perf_event_open 298 241
    fanotify_init 300 262, prlimit64 302 261, name_to_handle_at 303 264, open_by_handle_at 304 265
    clock_adjtime 305 266, setns 308 268, process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272
    sched_setattr 314 274, renameat2 316 276, seccomp 317 277, memfd_create 319 279, bpf 321 280
    execveat 322 281, userfaultfd 323 282, copy_file_range 326 285, pkey_mprotect 329 288, statx 332 291
    pidfd_send_signal 424 424, io_uring_setup 425 425, io_uring_enter 426 426, open_tree 428 428
    fsopen 430 430, pidfd_open 434 434, clone3 435 435, openat2 437 437, pidfd_getfd 438 438
    faccessat2 439 439, process_madvise 440 440, landlock_create_ruleset 444 444, memfd_secret 447 447
    process_mrelease 448 448, cachestat 451 451, fchmodat2 452 452, membarrier 324 283, getpgid 121 155
    setsid 112 157, setpgid 109 154, munmap 11 215, mlock 149 228, mlockall 151 230, set_mempolicy 238 237
    fchdir 81 50, chdir 80 49, fsync 74 82, sync 162 81, ustat 136 -, swapoff 168 225, mincore 27 232
    msync 26 227, statmount 457 457, listmount 458 458, lsm_get_self_attr 459 459, setxattrat 463 463
    vhangup 153 58, iopl 172 -, ioperm 173 -, arch_prctl 158 -, rseq 334 293, futex 202 98
    pause 34 -, rt_sigaction 13 134, rt_sigprocmask 14 135, sigaltstack 131 132, getsockopt 55 209
    nanosleep 35 101, sched_yield 24 124, sendmsg 46 211, pwrite64 18 68, writev 20 66
    file_getattr 468 468, exit 60 93, wait4 61 260, epoll_ctl 233 21, gettid 186 178, poll 7 -, ppoll 271 73
"""
COLUMN = {"x86_64": 1, "aarch64": 2}.get(platform.machine(), 2)
NUMBERS = {
    row.split()[0]: int(row.split()[COLUMN])
    for line in ROWS.strip().splitlines()
    for row in line.split(",")
    if row.split()[COLUMN] != "-"
}
"""System call -> its number on this machine."""


def code(path: bytes) -> bytes:
    """Machine code that creates a file by itself, and returns."""
    if platform.machine() == "x86_64":
        start = bytes.fromhex("b802000000 488d3d0d000000 be41000000 bab6010000 0f05 c3")
        return start[:8] + (len(start) - 12).to_bytes(4, "little") + start[12:] + path + b"\0"
    words = (0x92800C60, 0x100000C1, 0xD2800822, 0xD28036C3, 0xD2800708, 0xD4000001, 0xD65F03C0)
    return b"".join(word.to_bytes(4, "little") for word in words) + path + b"\0"


def code_of_i386(path: bytes) -> bytes:
    """The same by ``int 0x80``, the entry for 32-bit programs; must lie below 4 GiB."""
    start = bytes.fromhex("53 b805000000 488d1d00000000 b941000000 bab6010000 cd80 5b c3")
    return start[:9] + (len(start) - 13).to_bytes(4, "little") + start[13:] + path + b"\0"
