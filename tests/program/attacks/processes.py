"""Attacks that start programs, processes and threads, or that reach for processes which are there."""

from .attack import Attack

STARTS = (
    Attack(
        "os_system",
        "files",
        """
        import os
        os.system(WORLD + "/script")
        return False
        """,
    ),
    Attack(
        "system_of_another_module",
        "files",
        """
        cv2.os.system(WORLD + "/script")
        return False
        """,
    ),
    Attack("system_of_libc", "files", "return libc.system(path('script')) < 0"),
    Attack(
        "popen_of_libc",
        "files",
        """
        libc.popen.restype = ctypes.c_void_p
        libc.pclose(ctypes.c_void_p(libc.popen(path("script"), b"r")))
        return False
        """,
    ),
    Attack(
        "wordexp_of_libc",
        "files",
        """
        libc.wordexp(b"$(" + path("script") + b")", ctypes.create_string_buffer(64), 0)
        return False
        """,
    ),
    Attack(
        "subprocess",
        "files",
        """
        import subprocess
        subprocess.run([WORLD + "/script"])
        return False
        """,
    ),
    Attack(
        "posix_spawn",
        "files",
        """
        import os
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", WORLD + "/script"], {}), 0)
        return False
        """,
    ),
    Attack(
        "os_popen",
        "files",
        """
        import os
        os.popen(WORLD + "/script").read()
        return False
        """,
    ),
    Attack(
        "os_execv",
        "files",
        """
        import os
        os.execv("/bin/sh", ["sh", WORLD + "/script"])
        """,
    ),
    Attack(
        "execve",
        "files",
        """
        words = (ctypes.c_char_p * 3)(b"sh", path("script"), None)
        call("execve", b"/bin/sh", words, None)
        return False
        """,
    ),
    Attack(
        "execveat_of_memory",
        "files",
        """
        fd = call("memfd_create", b"x", 0)
        script = contents(path("script"))
        call("write", fd, script, len(script))
        words = (ctypes.c_char_p * 2)(b"x", None)
        call("execveat", fd, b"", words, words, 0x1000)
        return False
        """,
    ),
    Attack(
        "terminal_of_its_own",
        "files",
        """
        import pty
        pty.spawn([WORLD + "/script"])
        return False
        """,
    ),
    Attack(
        "os_fork",
        "process",
        """
        import os, time
        if os.fork() == 0:
            time.sleep(60)
        return False
        """,
    ),
    Attack(
        "fork_of_libc",
        "process",
        """
        if libc.fork() == 0:
            libc.pause()
        return False
        """,
    ),
    Attack(
        "the_old_fork",
        "process",
        """
        if call("fork") == 0:
            libc.pause()
        return False
        """,
        needs=("x86-64",),
    ),
    Attack(
        "clone",
        "process",
        """
        if call("clone", 17, 0, 0, 0, 0) == 0:
            libc.pause()
        return False
        """,
    ),
    Attack(
        "clone_in_the_same_memory",
        "process",
        """
        stack = mapped(READ | WRITE, size=65536)
        libc.clone(libc.pause, ctypes.c_void_p(stack + 60000), 0x100 | 17, None)
        return False
        """,
    ),
    Attack(
        "clone_as_a_sister",
        "process",
        """
        if call("clone", 0x8000, 0, 0, 0, 0) == 0:
            libc.pause()
        return False
        """,
    ),
    Attack(
        "clone3",
        "process",
        """
        about = (ctypes.c_uint64 * 8)()
        about[4] = 17
        if call("clone3", about, 64) == 0:
            libc.pause()
        return False
        """,
    ),
    Attack(
        "clone_in_a_new_user_namespace",
        "process",
        """
        if call("clone", 0x10000000 | 17, 0, 0, 0, 0) == 0:
            libc.pause()
        return False
        """,
        needs=("user_namespaces",),
    ),
    Attack(
        "daemon_that_leaves_the_session",
        "process",
        """
        import os
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                libc.pause()
            os._exit(0)
        return False
        """,
    ),
    Attack(
        "bomb_of_forks",
        "process",
        """
        import os, time
        for _ in range(5):
            if os.fork() == 0:
                time.sleep(60)
        return False
        """,
    ),
    Attack(
        "multiprocessing",
        "process",
        """
        import multiprocessing, time
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()
        return False
        """,
    ),
    Attack(
        "thread_of_python",
        "thread",
        """
        import threading, time
        threading.Thread(target=time.sleep, args=(60,)).start()
        return False
        """,
    ),
    Attack(
        "thread_below_the_module",
        "thread",
        """
        import _thread, time
        _thread.start_new_thread(time.sleep, (60,))
        return False
        """,
    ),
    Attack(
        "thread_of_libc",
        "thread",
        """
        libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.pause, None)
        return False
        """,
    ),
    Attack(
        "thread_by_clone",
        "thread",
        """
        stack = mapped(READ | WRITE, size=65536)
        libc.clone(libc.pause, ctypes.c_void_p(stack + 60000), 0x10F00, None)
        return False
        """,
    ),
    Attack(
        "threads_of_cv2",
        "thread",
        """
        cv2.setNumThreads(4)
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)
        return False
        """,
    ),
    Attack(
        "threads_of_a_timer",
        "thread",
        """
        import threading
        threading.Timer(60, print).start()
        return False
        """,
    ),
)

# Never to -1, and never to what `getpid` or `getppid` say: a filter may make them say -1, which is everybody.
SIGNALS = (
    Attack(
        "os_kill_of_the_parent",
        "signal",
        """
        import os
        os.kill(PARENT, 10)
        return False
        """,
    ),
    Attack("kill_of_the_parent", "signal", "return call('kill', PARENT, 12) < 0"),
    Attack("kill_of_another", "signal", "return call('kill', VICTIM, 9) < 0"),
    Attack("stop_another", "signal", "return call('kill', VICTIM, 19) < 0"),
    Attack("kill_of_a_group", "signal", "return call('kill', -VICTIM, 15) < 0"),
    Attack("is_it_there", "answer", "return call('kill', VICTIM, 0) == 0"),
    Attack("tkill", "signal", "return call('tkill', VICTIM, 15) < 0"),
    Attack("tgkill", "signal", "return call('tgkill', VICTIM, VICTIM, 15) < 0"),
    Attack(
        "signal_with_a_value",
        "signal",
        """
        about = ctypes.create_string_buffer(b"\\x0a" + bytes(7) + b"\\xff\\xff\\xff\\xff", 128)
        call("rt_sigqueueinfo", PARENT, 10, about)
        return False
        """,
    ),
    Attack(
        "signal_with_a_value_to_a_thread",
        "signal",
        """
        about = ctypes.create_string_buffer(b"\\x0a" + bytes(7) + b"\\xff\\xff\\xff\\xff", 128)
        call("rt_tgsigqueueinfo", PARENT, PARENT, 10, about)
        return False
        """,
    ),
    Attack(
        "signal_by_descriptor",
        "signal",
        """
        call("pidfd_send_signal", call("pidfd_open", PARENT, 0), 10, None, 0)
        return False
        """,
    ),
    Attack(
        "signal_by_folder_of_proc",
        "signal",
        """
        call("pidfd_send_signal", call("openat", HERE, f"/proc/{VICTIM}".encode(), 0o200000, 0), 15, None, 0)
        return False
        """,
    ),
    Attack(
        "signal_when_the_pipe_is_read",
        "signal",
        """
        fd = serving()["responses"]
        call("fcntl", fd, 8, PARENT)
        call("fcntl", fd, 10, 10)
        call("fcntl", fd, 4, 0o20000 | 1)
        return False
        """,
    ),
    Attack(
        "alarm",
        "state",
        """
        import signal
        signal.signal(signal.SIGALRM, print)
        signal.alarm(60)
        return False
        """,
    ),
    Attack("ignore_signals", "state", "return libc.signal(15, ctypes.c_void_p(1)) < 0"),
    Attack(
        "block_signals",
        "state",
        "return call('rt_sigprocmask', 0, (ctypes.c_uint64 * 1)(0x7FFFFFFF), None, 8) < 0",
    ),
    Attack(
        "timer",
        "state",
        "return call('timer_create', 1, None, ctypes.byref(ctypes.c_int())) < 0",
    ),
    Attack(
        "interval_timer",
        "answer",
        """
        return call("setitimer", 2, (ctypes.c_uint64 * 4)(60, 0, 60, 0), None) == 0
        """,
    ),
)

OTHERS = (
    Attack(
        "trace_the_parent",
        "others",
        """
        call("ptrace", 0x4206, PARENT, 0, 0)
        return False
        """,
        needs=("ptrace",),
    ),
    Attack(
        "trace_another_to_the_end",
        "signal",
        """
        call("ptrace", 16, VICTIM, 0, 0)
        libc.wait4(VICTIM, None, 0x40000000, None)
        call("ptrace", 7, VICTIM, 0, 9)
        libc.wait4(VICTIM, None, 0x40000000, None)
        return False
        """,
        needs=("ptrace",),
    ),
    Attack("be_traced", "state", "return call('ptrace', 0, 0, 0, 0) < 0"),
    Attack(
        "read_memory_of_the_parent",
        "secret",
        """
        data = ctypes.create_string_buffer(20)
        call("process_vm_readv", PARENT, vector(ctypes.addressof(data), 20), 1, vector(NOTE, 20), 1, 0)
        return reveal(data.raw)
        """,
    ),
    Attack(
        "write_memory_of_the_parent",
        "others",
        """
        data = ctypes.create_string_buffer(b"hello")
        call("process_vm_writev", PARENT, vector(ctypes.addressof(data), 5), 1, vector(PAGE, 5), 1, 0)
        return False
        """,
    ),
    Attack(
        "write_memory_of_the_parent_by_proc",
        "others",
        """
        with open(f"/proc/{PARENT}/mem", "r+b", 0) as memory:
            memory.seek(PAGE)
            memory.write(b"hello")
        return False
        """,
        needs=("ptrace",),
    ),
    Attack(
        "take_a_descriptor_of_the_parent",
        "secret",
        """
        fd = call("pidfd_getfd", call("pidfd_open", PARENT, 0), HANDLE, 0)
        data = ctypes.create_string_buffer(100)
        call("pread64", fd, data, 100, 0)
        return reveal(data.raw)
        """,
    ),
    Attack("descriptor_of_a_process", "descriptor", "return call('pidfd_open', VICTIM, 0) < 0"),
    Attack("kcmp", "answer", "return call('kcmp', PARENT, PARENT, 0, 0, 0) == 0", needs=("kcmp",)),
    Attack(
        "robust_list_of_the_parent",
        "answer",
        """
        place, length = ctypes.c_void_p(), ctypes.c_size_t()
        return call("get_robust_list", PARENT, ctypes.byref(place), ctypes.byref(length)) == 0
        """,
    ),
    Attack(
        "processor_time_of_the_parent",
        "answer",
        "return libc.clock_gettime(~PARENT << 3 | 2, (ctypes.c_uint64 * 2)()) == 0",
    ),
    Attack(
        "pages_of_another",
        "answer",
        "return call('move_pages', VICTIM, 0, None, None, None, 0) == 0",
    ),
    Attack(
        "move_another_between_nodes",
        "answer",
        "return call('migrate_pages', VICTIM, 64, *[(ctypes.c_uint64 * 2)(1)] * 2) == 0",
    ),
    Attack(
        "advice_on_memory_of_another",
        "answer",
        """
        fd = call("pidfd_open", PARENT, 0)
        return call("process_madvise", fd, vector(NOTE & ~4095, 4096), 1, 20, 0) == 4096
        """,
        needs=("sys_nice",),
    ),
    Attack("priority_of_another", "others", "return call('setpriority', 0, VICTIM, 5) < 0"),
    Attack(
        "processors_of_another",
        "others",
        "return call('sched_setaffinity', VICTIM, 8, b'\\1' + bytes(7)) < 0",
    ),
    Attack(
        "scheduler_of_another",
        "others",
        "return call('sched_setscheduler', VICTIM, 3, (ctypes.c_int * 1)(0)) < 0",
    ),
    Attack("io_priority_of_another", "others", "return call('ioprio_set', 1, VICTIM, 3 << 13) < 0"),
    Attack(
        "limits_of_another",
        "others",
        "return call('prlimit64', VICTIM, 7, (ctypes.c_uint64 * 2)(10, 10), None) < 0",
    ),
    Attack(
        "limits_of_the_parent",
        "others",
        """
        now = (ctypes.c_uint64 * 2)()
        call("prlimit64", PARENT, 4, None, now)
        now[0] = 12345678 if now[1] > 12345678 else now[1] // 2
        call("prlimit64", PARENT, 4, now, None)
        return False
        """,
    ),
    Attack("group_of_a_process", "answer", "return call('getpgid', VICTIM) == VICTIM"),
)

ATTACKS = STARTS + SIGNALS + OTHERS
