"""What every attack that goes past Python may use: the system call itself, and a few short-cuts.

This is the text of a program, not a module of the tests: `attack.py` puts it before the body of an attack,
after the constants of the world that it runs in. It imports nothing that a locked worker could not import.
"""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.malloc.restype = libc.mmap.restype = libc.sbrk.restype = libc.fopen.restype = ctypes.c_void_p

O_WRONLY, O_RDWR, O_CREAT, O_APPEND = 1, 2, 64, 1024
PRIVATE_ANONYMOUS, SHARED_ANONYMOUS = 0x22, 0x21
READ, WRITE, EXEC = 1, 2, 4
HERE = -100


def call(name, *arguments):
    """The result of a system call, or minus the number of its error."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *words)
    return -ctypes.get_errno() if result == -1 else result


def path(name):
    return f"{WORLD}/{name}".encode()


def touch(name):
    """Make an empty file in the world."""
    return call("openat", HERE, path(name), O_CREAT | O_WRONLY, 0o666)


def contents(place, size=4096):
    """The first bytes of a file, by system calls."""
    return from_descriptor(call("openat", HERE, place, 0, 0), size)


def from_descriptor(fd, size=4096):
    data = ctypes.create_string_buffer(size)
    length = call("read", fd, data, size)
    return data.raw[: max(length, 0)]


def mapped(protection, flags=PRIVATE_ANONYMOUS, size=4096):
    """The address of new memory; an OSError when there is none."""
    address = call("mmap", None, size, protection, flags, -1, 0)
    if -4096 < address < 0:
        raise OSError(-address, "no memory")
    return address


def put(data, address):
    ctypes.memmove(address, data, len(data))


def jump(address):
    """Run what lies at an address."""
    return ctypes.CFUNCTYPE(ctypes.c_long)(address)()


def place_of(function):
    """Where the machine code of a built-in function lies."""
    definition = ctypes.c_uint64.from_address(id(function) + 16).value
    return ctypes.c_uint64.from_address(definition + 8).value


def return_from_signal(**registers):
    """Set all registers, of x86-64, at once, and so go anywhere: as if a signal handler returned.

    The kernel takes them from the stack, where libc's ``syscall`` has left its arguments behind the sixth.
    """
    order = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip"
    words = [
        0,
        0,
        2,
        0,
        *(registers.get(name, 0) for name in order.split()),
        0x202,
        0x002B000000000033,
        *[0] * 16,
    ]
    libc.syscall(*[ctypes.c_long(word) for word in (15, 0, 0, 0, 0, 0, *words)])


def vector(address, size):
    """One iovec."""
    return (ctypes.c_uint64 * 2)(address, size)


def of_the_worker(*names):
    """The local variables of the innermost caller that has all of these."""
    caller = sys._getframe()
    while caller is not None:
        if set(names) <= set(caller.f_locals):
            return caller.f_locals
        caller = caller.f_back
    raise LookupError(f"no caller has {names}")


def serving():
    """The local variables of the worker's loop, which has the pipes."""
    return of_the_worker("nonce", "requests", "responses")


def images():
    """The shared frames, read-only, as the worker sees them."""
    return of_the_worker("images")["images"]


def position():
    """The page that says what is being judged."""
    return of_the_worker("position", "images")["position"]


def reply(*answers, nonce=None, status=3, shape=None):
    """The bytes of a response, as the worker would send them."""
    import struct

    data = struct.pack(f"<{len(answers)}f", *answers)
    rows, columns = shape or (1, 1)
    nonce = serving()["nonce"] if nonce is None else nonce
    return struct.pack("<QIIII", nonce, status, rows, columns, len(data)) + data
