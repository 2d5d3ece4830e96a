"""Reads a program without running it and says what breaks the contract, in words a VLM can act on.

This keeps honest programs pure and gives good feedback. It is not what contains a hostile one: that is the
locked-down worker process. Attributes are refused by name, whatever object they are taken from, so that
``m = np; m.random`` is no way around.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

from vlmcar.types import SubTask

MAX_BYTES = 100_000
MAX_PROBLEMS = 20

MODULES = (
    *("numpy", "numpy.linalg", "numpy.fft", "numpy.ma", "numpy.polynomial", "numpy.lib.stride_tricks"),
    *("cv2", "math"),
)
TYPES = {
    "typing": {
        *("Any", "Callable", "Dict", "Iterable", "Iterator", "List"),
        *("Optional", "Sequence", "Set", "Tuple", "Union"),
    },
    "numpy.typing": {"ArrayLike", "NDArray"},
}
"""Module -> what may be imported from it, for annotations; the modules themselves lead to the interpreter."""
PARAMETERS = ["initial", "frame"]

FILES = "programs read and write nothing but the two frames"
CLOCKS = "there is no clock and no randomness: the same frames must give the same answer"
WINDOWS = "there is no display and no camera"
SETTINGS = "library settings are fixed; np.printoptions in a `with` statement is fine"
UNSET = "memory that nobody has set holds anything: use np.zeros"
INTERNALS = "interpreter and library internals are out of reach: call numpy, cv2 and math directly"

BUILTINS = """
    eval exec compile breakpoint help exit quit copyright credits license getattr setattr delattr
    globals locals vars dir super memoryview classmethod staticmethod property
"""

ATTRIBUTES = {
    FILES: """
        save savez savez_compressed savetxt load loadtxt genfromtxt fromfile fromregex recfromcsv recfromtxt
        memmap open_memmap DataSource tofile dump dumps
        imread imreadmulti imreadanimation imwrite imwritemulti imwriteanimation imcount haveImageReader
        haveImageWriter FileStorage FileNode readOpticalFlow writeOpticalFlow CascadeClassifier samples utils
        read write
    """,
    CLOCKS: """
        random datetime64 getTickCount getTickFrequency getCPUTickCount TickMeter randu randn randShuffle
        setRNGSeed theRNG
    """,
    WINDOWS: """
        imshow waitKey waitKeyEx pollKey namedWindow moveWindow resizeWindow destroyWindow destroyAllWindows
        startWindowThread setWindowProperty getWindowProperty setWindowTitle getWindowImageRect createTrackbar
        getTrackbarPos setTrackbarPos setTrackbarMin setTrackbarMax createButton setMouseCallback selectROI
        selectROIs addText displayOverlay displayStatusBar currentUIFramework
        VideoCapture VideoCapture_waitAny VideoWriter videoio_registry
    """,
    SETTINGS: """
        setNumThreads setUseOptimized setUseOpenVX setLogLevel redirectError set_numeric_ops seterrcall
        seterrobj geterr geterrcall geterrobj getbufsize get_printoptions masked_print_option
        setbufsize set_printoptions set_string_function set_default_printstyle typecodes sctypes sctypeDict
    """,
    INTERNALS: """
        os sys io re ast abc types inspect pickle builtins importlib platform pathlib subprocess sysconfig
        ctypes ctypeslib operator itertools functools collections contextlib weakref warnings numbers textwrap
        lib core compat testing test f2py distutils emath char rec nt nx safe_eval source lookfor
        typing misc bootstrap load_config_py3 mat_wrapper data version
        dnn ml cuda ocl ogl ipp gapi detail parallel
        mro gi_frame gi_code cr_frame cr_code ag_frame ag_code tb_frame tb_next
        f_back f_globals f_locals f_builtins f_code func_globals
    """,
}
REASONS = {name: reason for reason, names in ATTRIBUTES.items() for name in names.split()}
"""Attribute name -> why it is refused."""
NAMES = {
    **dict.fromkeys(BUILTINS.split(), INTERNALS),
    **dict.fromkeys(("open", "input"), FILES),
    **dict.fromkeys(("id", "hash"), CLOCKS),
}
"""Global name -> why it is refused."""
PREFIXES = {
    "imread": FILES,
    "imwrite": FILES,
    "readNet": FILES,
    "dnn_": FILES,
    "ml_": INTERNALS,
    "gapi_": INTERNALS,
}
CLOCK_DTYPE = re.compile(r"datetime64|^[<>=|]?M8")

Problem = tuple[int, str]
"""Line number, 0 where there is none, and text."""


def screen(source: str, subtasks: Sequence[SubTask]) -> tuple[str, ...]:
    """Readable problems of a program's source, in line order; empty when it may be run. Never raises."""
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        return (f"the program is longer than {MAX_BYTES} bytes: write less code",)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as "\d" in a docstring
            tree = ast.parse(source)
        found = [*_contract(tree, subtasks), *(p for node in ast.walk(tree) for p in _node(node))]
        found += [*_lib(tree), *_stores(tree)]
    except SyntaxError as error:
        return ((f"line {error.lineno}: " if error.lineno else "") + f"syntax error: {error.msg}",)
    except (RecursionError, MemoryError):
        return ("the program is nested too deeply to be read: split its expressions",)
    except ValueError as error:  # nul bytes, surrogates
        return (f"the program is not valid Python text: {error}",)
    lines = [f"line {line}: {text}" if line else text for line, text in sorted(set(found))]
    more = len(lines) - MAX_PROBLEMS
    return tuple(lines[:MAX_PROBLEMS] + ([f"and {more} more problems"] if more > 0 else []))


def _contract(tree: ast.Module, subtasks: Sequence[SubTask]) -> Iterator[Problem]:
    """The docstring, and one function per sub-task in order."""
    if not (ast.get_docstring(tree) or "").strip():
        yield 0, "the module must start with a docstring that says what the program sees"
    names = [subtask.name for subtask in subtasks]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    defined = [function.name for function in functions]
    for name in names:
        if name not in defined:
            yield 0, f"the function of sub-task {name!r} is missing: write `def {name}(initial, frame): ...`"
    for function in functions:
        if defined.count(function.name) > 1:
            yield (
                function.lineno,
                f"{function.name!r} is defined {defined.count(function.name)} times: keep one",
            )
        args = function.args
        plain = [arg.arg for arg in args.args] == PARAMETERS
        if not plain or args.posonlyargs or args.kwonlyargs or args.vararg or args.kwarg or args.defaults:
            yield function.lineno, f"{function.name!r} must take exactly two parameters: (initial, frame)"
    if sorted(defined) == sorted(names) and defined != names:
        yield (
            functions[0].lineno,
            f"the functions must stand in the order of the sub-tasks: {', '.join(names)}",
        )


def _node(node: ast.AST) -> Iterator[Problem]:
    """What is wrong with one node of the syntax tree, its children aside."""
    line = getattr(node, "lineno", 0)
    for text in _problems(node):
        yield line, text


def _problems(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (_module(alias.name) for alias in names if alias.name not in MODULES)
        case ast.ImportFrom():
            yield from _import_from(node)
        case ast.Attribute(attr=attr):
            if attr != "lib":  # `_lib` looks at those together with what follows
                yield from _attribute(attr)
        case ast.MatchClass(kwd_attrs=attrs):
            yield from (text for attr in attrs for text in _attribute(attr))
        case ast.Name(id=name) if name in NAMES:
            yield f"{name!r} is not allowed (if it is your own variable, rename it): {NAMES[name]}"
        case ast.Call(func=ast.Name(id="type"), args=args) if len(args) != 1:
            yield "'type' may only be called with one argument: classes are not allowed"
        case ast.Call(func=ast.Attribute(attr="ndarray") | ast.Name(id="ndarray")):
            yield f"calling 'ndarray' is not allowed: {UNSET}"
        case ast.Global():
            yield "'global' is not allowed: programs keep no state, return the value instead"
        case ast.ClassDef():
            yield "classes are not allowed: write functions"
        case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
            yield "async code is not allowed: write plain functions"
        case ast.Constant(value=str(text)) if CLOCK_DTYPE.search(text):
            yield f"dates such as {text[:40]!r} are not allowed: {CLOCKS}"
    if isinstance(node, ast.FunctionDef) and node.decorator_list:
        yield "decorators are not allowed: call the function where you need it"
    yield from (_dunder(name) for name in _names(node) if name.startswith("__") and name != "__name__")


def _module(name: str) -> str:
    return f"import of {name!r} is not allowed: only numpy, cv2 and math"


def _import_from(node: ast.ImportFrom) -> Iterator[str]:
    if node.module == "__future__" and [alias.name for alias in node.names] == ["annotations"]:
        return
    if not node.level and node.module in TYPES and {a.name for a in node.names} <= TYPES[node.module]:
        return
    if node.level or node.module not in MODULES:
        yield _module("." * node.level + (node.module or ""))
        return
    for alias in node.names:
        if alias.name == "*":
            yield f"'from {node.module} import *' is not allowed: import the names you use"
        else:
            yield from _attribute(alias.name)


def _attribute(name: str) -> Iterator[str]:
    if name.startswith("_") and name != "__name__":
        yield f"the private attribute '.{name}' is not allowed: {INTERNALS}"
    reason = REASONS.get(name) or next(
        (why for start, why in PREFIXES.items() if name.startswith(start)), None
    )
    if reason:
        yield f"'.{name}' is not allowed: {reason}"


def _lib(tree: ast.Module) -> Iterator[Problem]:
    """Every ``.lib`` except in ``np.lib.stride_tricks``, whose sliding windows honest programs use."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    fine = {id(node.value) for node in attributes if node.attr == "stride_tricks"}
    for node in attributes:
        if node.attr == "lib" and id(node) not in fine:
            yield node.lineno, f"'.lib' is not allowed: {INTERNALS}"


def _stores(tree: ast.Module) -> Iterator[Problem]:
    """Every assignment to an attribute, except of an object of OpenCV that the program made: ``params.minArea = 9``."""
    nodes = list(ast.walk(tree))
    bound = Counter(
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    bound.update(name for node in nodes for name in _binds(node))
    made = Counter(
        node.targets[0].id
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and _makes_an_object(node.value)
    )
    for node in nodes:
        if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Load):
            continue
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        if not made[name] or made[name] != bound[name]:  # it is, or may be, something that outlives the call
            yield (
                node.lineno,
                f"assigning to '.{node.attr}' is not allowed: programs keep no state, use a local variable",
            )


def _makes_an_object(value: ast.expr) -> bool:
    """``cv2.Something(...)``: classes of OpenCV begin with a capital letter."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr[:1].isupper()
    )


def _binds(node: ast.AST) -> Iterator[str]:
    """Names that a node binds other than by assignment: parameters, imports, functions."""
    if isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name


def _dunder(name: str) -> str:
    return f"the name {name!r} is not allowed: {INTERNALS}"


def _names(node: ast.AST) -> Iterator[str]:
    """The names that a node reads or binds."""
    for field in ("id", "name", "arg", "asname", "rest"):
        name = getattr(node, field, None)
        if isinstance(name, str):
            yield name
