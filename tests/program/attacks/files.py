"""Attacks on files: read what is not given, change what is there, leave something behind."""

from .attack import Attack

READS = (
    Attack("open", "secret", "return reveal(open(WORLD + '/secret.txt').read())"),
    Attack(
        "os_open_and_read",
        "secret",
        """
        import os
        return reveal(os.read(os.open(WORLD + "/secret.txt", os.O_RDONLY), 100))
        """,
    ),
    Attack(
        "unbuffered_file",
        "secret",
        """
        import _io
        return reveal(_io.FileIO(WORLD + "/secret.txt").read())
        """,
    ),
    Attack(
        "open_code",
        "secret",
        """
        import _io
        return reveal(_io.open_code(WORLD + "/secret.txt").read())
        """,
    ),
    Attack("openat_and_read", "secret", "return reveal(contents(path('secret.txt')))"),
    Attack(
        "the_old_open",
        "secret",
        """
        fd = call("open", path("secret.txt"), 0, 0)
        return reveal(from_descriptor(fd))
        """,
        needs=("x86-64",),
    ),
    Attack(
        "openat2",
        "secret",
        """
        fd = call("openat2", HERE, path("secret.txt"), (ctypes.c_uint64 * 3)(), 24)
        return reveal(from_descriptor(fd))
        """,
    ),
    Attack(
        "fopen_of_libc",
        "secret",
        """
        data = ctypes.create_string_buffer(100)
        libc.fgets(data, 100, ctypes.c_void_p(libc.fopen(path("secret.txt"), b"r")))
        return reveal(data.raw)
        """,
    ),
    Attack(
        "file_backed_memory",
        "secret",
        """
        fd = call("openat", HERE, path("secret.txt"), 0, 0)
        return reveal(ctypes.string_at(call("mmap", None, 4096, READ, 2, fd, 0), 20))
        """,
    ),
    Attack(
        "pread_readv_and_sendfile",
        "secret",
        """
        fd = call("openat", HERE, path("secret.txt"), 0, 0)
        ends = (ctypes.c_int * 2)()
        call("pipe2", ends, 0)
        call("sendfile", ends[1], fd, None, 100)
        data = ctypes.create_string_buffer(100)
        call("readv", ends[0], vector(ctypes.addressof(data), 100), 1)
        return reveal(data.raw)
        """,
    ),
    Attack(
        "io_uring_opens_and_reads",
        "secret",
        """
        import struct
        about = ctypes.create_string_buffer(120)
        ring = call("io_uring_setup", 4, about)
        numbers = struct.unpack("<30I", about.raw)
        rings = call("mmap", None, 8192, READ | WRITE, 1, ring, 0)
        entries = call("mmap", None, 4096, READ | WRITE, 1, ring, 0x10000000)
        name, data = ctypes.create_string_buffer(path("secret.txt")), ctypes.create_string_buffer(100)
        def submit(entry):
            put(entry.ljust(64, bytes(1)), entries)
            put(struct.pack("<I", 0), rings + numbers[16])
            tail = ctypes.c_uint32.from_address(rings + numbers[11])
            tail.value += 1
            call("io_uring_enter", ring, 1, 1, 1, None, 0)
            head = ctypes.c_uint32.from_address(rings + numbers[20])
            done = ctypes.string_at(rings + numbers[25] + 16 * (head.value & 7), 16)
            head.value += 1
            return struct.unpack("<QiI", done)[1]
        fd = submit(struct.pack("<BBHiQQII", 18, 0, 0, HERE, 0, ctypes.addressof(name), 0, 0))
        put(struct.pack("<I", 0), rings + numbers[16] + 4)
        submit(struct.pack("<BBHiQQII", 22, 0, 0, fd, 0, ctypes.addressof(data), 100, 0))
        return reveal(data.raw)
        """,
        needs=("io_uring",),
    ),
    Attack("np_fromfile", "secret", "return reveal(np.fromfile(WORLD + '/secret.txt', np.uint8).tobytes())"),
    Attack("np_loadtxt", "secret", "return reveal(str(np.loadtxt(WORLD + '/secret.txt', dtype=str)))"),
    Attack("np_genfromtxt", "secret", "return reveal(str(np.genfromtxt(WORLD + '/secret.txt', dtype=str)))"),
    Attack("np_load", "secret", "return float(np.load(WORLD + '/array.npy')[0]) / 100000"),
    Attack("np_memmap", "secret", "return reveal(np.memmap(WORLD + '/secret.txt', mode='r').tobytes())"),
    Attack(
        "np_fromregex",
        "secret",
        "return reveal(str(np.fromregex(WORLD + '/secret.txt', '(.+)', [('x', 'S20')])))",
    ),
    Attack("np_DataSource", "secret", "return reveal(np.DataSource().open(WORLD + '/secret.txt').read())"),
    Attack(
        "cv2_imread",
        "secret",
        """
        low, middle, high = cv2.imread(WORLD + "/image0.png")[0, 0].astype(int)
        return float(low + 256 * middle + 65536 * high) / 100000
        """,
    ),
    Attack(
        "cv2_imreadmulti",
        "secret",
        """
        low, middle, high = cv2.imreadmulti(WORLD + "/image0.png")[1][0][0, 0].astype(int)
        return float(low + 256 * middle + 65536 * high) / 100000
        """,
    ),
    Attack(
        "cv2_VideoCapture_of_images",
        "secret",
        """
        low, middle, high = cv2.VideoCapture(WORLD + "/image%d.png", cv2.CAP_IMAGES).read()[1][0, 0].astype(int)
        return float(low + 256 * middle + 65536 * high) / 100000
        """,
    ),
    Attack(
        "cv2_FileStorage",
        "secret",
        """
        file = cv2.FileStorage(WORLD + "/matrix.yml", cv2.FILE_STORAGE_READ)
        return file.getNode("secret").real() / 100000
        """,
    ),
    Attack(
        "loader_of_importlib",
        "secret",
        """
        import sys
        loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("x", "x")
        return reveal(loader.get_data(WORLD + "/secret.txt"))
        """,
    ),
    Attack(
        "license_printer",
        "secret",
        """
        printer = type(license)("x", "x", ["secret.txt"], [WORLD])
        printer._Printer__setup()
        return reveal(" ".join(printer._Printer__lines))
        """,
    ),
    Attack(
        "linecache",
        "secret",
        """
        import linecache
        return reveal("".join(linecache.getlines(WORLD + "/secret.txt")))
        """,
    ),
    Attack(
        "warning_that_shows_a_line",
        "secret",
        """
        import warnings
        return reveal(warnings.formatwarning("x", UserWarning, WORLD + "/secret.txt", 1))
        """,
    ),
    Attack(
        "import_of_a_file",
        "secret",
        """
        import sys
        sys.path.insert(0, WORLD)
        import module_of_the_world
        return reveal(module_of_the_world.SECRET)
        """,
    ),
    Attack(
        "names_in_a_folder",
        "secret",
        """
        import os
        return reveal(os.listdir(WORLD + "/names")[0])
        """,
    ),
    Attack(
        "getdents",
        "secret",
        """
        data = ctypes.create_string_buffer(1000)
        call("getdents64", call("openat", HERE, path("names"), 0o200000, 0), data, 1000)
        return reveal(data.raw)
        """,
    ),
    Attack(
        "glob_of_libc",
        "secret",
        """
        found = (ctypes.c_char_p * 20)()
        many = ctypes.cast((vector := (ctypes.c_uint64 * 20)()), ctypes.c_void_p)
        libc.glob(path("names/*"), 0, None, many)
        return reveal(ctypes.c_char_p.from_address(vector[1]).value)
        """,
    ),
    Attack(
        "length_of_a_file",
        "secret",
        """
        import os
        return os.stat(WORLD + "/long").st_size / 100000
        """,
    ),
    Attack(
        "statx",
        "secret",
        """
        about = ctypes.create_string_buffer(256)
        call("statx", HERE, path("long"), 0, 0x200, about)
        return int.from_bytes(about.raw[40:48], "little") / 100000
        """,
    ),
    Attack(
        "access",
        "answer",
        """
        import os
        return os.access(WORLD + "/secret.txt", os.R_OK)
        """,
    ),
    Attack("faccessat2", "answer", "return call('faccessat2', HERE, path('secret.txt'), 4, 0) == 0"),
    Attack(
        "target_of_a_link",
        "secret",
        """
        import os
        return reveal(os.readlink(WORLD + "/pointer"))
        """,
    ),
    Attack(
        "readlinkat",
        "secret",
        """
        data = ctypes.create_string_buffer(100)
        call("readlinkat", HERE, path("pointer"), data, 100)
        return reveal(data.raw)
        """,
    ),
    Attack(
        "extended_attribute",
        "secret",
        """
        data = ctypes.create_string_buffer(100)
        call("getxattr", path("secret.txt"), b"user.secret", data, 100)
        return reveal(data.raw)
        """,
        needs=("xattr",),
    ),
    Attack(
        "open_by_handle",
        "secret",
        """
        handle, mount = (ctypes.c_uint32 * 40)(128), ctypes.c_int()
        call("name_to_handle_at", HERE, path("secret.txt"), handle, ctypes.byref(mount), 0)
        fd = call("open_by_handle_at", call("openat", HERE, path(""), 0o200000, 0), handle, 0)
        return reveal(from_descriptor(fd))
        """,
        needs=("dac_read",),
    ),
    Attack("path_descriptor", "descriptor", "return call('openat', HERE, path(''), 0o10000000, 0) >= 0"),
    Attack(
        "dlopen_of_a_library",
        "mapping",
        """
        ctypes.CDLL(WORLD + "/library.so")
        return False
        """,
    ),
    Attack(
        "password_file_by_libc",
        "answer",
        """
        libc.getpwuid.restype = ctypes.c_void_p
        return bool(libc.getpwuid(0))
        """,
    ),
    Attack(
        "chdir",
        "state",
        """
        import os
        os.chdir(WORLD)
        return False
        """,
    ),
    Attack(
        "fchdir", "state", "return call('fchdir', call('openat', HERE, path(''), 0o200000, 0)) == 0 and False"
    ),
    Attack(
        "proc_of_the_parent_environment",
        "secret",
        "return sum(contents(f'/proc/{PARENT}/environ'.encode(), 2000000)) % 99991 / 100000",
    ),
    Attack(
        "proc_of_another_environment",
        "secret",
        "return reveal(contents(f'/proc/{VICTIM}/environ'.encode(), 9000))",
    ),
    Attack(
        "proc_of_the_parent_memory",
        "secret",
        """
        with open(f"/proc/{PARENT}/mem", "rb", 0) as memory:
            memory.seek(NOTE)
            return reveal(memory.read(20))
        """,
        needs=("ptrace",),
    ),
    Attack(
        "proc_of_the_parent_descriptor",
        "secret",
        "return reveal(contents(f'/proc/{PARENT}/fd/{HANDLE}'.encode(), 100))",
    ),
    Attack(
        "proc_of_the_parent_maps",
        "answer",
        "return len(contents(f'/proc/{PARENT}/maps'.encode())) > 0",
        needs=("ptrace",),
    ),
    Attack("proc_of_itself", "answer", "return len(contents(b'/proc/self/status')) > 0"),
    Attack(
        "list_of_processes",
        "answer",
        """
        import os
        return str(PARENT) in os.listdir("/proc")
        """,
    ),
)

WRITES = (
    Attack(
        "open_for_writing",
        "files",
        """
        with open(WORLD + "/written", "w") as file:
            file.write("x")
        return False
        """,
    ),
    Attack(
        "append_to_a_file",
        "files",
        """
        with open(WORLD + "/untouched.txt", "a") as file:
            file.write("x")
        return False
        """,
    ),
    Attack(
        "write_through_a_link",
        "files",
        """
        with open(WORLD + "/link", "w") as file:
            file.write("x")
        return False
        """,
    ),
    Attack("creat", "files", "return call('creat', path('written'), 0o666) < 0", needs=("x86-64",)),
    Attack("openat_to_create", "files", "return touch('written') < 0"),
    Attack("fopen_of_libc_to_write", "files", "return not libc.fopen(path('written'), b'w')"),
    Attack(
        "unnamed_file_that_gets_a_name",
        "files",
        """
        fd = call("openat", HERE, path(""), 0o20200000 | O_RDWR, 0o666)
        call("linkat", HERE, f"/proc/self/fd/{fd}".encode(), HERE, path("written"), 0x400)
        return False
        """,
    ),
    Attack(
        "memory_of_a_file",
        "files",
        """
        fd = call("openat", HERE, path("untouched.txt"), O_RDWR, 0)
        put(b"x", call("mmap", None, 4096, READ | WRITE, 1, fd, 0))
        return False
        """,
    ),
    Attack("np_save", "files", "np.save(WORLD + '/written.npy', frame)\nreturn False"),
    Attack("np_savez", "files", "np.savez(WORLD + '/written.npz', frame)\nreturn False"),
    Attack("np_savetxt", "files", "np.savetxt(WORLD + '/written', frame[0])\nreturn False"),
    Attack("np_tofile", "files", "frame.tofile(WORLD + '/written')\nreturn False"),
    Attack("np_dump", "files", "frame.dump(WORLD + '/written')\nreturn False"),
    Attack(
        "np_memmap_to_write",
        "files",
        """
        np.memmap(WORLD + "/written", mode="w+", shape=3)[0] = 1
        return False
        """,
    ),
    Attack(
        "np_open_memmap",
        "files",
        """
        np.lib.format.open_memmap(WORLD + "/written", mode="w+", shape=(3,))[0] = 1
        return False
        """,
    ),
    Attack("cv2_imwrite", "files", "cv2.imwrite(WORLD + '/written.png', frame)\nreturn False"),
    Attack("cv2_imwritemulti", "files", "cv2.imwritemulti(WORLD + '/written.tiff', [frame])\nreturn False"),
    Attack(
        "cv2_FileStorage_to_write",
        "files",
        """
        file = cv2.FileStorage(WORLD + "/written.yml", cv2.FILE_STORAGE_WRITE)
        file.write("x", 1)
        file.release()
        return False
        """,
    ),
    Attack(
        "cv2_VideoWriter",
        "files",
        """
        video = cv2.VideoWriter(WORLD + "/written.avi", cv2.VideoWriter_fourcc(*"MJPG"), 1, (32, 32))
        video.write(frame)
        return False
        """,
    ),
    Attack(
        "cv2_writeOpticalFlow",
        "files",
        """
        cv2.writeOpticalFlow(WORLD + "/written.flo", np.zeros((2, 2, 2), np.float32))
        return False
        """,
    ),
    Attack(
        "cv2_saves_a_model",
        "files",
        """
        cv2.ml.SVM_create().save(WORLD + "/written.yml")
        return False
        """,
    ),
    Attack(
        "cv2_descriptors_to_a_file",
        "files",
        """
        cv2.HOGDescriptor().save(WORLD + "/written.yml")
        return False
        """,
    ),
    Attack("mkdir", "files", "return call('mkdirat', HERE, path('written'), 0o777) < 0"),
    Attack(
        "rmdir",
        "files",
        """
        import os
        os.rmdir(WORLD + "/folder")
        return False
        """,
    ),
    Attack(
        "rename",
        "files",
        """
        import os
        os.rename(WORLD + "/untouched.txt", WORLD + "/folder/renamed")
        return False
        """,
    ),
    Attack(
        "renameat2",
        "files",
        "return call('renameat2', HERE, path('untouched.txt'), HERE, path('secret.txt'), 2) < 0",
    ),
    Attack(
        "unlink",
        "files",
        """
        import os
        os.unlink(WORLD + "/untouched.txt")
        return False
        """,
    ),
    Attack("unlinkat", "files", "return call('unlinkat', HERE, path('untouched.txt'), 0) < 0"),
    Attack(
        "hard_link", "files", "return call('linkat', HERE, path('untouched.txt'), HERE, path('new'), 0) < 0"
    ),
    Attack("symbolic_link", "files", "return call('symlinkat', b'/etc', HERE, path('new')) < 0"),
    Attack(
        "chmod",
        "files",
        """
        import os
        os.chmod(WORLD + "/untouched.txt", 0o4755)
        return False
        """,
    ),
    Attack("fchmodat2", "files", "return call('fchmodat2', HERE, path('untouched.txt'), 0o4755, 0) < 0"),
    Attack(
        "chown", "files", "return call('fchownat', HERE, path('untouched.txt'), 1, 1, 0) < 0", needs=("root",)
    ),
    Attack(
        "truncate",
        "files",
        """
        import os
        os.truncate(WORLD + "/untouched.txt", 3)
        return False
        """,
    ),
    Attack("truncate_by_path", "files", "return call('truncate', path('untouched.txt'), 1000000) < 0"),
    Attack(
        "fallocate",
        "files",
        "return call('fallocate', call('openat', HERE, path('untouched.txt'), O_RDWR, 0), 0, 0, 9999) < 0",
    ),
    Attack("named_pipe", "files", "return call('mknodat', HERE, path('written'), 0o10666, 0) < 0"),
    Attack(
        "device",
        "files",
        "return call('mknodat', HERE, path('written'), 0o20666, 0x103) < 0",
        needs=("root",),
    ),
    Attack("times_of_a_file", "files", "return call('utimensat', HERE, path('untouched.txt'), None, 0) < 0"),
    Attack(
        "set_an_extended_attribute",
        "files",
        "return call('setxattr', path('untouched.txt'), b'user.new', b'x', 1, 0) < 0",
        needs=("xattr",),
    ),
    Attack(
        "copy_file_range",
        "files",
        """
        source = call("openat", HERE, path("secret.txt"), 0, 0)
        call("copy_file_range", source, None, call("openat", HERE, path("untouched.txt"), O_RDWR, 0), None, 5, 0)
        return False
        """,
    ),
    Attack(
        "splice_into_a_file",
        "files",
        """
        ends = (ctypes.c_int * 2)()
        call("pipe2", ends, 0)
        call("write", ends[1], b"xyz", 3)
        call("splice", ends[0], None, call("openat", HERE, path("untouched.txt"), O_RDWR, 0), None, 3, 0)
        return False
        """,
    ),
    Attack(
        "socket_file",
        "files",
        """
        fd = call("socket", 1, 1, 0)
        call("bind", fd, b"\\1\\0" + path("written") + b"\\0", len(path("written")) + 3)
        return False
        """,
    ),
    Attack(
        "mkstemp_of_libc", "files", "return libc.mkstemp(ctypes.create_string_buffer(path('new-XXXXXX'))) < 0"
    ),
    Attack(
        "tempfile",
        "files",
        """
        import tempfile
        tempfile.NamedTemporaryFile(dir=WORLD, delete=False)
        return False
        """,
    ),
    Attack(
        "shutil_rmtree",
        "files",
        """
        import shutil
        shutil.rmtree(WORLD + "/names")
        return False
        """,
    ),
    Attack(
        "sqlite3",
        "files",
        """
        import sqlite3
        sqlite3.connect(WORLD + "/written").execute("create table x (y)")
        return False
        """,
    ),
    Attack(
        "faulthandler_to_a_file",
        "files",
        """
        import faulthandler, os
        faulthandler.dump_traceback(os.open(WORLD + "/written", os.O_CREAT | os.O_WRONLY))
        return False
        """,
    ),
    Attack(
        "accounting_to_a_file",
        "answer",
        "return call('acct', None) == 0",
        needs=("root",),
    ),
    Attack(
        "proc_of_itself_oom_score",
        "state",
        """
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
        return False
        """,
    ),
    Attack(
        "proc_of_another_oom_score",
        "others",
        """
        with open(f"/proc/{VICTIM}/oom_score_adj", "w") as file:
            file.write("500")
        return False
        """,
    ),
    Attack(
        "kernel_setting",
        "answer",
        """
        with open("/proc/sys/kernel/hostname", "r+") as file:
            return file.write(file.read().strip()) > 0
        """,
        needs=("root",),
    ),
)

ATTACKS = READS + WRITES
