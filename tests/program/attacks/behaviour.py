"""Programs that hang, die, lie or shout. What must happen: a verdict of the right kind, and nothing else.

The evidence of these is how the trainer's call ends: ``timed_out``, ``crashed``, ``answered_wrongly``, or
``answered`` for those that may do as they like, because it changes nothing.
"""

from .attack import Attack


def hang(name: str, body: str, end: str = "timed_out") -> Attack:
    return Attack(name, end, body, seconds=0.05)


def death(name: str, body: str, end: str = "crashed", requests: int = 1) -> Attack:
    return Attack(name, end, body, seconds=0.05, requests=requests)


HANGS = (
    hang("loop", "while True:\n    pass"),
    hang("loop_in_c", "import itertools\nany(itertools.repeat(0))"),
    hang("loop_over_a_sentinel", "for _ in iter(int, 1):\n    pass"),
    hang("endless_sum", "return sum(range(10**15)) < 0"),
    hang("huge_power", "return 7 ** 70_000_000 < 0"),
    hang("huge_sort", "return sorted((n * 7919) % 10_000_019 for n in range(10**8))[0] < 0"),
    hang("regular_expression", "import re\nreturn bool(re.match('(a|a)*b', 'a' * 60))"),
    hang("membership", "return -1 in range(10**18) or 0.5 in range(10**18)"),
    hang(
        "loop_that_catches_everything",
        """
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
        """,
    ),
    hang(
        "text_of_an_error",
        """
        class Slow(Exception):
            def __str__(self):
                while True:
                    pass
        raise Slow
        """,
    ),
    hang(
        "finalizer_that_loops",
        """
        class Late:
            def __del__(self):
                while True:
                    pass
        Late()
        return True
        """,
    ),
    hang(
        "type_of_the_answer",
        """
        class Answer:
            @property
            def __class__(self):
                while True:
                    pass
        return Answer()
        """,
    ),
    hang(
        "comparison_of_the_answer",
        """
        class Answer(np.float64):
            def __ge__(self, other):
                while True:
                    pass
        return Answer(0.5)
        """,
    ),
    hang(
        "number_of_the_answer",
        """
        class Answer(np.float64):
            def __float__(self):
                while True:
                    pass
        return Answer(0.5)
        """,
    ),
    hang("blur_of_much", "while True:\n    cv2.GaussianBlur(np.zeros((4000, 4000), np.uint8), (99, 99), 0)"),
    hang("product_of_much", "while True:\n    np.ones((2000, 2000)) @ np.ones((2000, 2000))"),
    hang("string_of_a_number", "while True:\n    str(7**5000)"),
    hang("lock_twice", "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()"),
    hang(
        "wait_on_memory",
        """
        word = ctypes.c_int(0)
        while True:
            call("futex", ctypes.byref(word), 128, 0, None)
        """,
    ),
    hang(
        "wait_for_a_request",
        "call('read', serving()['requests'], ctypes.create_string_buffer(16), 16)\nreturn True",
    ),
    hang("frame_after_the_first", "np.seen = getattr(np, 'seen', 0) + 1\nwhile np.seen > 0:\n    pass"),
    hang(
        "profiler_that_loops",
        """
        import sys
        def endless(*_):
            while True:
                pass
        sys.setprofile(endless)
        return True
        """,
    ),
    hang(
        "half_an_answer",
        """
        call("write", serving()["responses"], reply(1.0)[:10], 10)
        while True:
            pass
        """,
    ),
    hang(
        "half_an_answer_without_work",
        """
        call("write", serving()["responses"], reply(1.0)[:24], 24)
        word = ctypes.c_int(0)
        while True:
            call("futex", ctypes.byref(word), 128, 0, None)
        """,
    ),
    hang("sleep_for_long", "import time\ntime.sleep(1000)", "crashed"),
    hang("pause", "libc.pause()", "crashed"),
    hang("stop_itself", "getattr(libc, 'raise')(19)\nreturn True", "crashed"),
    hang("stop_itself_by_signal", "call('tkill', 0, 19)\nreturn True", "crashed"),
    hang("wait_for_input", "input()", "crashed"),
    hang("wait_for_a_child", "libc.wait(None)", "crashed"),
    hang("yield_for_ever", "while True:\n    libc.sched_yield()"),
    hang("wait_by_poll", "while True:\n    libc.poll(None, 0, -1)"),
)

DEATHS = (
    death("read_address_zero", "import ctypes\nctypes.string_at(0)"),
    death("abort", "import os\nos.abort()"),
    death("exit_without_error", "import os\nos._exit(0)"),
    death("exit_with_error", "import os\nos._exit(77)"),
    death("exit_of_libc", "libc.exit(0)"),
    death("exit_of_one_thread", "call('exit', 0)"),
    death("kill_itself", "getattr(libc, 'raise')(9)"),
    death(
        "memory_out_of_bounds", "return bool(np.lib.stride_tricks.as_strided(frame, (9,), (1 << 40,)).any())"
    ),
    death(
        "memory_out_of_bounds_to_write",
        "np.lib.stride_tricks.as_strided(frame, (9,), (1 << 40,))[:] = 1\nreturn True",
    ),
    death(
        "nothing_below_it",
        "libc.munmap(ctypes.c_void_p(ctypes.cast(libc.read, ctypes.c_void_p).value & ~4095), 4096)\nlibc.read(0, 0, 0)",
    ),
    death("none_destroyed", "ctypes.memset(id(None), 0, 16)\nreturn [None] * 3 == []"),
    death("free_of_nothing", "libc.free(ctypes.c_void_p(12345678))"),
    death(
        "bytecode_of_nonsense",
        """
        def f():
            return 1
        f.__code__ = f.__code__.replace(co_code=bytes([100, 255] * 50))
        return f()
        """,
    ),
    death("recursion", "down = lambda n: down(n + 1)\nreturn down(0)"),
    death(
        "recursion_in_c",
        "import sys\nsys.setrecursionlimit(10**9)\nf = lambda: max([1], key=lambda _: f())\nreturn f()",
    ),
    death("nested_text", "return eval('(' * 100_000 + '1' + ')' * 100_000) == 1"),
    death("nested_minus", "return eval('-' * 1_000_000 + '1') == 1"),
    death("nested_list", "return eval('[' * 90 + ']' * 90 + '+ ' * 10**6 + '1') == 1"),
    death("exit_by_exception", "raise SystemExit(0)"),
    death("interrupt", "raise KeyboardInterrupt"),
    death("end_of_a_generator", "raise GeneratorExit"),
    death("huge_text", "raise ValueError('x' * (64 << 20))"),
    death("huge_name", "raise type('x' * (1 << 20), (Exception,), {})"),
    death("terminal_escapes", r"raise ValueError('\x1b]0;title\x07\x1b[2J\x1b[31m\r\n\u202e\x00\ud800')"),
    death(
        "error_without_a_text",
        """
        class Mute(Exception):
            def __str__(self):
                raise SystemExit
        raise Mute
        """,
    ),
    death(
        "error_of_another_kind",
        """
        class Odd(Exception):
            err = property(lambda self: 1 // 0)
        raise Odd
        """,
    ),
    death(
        "error_with_a_strange_name",
        """
        class Kind(type):
            __name__ = property(lambda self: 1 // 0)
        class Odd(Exception, metaclass=Kind):
            pass
        raise Odd
        """,
    ),
    death(
        "error_with_a_number_for_a_name",
        """
        class Kind(type):
            __name__ = 7
        class Odd(Exception, metaclass=Kind):
            __str__ = lambda self: "x"
        raise Odd
        """,
    ),
    death("error_of_many", "raise ExceptionGroup('x' * 10000, [ValueError('y')] * 10000)"),
    death(
        "chain_of_errors",
        """
        error = None
        for _ in range(100_000):
            new = ValueError("x")
            new.__cause__, error = error, new
        raise error
        """,
    ),
    death("close_everything", "import os\nfor fd in range(100):\n    os.close(fd)"),
    death(
        "print_that_never_ends", "for _ in range(2000):\n    print('x' * 100_000)\nreturn True", "answered"
    ),
    death(
        "streams_that_are_closed",
        "import sys\nsys.stdout = sys.stderr = sys.stdin = None\nprint(1)\nreturn True",
        "answered",
    ),
)

ANSWERS = (
    death("integer", "return 1", "answered_wrongly"),
    death("nothing", "return None", "answered_wrongly"),
    death("not_a_number", "return float('nan')", "answered_wrongly"),
    death("infinite", "return float('inf')", "answered_wrongly"),
    death("more_than_all", "return 1.0000001", "answered_wrongly"),
    death("less_than_nothing", "return -1e-300", "answered_wrongly"),
    death("an_array", "return frame > 1", "answered_wrongly"),
    death("an_array_of_one", "return np.array(True)", "answered_wrongly"),
    death("complex", "return 0.5 + 0j", "answered_wrongly"),
    death("a_float_of_its_own", "class Own(float):\n    pass\nreturn Own(0.5)", "answered_wrongly"),
    death(
        "lies_when_compared",
        """
        class Liar(np.float64):
            __ge__ = __le__ = lambda self, other: True
        return Liar(7.0)
        """,
    ),
    death(
        "lies_as_a_number",
        """
        class Liar(np.float64):
            __float__ = lambda self: 7.0
        return Liar(0.5)
        """,
    ),
    death(
        "not_a_number_at_last",
        """
        class Liar(np.float64):
            __float__ = lambda self: float("nan")
        return Liar(0.5)
        """,
    ),
    death(
        "raises_when_compared",
        """
        class Bomb(np.float64):
            def __ge__(self, other):
                raise SystemExit
        return Bomb(0.5)
        """,
    ),
    death(
        "raises_when_described",
        """
        class Bomb(int):
            def __str__(self):
                raise SystemExit
        return Bomb(1)
        """,
    ),
    death(
        "long_when_described",
        """
        class Long(int):
            def __str__(self):
                return "x" * (64 << 20)
        return Long(1)
        """,
        "answered_wrongly",
    ),
    death(
        "no_bool",
        """
        class Odd:
            __bool__ = lambda self: True
        return Odd()
        """,
        "answered_wrongly",
    ),
    death("name_with_escapes", "return type('\\x1b[2J\\n', (), {})()", "answered_wrongly"),
    death("wide_number", "return np.longdouble(1) + np.finfo(np.longdouble).eps", "answered_wrongly"),
)

WRITE = "fd = serving()['responses']\n"

PROTOCOL = (
    death("nonsense", WRITE + "os.write(fd, b'x' * 40)\nreturn True"),
    death("flood", WRITE + "while True:\n    os.write(fd, b'x' * 65536)"),
    death("other_nonce", WRITE + "os.write(fd, reply(1.0, nonce=serving()['nonce'] ^ 1))\nreturn True"),
    death("nonce_of_nothing", WRITE + "os.write(fd, reply(1.0, nonce=0))\nreturn True"),
    death("answer_of_two", WRITE + "os.write(fd, reply(2.0))\nreturn True"),
    death("answer_that_is_no_number", WRITE + "os.write(fd, reply(float('nan')))\nreturn True"),
    death("answer_below_nothing", WRITE + "os.write(fd, reply(-0.5))\nreturn True"),
    death("too_many_rows", WRITE + "os.write(fd, reply(1.0, 1.0, shape=(2, 1)))\nreturn True"),
    death("rows_without_answers", WRITE + "os.write(fd, reply(shape=(1, 1)))\nreturn True"),
    death("huge_shape", WRITE + "os.write(fd, reply(1.0, shape=(2**32 - 1, 2**32 - 1)))\nreturn True"),
    death(
        "huge_length",
        WRITE
        + "import struct\nos.write(fd, struct.pack('<QIIII', serving()['nonce'], 3, 1, 1, 2**32 - 1))\nreturn True",
    ),
    death("unknown_status", WRITE + "os.write(fd, reply(1.0, status=77))\nreturn True"),
    death("ready_again", WRITE + "os.write(fd, reply(1.0, status=1))\nreturn True"),
    death("loaded_again", WRITE + "os.write(fd, reply(1.0, status=2))\nreturn True"),
    death(
        "failure_of_another_frame", WRITE + "os.write(fd, reply(1.0, status=4, shape=(9, 9)))\nreturn True"
    ),
    death("second_answer", WRITE + "os.write(fd, reply(1.0))\nreturn True", requests=2),
    death(
        "answer_before_the_question",
        WRITE + "os.write(fd, reply(1.0) + reply(1.0, nonce=1))\nreturn True",
        requests=2,
    ),
    death("answer_and_one_byte", WRITE + "os.write(fd, reply(1.0) + b'x')\nos._exit(0)", requests=2),
    death("half_an_answer_and_death", WRITE + "os.write(fd, reply(1.0)[:25])\nos._exit(0)"),
    death("half_an_answer_and_another", WRITE + "os.write(fd, reply(1.0)[:20])\nreturn True"),
    death(
        "takes_the_next_request",
        WRITE
        + """
import struct
os.write(fd, reply(0.25))
nonce = struct.unpack("<QII", os.read(serving()["requests"], 16))[0]
os.write(fd, reply(0.25, nonce=nonce))
os._exit(0)
""",
        requests=3,
    ),
    death("closes_the_pipe", WRITE + "os.close(fd)\nreturn True"),
    death("pipe_made_another", WRITE + "os.dup2(1, fd)\nreturn True"),
    death(
        "place_out_of_range",
        """
        position()[:8] = b"\\xfe" * 8
        os._exit(0)
        """,
    ),
    death(
        "place_of_another",
        """
        position()[:] = bytes(4096)
        return True
        """,
        "answered",
    ),
    death(
        "page_gone",
        """
        position().close()
        return True
        """,
        "answered",
    ),
)

BEHAVIOURS = HANGS + DEATHS + ANSWERS + PROTOCOL

ORPHANS = (
    Attack("outlives_by_prctl", "survives", "libc.prctl(1, 0, 0, 0, 0)\nwhile True:\n    pass", seconds=60.0),
    Attack(
        "outlives_by_another_signal",
        "survives",
        "libc.prctl(1, 17, 0, 0, 0)\nwhile True:\n    pass",
        seconds=60.0,
    ),
    Attack(
        "outlives_as_a_child",
        "survives",
        """
        if libc.fork() == 0:
            libc.setsid()
            while True:
                libc.pause()
        while True:
            pass
        """,
        seconds=60.0,
    ),
)
