"""Attacks that go around Python's walls: there are none, so all of them must end at the process's."""

from .attack import Attack

TOUCH = "open(WORLD + '/ran', 'w')"

ATTACKS = (
    Attack(
        "walk_to_a_class_that_knows_os",
        "files",
        """
        for kind in ().__class__.__base__.__subclasses__():
            if kind.__name__ == "_wrap_close":
                kind.__init__.__globals__["system"](WORLD + "/script")
        return False
        """,
    ),
    Attack(
        "walk_to_a_loader",
        "files",
        """
        for kind in type.__subclasses__(object):
            if kind.__name__ == "BuiltinImporter":
                posix = kind.load_module("posix")
                posix.close(posix.open(WORLD + "/ran", posix.O_CREAT))
        return False
        """,
    ),
    Attack(
        "walk_of_the_collector",
        "files",
        """
        import gc
        for thing in gc.get_objects():
            if type(thing) is type(gc) and thing.__name__ == "posix":
                thing.mkdir(WORLD + "/ran")
        return False
        """,
    ),
    Attack(
        "frames_of_the_worker",
        "files",
        """
        try:
            1 // 0
        except ZeroDivisionError as error:
            frame = error.__traceback__.tb_frame
        while frame:
            if "os" in frame.f_globals:
                frame.f_globals["os"].mkdir(WORLD + "/ran")
                return False
            frame = frame.f_back
        return False
        """,
    ),
    Attack(
        "builtins_of_a_function",
        "files",
        "np.isscalar.__globals__['__builtins__']['open'](WORLD + '/ran', 'w')\nreturn False",
    ),
    Attack("module_in_a_module", "files", "np.lib.npyio.os.mkdir(WORLD + '/ran')\nreturn False"),
    Attack("modules_of_sys", "files", "import sys\nsys.modules['posix'].mkdir(WORLD + '/ran')\nreturn False"),
    Attack("eval_of_a_text", "files", "eval(\"__import__('os').mkdir(WORLD + '/ran')\")\nreturn False"),
    Attack("text_that_formats", "files", "'{0.__class__}'.format(open(WORLD + '/ran', 'w'))\nreturn False"),
    Attack(
        "builtins_by_typing",
        "files",
        """
        import typing
        typing.stdlib_re.enum.bltns.open(WORLD + "/ran", "w")
        return False
        """,
    ),
    Attack(
        "annotation_that_is_evaluated",
        "files",
        """
        import typing
        def innocent(x: "typing.stdlib_re.enum.bltns.open(WORLD + '/ran', 'w')"):
            pass
        typing.get_type_hints(innocent, {"typing": typing, "WORLD": WORLD})
        return False
        """,
    ),
    Attack(
        "annotation_that_imports",
        "files",
        """
        import typing
        def innocent(x: "__import__('posix').mkdir(WORLD + '/ran')"):
            pass
        typing.get_type_hints(innocent)
        return False
        """,
    ),
    Attack(
        "code_of_another_function",
        "files",
        """
        def innocent():
            return 1
        innocent.__code__ = (lambda: open(WORLD + "/ran", "w")).__code__
        innocent()
        return False
        """,
    ),
    Attack(
        "made_up_bytecode",
        "files",
        """
        def call_it(what, where):
            return what
        code = (lambda what, where: what(where, "w")).__code__
        call_it.__code__ = call_it.__code__.replace(co_code=code.co_code, co_consts=code.co_consts, co_stacksize=9)
        call_it(open, WORLD + "/ran")
        return False
        """,
    ),
    Attack(
        "replaced_function_of_numpy",
        "files",
        """
        np.copyto = lambda *_, place=WORLD + "/ran": open(place, "w")
        return False
        """,
        requests=2,
    ),
    Attack(
        "replaced_function_of_cv2",
        "files",
        """
        cv2.setRNGSeed = lambda _, place=WORLD + "/ran": open(place, "w")
        return False
        """,
        requests=2,
    ),
    Attack(
        "replaced_builtin",
        "files",
        """
        import builtins
        kept = builtins.isinstance
        def isinstance(*arguments, kept=kept, place=WORLD + "/ran"):
            open(place, "w")
            return kept(*arguments)
        builtins.isinstance = isinstance
        return False
        """,
        requests=2,
    ),
    Attack(
        "replaced_function_of_the_worker",
        "files",
        """
        import sys
        def write(*_, place=WORLD + "/ran"):
            open(place, "w")
            1 // 0
        sys.modules["__main__"].write = write
        return False
        """,
    ),
    Attack(
        "trace_of_the_interpreter",
        "files",
        """
        import sys
        sys.setprofile(lambda *_: open(WORLD + "/ran", "w"))
        return False
        """,
    ),
    Attack(
        "hook_for_audits",
        "files",
        """
        import sys
        make, place = sys.modules["posix"].mkdir, WORLD + "/ran"
        sys.addaudithook(lambda event, _: event == "compile" and make(place))
        compile("1", "x", "eval")
        return False
        """,
    ),
    Attack(
        "finalizer",
        "files",
        """
        class Late:
            def __del__(self, open=open, place=WORLD + "/ran"):
                open(place, "w")
        np.kept = Late()
        np.kept = None
        return False
        """,
    ),
    Attack(
        "finalizer_at_the_next_frame",
        "files",
        """
        class Late:
            def __del__(self, open=open, place=WORLD + "/ran"):
                open(place, "w")
        globals()["late"] = Late()
        return False
        """,
        requests=2,
    ),
    Attack(
        "at_exit",
        "files",
        """
        import atexit
        atexit.register(open, WORLD + "/ran", "w")
        ctypes.pythonapi.Py_Exit(0)
        """,
    ),
    Attack(
        "at_exit_of_libc",
        "files",
        """
        import atexit
        atexit.register(open, WORLD + "/ran", "w")
        atexit._run_exitfuncs()
        return False
        """,
    ),
    Attack(
        "pending_call",
        "files",
        """
        ctypes.pythonapi.PyRun_SimpleString(f"import os; os.mkdir({WORLD!r} + '/ran')".encode())
        return False
        """,
    ),
    Attack(
        "signal_handler",
        "files",
        """
        import signal
        signal.signal(signal.SIGVTALRM, lambda *_: open(WORLD + "/ran", "w"))
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
        sum(range(3_000_000))
        return False
        """,
    ),
    Attack(
        "exception_that_writes",
        "files",
        """
        class Loud(Exception):
            def __str__(self):
                return str(open(WORLD + "/ran", "w"))
        raise Loud
        """,
    ),
    Attack(
        "answer_that_writes",
        "files",
        """
        class Kind(type(np.float64(1))):
            def __le__(self, other):
                open(WORLD + "/ran", "w")
                return True
            __ge__ = __le__
        return Kind(0.5)
        """,
    ),
    Attack(
        "answer_that_claims_a_type",
        "files",
        """
        class Answer:
            @property
            def __class__(self):
                open(WORLD + "/ran", "w")
                return float
        return Answer()
        """,
    ),
    Attack(
        "array_of_an_interface",
        "secret",
        """
        import sys
        class Window:
            __array_interface__ = {
                "shape": (20,), "typestr": "|u1", "version": 3, "data": (0, True),
            }
        sys.modules["posix"].open(WORLD + "/secret.txt", 0)
        return reveal(sys.modules["posix"].read(3, 20))
        """,
    ),
    Attack(
        "library_of_numpy_by_ctypeslib",
        "mapping",
        """
        np.ctypeslib.load_library("library.so", WORLD)
        return False
        """,
    ),
    Attack(
        "pickle",
        "files",
        """
        import pickle
        class Loaded:
            def __reduce__(self):
                return open, (WORLD + "/ran", "w")
        try:
            pickle.loads(pickle.dumps(Loaded()))
        except TypeError:
            pass
        return False
        """,
    ),
    Attack(
        "pickle_in_an_array",
        "files",
        """
        import io
        class Loaded:
            def __reduce__(self):
                return open, (WORLD + "/ran", "w")
        file = io.BytesIO()
        np.save(file, np.array([Loaded()]), allow_pickle=True)
        np.load(io.BytesIO(file.getvalue()), allow_pickle=True)
        return False
        """,
    ),
    Attack(
        "stream_of_the_interpreter",
        "files",
        """
        import sys
        sys.stdout = open(WORLD + "/ran", "w")
        print("x", flush=True)
        return False
        """,
    ),
    Attack(
        "path_of_imports",
        "files",
        """
        import sys
        with open(WORLD + "/written_module.py", "w") as file:
            file.write("x = 1")
        sys.path.insert(0, WORLD)
        import written_module
        return False
        """,
    ),
)
