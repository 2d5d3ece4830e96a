"""Attacks by machine code and by memory that others see."""

from .attack import Attack

ATTACKS = (
    Attack(
        "memory_to_write_and_execute",
        "files",
        """
        address = mapped(READ | WRITE | EXEC)
        put(CODE, address)
        jump(address)
        return False
        """,
    ),
    Attack(
        "mmap_module_to_execute",
        "mapping",
        """
        import mmap
        cv2.kept = mmap.mmap(-1, 4096, prot=7)
        return False
        """,
    ),
    Attack(
        "memory_that_becomes_executable",
        "files",
        """
        address = mapped(READ | WRITE)
        put(CODE, address)
        call("mprotect", address, 4096, READ | EXEC)
        jump(address)
        return False
        """,
    ),
    Attack(
        "heap_that_becomes_executable",
        "files",
        """
        address = libc.sbrk(8192) + 4095 & ~4095
        put(CODE, address)
        call("mprotect", address, 4096, READ | WRITE | EXEC)
        jump(address)
        return False
        """,
    ),
    Attack(
        "stack_that_becomes_executable",
        "mapping",
        """
        libc.pthread_getattr_np.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
        libc.pthread_self.restype = ctypes.c_ulong
        about, base, size = ctypes.create_string_buffer(64), ctypes.c_uint64(), ctypes.c_uint64()
        libc.pthread_getattr_np(libc.pthread_self(), about)
        libc.pthread_attr_getstack(about, ctypes.byref(base), ctypes.byref(size))
        call("mprotect", base.value + size.value - 4096, 4096, 7 | 0x01000000)
        return False
        """,
    ),
    Attack(
        "memory_with_a_key",
        "files",
        """
        address = mapped(READ | WRITE)
        put(CODE, address)
        call("pkey_mprotect", address, 4096, READ | EXEC, -1)
        jump(address)
        return False
        """,
        needs=("pkeys",),
    ),
    Attack(
        "machine_code_from_a_file",
        "files",
        """
        fd = call("openat", HERE, path("code"), O_RDWR | O_CREAT, 0o777)
        call("write", fd, CODE, len(CODE))
        jump(call("mmap", None, 4096, READ | EXEC, 2, fd, 0))
        return False
        """,
    ),
    Attack(
        "machine_code_in_a_memory_file",
        "files",
        """
        fd = call("memfd_create", b"x", 0)
        call("write", fd, CODE, len(CODE))
        jump(call("mmap", None, 4096, READ | EXEC, 1, fd, 0))
        return False
        """,
    ),
    Attack(
        "machine_code_in_a_segment",
        "files",
        """
        segment = call("shmget", KEY, 4096, 0o1777)
        address = call("shmat", segment, None, 0o100000)
        put(CODE, address)
        jump(address)
        return False
        """,
        needs=("sysv",),
    ),
    Attack(
        "reading_implies_execution",
        "files",
        """
        call("personality", 0x0400000)
        address = mapped(READ | WRITE)
        put(CODE, address)
        jump(address)
        return False
        """,
        needs=("personality", "x86-64"),
    ),
    Attack(
        "text_of_a_library_by_proc",
        "files",
        """
        place = ctypes.cast(libc.ftw, ctypes.c_void_p).value
        with open("/proc/self/mem", "r+b", 0) as memory:
            memory.seek(place)
            memory.write(CODE)
        jump(place)
        return False
        """,
    ),
    Attack(
        "text_of_a_library_made_writable",
        "files",
        """
        place = ctypes.cast(libc.ftw, ctypes.c_void_p).value
        call("mprotect", place & ~4095, 8192, READ | WRITE | EXEC)
        put(CODE, place)
        jump(place)
        return False
        """,
    ),
    Attack(
        "closure_of_ctypes",
        "mapping",
        """
        cv2.kept = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)
        cv2.kept()
        return False
        """,
    ),
    Attack(
        "entry_for_32_bit_programs",
        "files",
        """
        address = mapped(READ | WRITE | EXEC, PRIVATE_ANONYMOUS | 0x40)
        put(CODE32, address)
        jump(address)
        return False
        """,
        needs=("i386",),
    ),
    Attack(
        "entry_for_32_bit_programs_without_code_of_its_own",
        "files",
        """
        low = mapped(READ | WRITE, PRIVATE_ANONYMOUS | 0x40, 65536)
        put(path("untouched.txt") + bytes(1), low)
        gadget = place_of(cv2.imread) + ctypes.string_at(place_of(cv2.imread), 4 << 20).index(b"\\xcd\\x80")
        # Number 10 is unlink there; here it is mprotect, which the filter allows.
        registers = dict(rbx=low, rax=10, rsp=low + 32768, rip=gadget)
        return_from_signal(**registers)
        """,
        needs=("i386",),
    ),
    Attack("memory_file", "descriptor", "return call('memfd_create', b'x', 0) < 0"),
    Attack("memory_file_by_python", "descriptor", "import os\nos.memfd_create('x')\nreturn False"),
    Attack("secret_memory", "descriptor", "return call('memfd_secret', 0) < 0", needs=("memfd_secret",)),
    Attack("segment", "objects", "return call('shmget', KEY, 4096, 0o1666) < 0", needs=("sysv",)),
    Attack("semaphores", "objects", "return call('semget', KEY, 1, 0o1666) < 0", needs=("sysv",)),
    Attack("message_queue", "objects", "return call('msgget', KEY, 0o1666) < 0", needs=("sysv",)),
    Attack(
        "posix_message_queue",
        "descriptor",
        "return call('mq_open', f'vlmcar-{KEY}'.encode(), O_CREAT | O_RDWR, 0o666, None) < 0",
        needs=("mqueue",),
    ),
    Attack(
        "shared_memory_of_python",
        "descriptor",
        """
        from multiprocessing import shared_memory
        cv2.kept = shared_memory.SharedMemory(create=True, size=100)
        cv2.kept.unlink()
        return False
        """,
    ),
    Attack("lock_memory", "state", "return call('mlock', mapped(READ | WRITE), 4096) < 0"),
    Attack(
        "descriptor_table_of_the_processor",
        "answer",
        "return call('modify_ldt', 0, None, 0) == 0",
        needs=("ldt",),
    ),
    Attack(
        "policy_for_memory",
        "answer",
        "return call('set_mempolicy', 1, (ctypes.c_uint64 * 1)(1), 64) == 0",
    ),
    Attack("pages_in_memory", "answer", "return call('mincore', mapped(READ), 4096, bytes(8)) == 0"),
)

FRAMES = (
    Attack(
        "frames_by_protection",
        "frames",
        """
        place = images().ctypes.data
        libc.mprotect(ctypes.c_void_p(place & ~4095), ctypes.c_size_t(4096), READ | WRITE)
        put(b"changed", place)
        return False
        """,
        layer="seal",
    ),
    Attack(
        "frames_by_flag",
        "frames",
        """
        place = images().ctypes.data
        call("mprotect", place & ~4095, 4096, READ | WRITE)
        np.ndarray((100,), np.uint8, (ctypes.c_char * 100).from_address(place))[:] = 9
        return False
        """,
        layer="seal",
    ),
    Attack(
        "frames_by_proc",
        "frames",
        """
        place = images().ctypes.data
        call("mprotect", place & ~4095, 4096, READ | WRITE)
        with open("/proc/self/mem", "r+b", 0) as memory:
            memory.seek(place)
            memory.write(b"changed")
        return False
        """,
        layer="seal",
    ),
    Attack(
        "frames_by_themselves",
        "frames",
        """
        place, data = images().ctypes.data, ctypes.create_string_buffer(b"changed")
        call("mprotect", place & ~4095, 4096, READ | WRITE)
        call("process_vm_writev", os.getpid(), vector(ctypes.addressof(data), 7), 1, vector(place, 7), 1, 0)
        return False
        """,
        layer="seal",
    ),
    Attack(
        "frames_by_a_hole",
        "frames",
        """
        call("madvise", images().ctypes.data & ~4095, 4096, 9)
        return False
        """,
        layer="seal",
    ),
    Attack(
        "frames_by_a_file_of_proc",
        "frames",
        """
        place = images().ctypes.data
        for name in os.listdir("/proc/self/map_files"):
            first, last = (int(part, 16) for part in name.split("-"))
            if first <= place < last:
                with open("/proc/self/map_files/" + name, "r+b", 0) as memory:
                    memory.seek(place - first)
                    memory.write(b"changed")
        return False
        """,
        needs=("checkpoint", "sys_admin"),
        layer="seal",
    ),
    Attack(
        "frames_doubled",
        "frames",
        """
        place = images().ctypes.data & ~4095
        other = call("mremap", place, 0, 4096, 1, 0)
        call("mprotect", other, 4096, READ | WRITE)
        put(b"changed", other)
        return False
        """,
        layer="seal",
    ),
)
