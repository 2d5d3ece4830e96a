"""Attacks on the worker's own rights and limits, on the system, and on what the kernel offers to few."""

from .attack import Attack

ITSELF = (
    Attack(
        "raise_a_limit",
        "state",
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        return False
        """,
    ),
    Attack("prlimit", "state", "return call('prlimit64', 0, 7, (ctypes.c_uint64 * 2)(10, 20), None) < 0"),
    Attack("priority", "state", "return call('setpriority', 0, 0, 5) < 0"),
    Attack("nice_of_python", "state", "import os\nos.nice(3)\nreturn False"),
    Attack("processors", "state", "return call('sched_setaffinity', 0, 8, b'\\1' + bytes(7)) < 0"),
    Attack("scheduler", "state", "return call('sched_setscheduler', 0, 3, (ctypes.c_int * 1)(0)) < 0"),
    Attack(
        "scheduler_by_attributes",
        "state",
        "return call('sched_setattr', 0, b'\\x30' + bytes(3) + b'\\3' + bytes(43), 0) < 0",
    ),
    Attack("io_priority", "state", "return call('ioprio_set', 1, 0, 3 << 13) < 0"),
    Attack("umask", "state", "return call('umask', 0o777) < 0"),
    Attack("personality", "state", "return call('personality', 0x0040000) < 0", needs=("personality",)),
    Attack("name_of_the_process", "state", "return call('prctl', 15, b'innocent', 0, 0, 0) < 0"),
    Attack("slack_of_timers", "answer", "return call('prctl', 29, 1000, 0, 0, 0) == 0"),
    Attack("outlive_the_parent", "answer", "return call('prctl', 1, 0, 0, 0, 0) == 0"),
    Attack("adopt_orphans", "answer", "return call('prctl', 36, 1, 0, 0, 0) == 0"),
    Attack("be_dumpable", "answer", "return call('prctl', 4, 0, 0, 0, 0) == 0"),
    Attack("no_huge_pages", "state", "return call('prctl', 41, 1, 0, 0, 0) < 0"),
    Attack("be_traced_by_anybody", "answer", "return call('prctl', 3, 0, 0, 0, 0) in (0, 1, 2)"),
    Attack("filter_of_its_own", "state", "return call('prctl', 22, 1, 0, 0, 0) < 0"),
    Attack(
        "filter_that_allows_all",
        "state",
        """
        code = ctypes.create_string_buffer(b"\\6" + bytes(5) + b"\\xff\\x7f", 8)
        return call("seccomp", 1, 0, (ctypes.c_uint64 * 2)(1, ctypes.addressof(code))) < 0
        """,
    ),
    Attack(
        "domain_of_landlock",
        "descriptor",
        "return call('landlock_create_ruleset', (ctypes.c_uint64 * 1)(1), 8, 0) < 0",
    ),
    Attack("folder_of_the_process", "state", "return call('chdir', path('folder')) < 0"),
    Attack(
        "root_of_the_process", "state", "return call('chroot', path('folder')) < 0", needs=("sys_chroot",)
    ),
    Attack("session_of_its_own", "answer", "return call('setpgid', 0, 0) == 0 or call('getpgid', 0) > 0"),
    Attack("other_user", "state", "return call('setresuid', 12345, 12345, 12345) < 0", needs=("root",)),
    Attack("other_group", "state", "return call('setgid', 12345) < 0", needs=("root",)),
    Attack(
        "other_groups", "state", "return call('setgroups', 1, (ctypes.c_int * 1)(7)) < 0", needs=("root",)
    ),
    Attack(
        "capabilities",
        "state",
        """
        import struct
        header = struct.pack("<Ii", 0x20080522, 0)
        return call("capset", header, struct.pack("<6I", 1, 1, 1, 0, 0, 0)) < 0
        """,
        needs=("root",),
    ),
    Attack("user_namespace", "state", "return call('unshare', 0x10000000) < 0", needs=("user_namespaces",)),
    Attack("network_namespace", "state", "return call('unshare', 0x40000000) < 0", needs=("sys_admin",)),
    Attack("mount_namespace", "state", "return call('unshare', 0x20000) < 0", needs=("sys_admin",)),
    Attack("shared_tables_apart", "answer", "return call('unshare', 0x400) == 0"),
    Attack(
        "namespace_of_another",
        "answer",
        "return call('setns', call('openat', HERE, f'/proc/{VICTIM}/ns/uts'.encode(), 0, 0), 0) == 0",
        needs=("sys_admin",),
    ),
    Attack(
        "mount",
        "objects",
        "return call('mount', b'none', path('folder'), b'tmpfs', 0, None) < 0",
        needs=("sys_admin",),
    ),
    Attack(
        "pivot_root",
        "state",
        """
        call("unshare", 0x20000)
        call("mount", None, b"/", None, 0x44000, None)
        call("mount", path("folder"), path("folder"), None, 0x1000, None)
        call("chdir", path("folder"))
        return call("pivot_root", b".", b".") < 0
        """,
        needs=("sys_admin",),
    ),
    Attack("file_system", "descriptor", "return call('fsopen', b'tmpfs', 0) < 0", needs=("mount_api",)),
    Attack(
        "tree_of_mounts",
        "descriptor",
        "return call('open_tree', HERE, path(''), 1) < 0",
        needs=("mount_api",),
    ),
)

DESCRIPTORS = (
    Attack("pipe", "descriptor", "return call('pipe2', (ctypes.c_int * 2)(), 0) < 0"),
    Attack("event", "descriptor", "return call('eventfd2', 0, 0) < 0"),
    Attack("epoll", "descriptor", "return call('epoll_create1', 0) < 0"),
    Attack("timer_descriptor", "descriptor", "return call('timerfd_create', 1, 0) < 0"),
    Attack(
        "signal_descriptor", "descriptor", "return call('signalfd4', -1, (ctypes.c_uint64 * 1)(0), 8, 0) < 0"
    ),
    Attack("inotify", "descriptor", "return call('inotify_init1', 0) < 0"),
    Attack("fanotify", "descriptor", "return call('fanotify_init', 0, 0) < 0", needs=("fanotify",)),
    Attack("userfaultfd", "descriptor", "return call('userfaultfd', 1) < 0", needs=("userfaultfd",)),
    Attack("io_uring", "descriptor", "return call('io_uring_setup', 1, bytes(120)) < 0", needs=("io_uring",)),
    Attack(
        "performance_events",
        "descriptor",
        "return call('perf_event_open', b'\\1' + bytes(3) + b'\\x70' + bytes(35) + b'\\x60' + bytes(87), 0, -1, -1, 0) < 0",
        needs=("perf",),
    ),
    Attack(
        "bpf_map",
        "descriptor",
        "return call('bpf', 0, (ctypes.c_uint32 * 18)(2, 4, 4, 1), 72) < 0",
        needs=("bpf",),
    ),
    Attack("duplicate", "descriptor", "return call('dup', serving()['responses']) < 0"),
    Attack("descriptor_of_a_terminal", "descriptor", "return libc.posix_openpt(O_RDWR) < 0"),
    Attack("close_a_descriptor", "state", "return call('close', 0) < 0"),
    Attack(
        "blocking_of_the_pipe", "answer", "return call('fcntl', serving()['responses'], 1031, 65536) >= 0"
    ),
    Attack(
        "ioctl_of_the_pipe",
        "answer",
        "return call('ioctl', serving()['requests'], 0x541B, (ctypes.c_int * 1)()) == 0",
    ),
)

SYSTEM = (
    Attack(
        "name_of_the_host",
        "answer",
        """
        name = os.uname().nodename.encode()
        return call("sethostname", name, len(name)) == 0
        """,
        needs=("sys_admin",),
    ),
    Attack(
        "name_of_the_domain",
        "answer",
        """
        name = contents(b"/proc/sys/kernel/domainname").strip()
        return call("setdomainname", name, len(name)) == 0
        """,
        needs=("sys_admin",),
    ),
    Attack(
        "clock", "answer", "return call('settimeofday', None, (ctypes.c_int * 2)()) == 0", needs=("sys_time",)
    ),
    Attack(
        "speed_of_the_clock",
        "answer",
        "return call('adjtimex', ctypes.create_string_buffer(208)) >= 0",
    ),
    Attack(
        "speed_of_a_clock",
        "answer",
        "return call('clock_adjtime', 0, ctypes.create_string_buffer(208)) >= 0",
    ),
    Attack("log_of_the_kernel", "answer", "return call('syslog', 10, None, 0) >= 0", needs=("syslog",)),
    Attack("quota", "answer", "return call('quotactl', 0x80000100, None, 0, None) == 0"),
    Attack("key", "answer", "return call('add_key', b'user', b'x', b'x', 1, -2) > 0", needs=("keys",)),
    Attack("keyring", "answer", "return call('keyctl', 0, -2, 1) > 0", needs=("keys",)),
    Attack(
        "write_everything_to_disk",
        "answer",
        "return call('fsync', call('openat', HERE, path('secret.txt'), O_RDWR, 0)) == 0",
    ),
    Attack("barrier_on_all_processors", "answer", "return call('membarrier', 0, 0, 0) >= 0"),
    Attack("random_numbers", "answer", "import os\nreturn len(os.urandom(8)) == 8"),
    Attack("name_of_the_system", "answer", "import os\nreturn len(os.uname().nodename) > 0"),
    Attack(
        "user_of_the_process",
        "answer",
        "return libc.getlogin_r(bytes(64), 64) == 0 or libc.getuid() < 100000 and libc.getuid() >= 0",
    ),
    Attack("load_of_the_system", "answer", "import os\nreturn os.getloadavg()[0] >= 0"),
    Attack("memory_of_the_system", "answer", "return libc.sysinfo(ctypes.create_string_buffer(200)) == 0"),
    Attack(
        "processors_of_the_system",
        "answer",
        "import os\nreturn os.cpu_count() is not None and libc.sched_getaffinity(0, 128, bytes(128)) >= 0",
    ),
    Attack("sleep", "answer", "import time\ntime.sleep(0.001)\nreturn True"),
)

ATTACKS = ITSELF + DESCRIPTORS + SYSTEM
