"""Attacks on what a machine has little of. Each would take 300 MiB where 64 are given."""

from .attack import Attack


def hog(name: str, body: str) -> Attack:
    return Attack(name, "memory", body, memory_mb=64, layer="limits", seconds=20.0)


ATTACKS = (
    hog("memory_of_numpy", "return bool(np.ones(300 << 20, np.uint8).sum() < 0)"),
    hog("memory_of_a_product", "return bool(np.multiply.outer(np.ones(6000), np.ones(6000)).sum() < 0)"),
    hog("memory_of_a_padded_frame", "return bool(np.pad(frame[..., 0], 8500, 'edge').sum() < 0)"),
    hog("memory_of_a_tiled_frame", "return np.tile(frame, (320, 320, 1)).size < 0"),
    hog("memory_of_a_resized_frame", "return cv2.resize(frame, (10240, 10240)).size < 0"),
    hog("memory_of_a_border", "return cv2.copyMakeBorder(frame, 5000, 5000, 5000, 5000, 1).size < 0"),
    hog(
        "memory_of_a_decoded_image",
        """
        bits = b"P4 10240 10240\\n" + bytes(10240 * 10240 // 8)
        return cv2.imdecode(np.frombuffer(bits, np.uint8), cv2.IMREAD_COLOR).size < 0
        """,
    ),
    hog("memory_of_bytes", "return len(b'x' * (300 << 20)) < 0"),
    hog("memory_of_a_text", "return len('x' * (300 << 20)) < 0"),
    hog("memory_of_a_formatted_number", "return len(f'{1:{300 << 20}}') < 0"),
    hog("memory_of_a_number", "return (1 << (8 * 300 << 20)) < 0"),
    hog(
        "memory_of_a_growing_list",
        """
        rows = []
        while len(rows) < 320:
            rows.append(bytes(range(256)) * 4096)
        return len(rows) < 0
        """,
    ),
    hog("memory_of_a_list", "return len(list(range(9_000_000))) < 0"),
    hog("memory_of_a_dictionary", "return len({n: n for n in range(3_000_000)}) < 0"),
    hog(
        "memory_of_a_text_that_doubles",
        """
        text = "ab"
        while len(text) < 300 << 20:
            text += text
        return len(text) < 0
        """,
    ),
    hog(
        "memory_behind_a_global",
        """
        np.kept = getattr(np, "kept", [])
        for _ in range(300):
            np.kept.append(b"x" * (1 << 20))
        return False
        """,
    ),
    hog(
        "memory_of_mmap",
        """
        libc.memset(ctypes.c_void_p(mapped(READ | WRITE, size=300 << 20)), 1, ctypes.c_size_t(300 << 20))
        return False
        """,
    ),
    hog(
        "memory_of_many_maps",
        """
        for _ in range(75):
            libc.memset(ctypes.c_void_p(mapped(READ | WRITE, size=4 << 20)), 1, ctypes.c_size_t(4 << 20))
        return False
        """,
    ),
    hog(
        "memory_of_shared_maps",
        """
        place = mapped(READ | WRITE, SHARED_ANONYMOUS, 300 << 20)
        libc.memset(ctypes.c_void_p(place), 1, ctypes.c_size_t(300 << 20))
        return False
        """,
    ),
    hog(
        "memory_of_brk",
        """
        place = libc.sbrk(300 << 20)
        if place != 2**64 - 1:
            libc.memset(ctypes.c_void_p(place), 1, ctypes.c_size_t(300 << 20))
        return False
        """,
    ),
    hog(
        "memory_of_malloc",
        """
        place = libc.malloc(ctypes.c_size_t(300 << 20))
        if place:
            libc.memset(ctypes.c_void_p(place), 1, ctypes.c_size_t(300 << 20))
        return False
        """,
    ),
    hog(
        "memory_that_grows_in_place",
        """
        place = mapped(READ | WRITE)
        place = call("mremap", place, 4096, 300 << 20, 1, 0)
        if place > 0:
            libc.memset(ctypes.c_void_p(place), 1, ctypes.c_size_t(300 << 20))
        return False
        """,
    ),
    hog(
        "memory_populated_by_the_kernel",
        """
        mapped(READ | WRITE, PRIVATE_ANONYMOUS | 0x8000, 300 << 20)
        return False
        """,
    ),
)
