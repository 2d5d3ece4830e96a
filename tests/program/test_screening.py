"""Each broken rule is named in words the writer can act on. Honest programs pass: `test_honest.py`."""

import types

import cv2
import numpy as np
import pytest

from vlmcar.program.screening import MAX_PROBLEMS, REASONS, screen
from vlmcar.types import SubTask

FIRST, SECOND = SubTask("first", "One."), SubTask("second", "Two.")
GOOD = '"""Sees."""\nimport numpy as np\nimport cv2\ndef first(initial, frame):\n    return True\n'


def inside(line: str) -> str:
    """GOOD with one more line in the function, at line 5."""
    return GOOD.replace("    return", f"    {line}\n    return")


BAD = {
    "syntax": ("def first(:\n", ["line 1", "syntax error"]),
    "no docstring": (GOOD.replace('"""Sees."""\n', ""), ["docstring"]),
    "empty": ("", ["docstring", "'first'", "def first(initial, frame)"]),
    "missing function": (GOOD.replace("def first", "def frist"), ["missing", "'first'"]),
    "lambda function": ('"""S."""\nfirst = lambda initial, frame: True\n', ["missing", "def first"]),
    "defined twice": (GOOD + "def first(initial, frame):\n    return False\n", ["line 4", "2 times"]),
    "other parameters": (GOOD.replace("(initial, frame)", "(frame)"), ["line 4", "(initial, frame)"]),
    "default parameter": (GOOD.replace("frame)", "frame, t=1)"), ["line 4", "two parameters"]),
    "star parameter": (GOOD.replace("frame)", "frame, *rest)"), ["line 4", "two parameters"]),
    "import os": (inside("import os"), ["line 5", "'os'", "only numpy, cv2 and math"]),
    "import from": (inside("from time import time"), ["line 5", "'time'"]),
    "relative import": (GOOD + "from . import worker\n", ["line 6", "'.'"]),
    "star import": (GOOD + "from math import *\n", ["line 6", "import the names you use"]),
    "submodule": (inside("import numpy.random"), ["line 5", "numpy.random"]),
    "from numpy": (inside("from numpy import fromfile as f"), ["line 5", "fromfile"]),
    "eval": (inside("eval('1')"), ["line 5", "'eval'"]),
    "exec alias": (inside("run = exec"), ["line 5", "'exec'"]),
    "open": (inside("open('/tmp/x')"), ["line 5", "'open'", "read and write nothing"]),
    "__import__": (inside("__import__('os')"), ["line 5", "'__import__'"]),
    "getattr": (inside("getattr(np, 'load')"), ["line 5", "'getattr'"]),
    "globals": (inside("globals()['x'] = 1"), ["line 5", "'globals'"]),
    "id": (inside("id(frame)"), ["line 5", "'id'", "same answer"]),
    "dunder attribute": (inside("().__class__.__bases__"), ["line 5", "__class__"]),
    "private attribute": (inside("np._globals"), ["line 5", "_globals"]),
    "match attribute": (
        GOOD + "def f(x):\n    match x:\n        case object(random=r):\n            return r\n",
        ["line 8", ".random"],
    ),
    "typing": (inside("import typing"), ["line 5", "'typing'", "only numpy, cv2 and math"]),
    "evaluated annotations": (inside("from typing import get_type_hints"), ["line 5", "'typing'"]),
    "numpy typing": (inside("import numpy.typing as npt"), ["line 5", "numpy.typing"]),
    "builtins": (inside("__builtins__"), ["line 5", "__builtins__"]),
    "attribute of a module by another name": (inside("m = np; m.n = 1"), ["line 5", "no state"]),
    "attribute of what is one thing here and another there": (
        inside("p = cv2.SimpleBlobDetector_Params(); p = np; p.minArea = 9"),
        ["line 5", "no state"],
    ),
    "attribute of a loop variable": (
        inside("p = cv2.KalmanFilter(4, 2)\n    for p in (np,): p.n = 1"),
        ["line 6", "no state"],
    ),
    "attribute of an argument": (inside("frame.n = 1"), ["line 5", "no state"]),
    "deleted attribute": (inside("del np.pi"), ["line 5", "no state"]),
    "print options of all": (inside("np.set_printoptions(3)"), ["line 5", "np.printoptions"]),
    "global": (inside("global n"), ["line 5", "no state"]),
    "class": (GOOD + "class A:\n    pass\n", ["line 6", "classes"]),
    "class by type": (inside("type('A', (), {})"), ["line 5", "classes"]),
    "decorator": (GOOD.replace("def first", "@np.vectorize\ndef first"), ["line 5", "decorators"]),
    "async": (GOOD + "async def f():\n    pass\n", ["line 6", "async"]),
    "attribute assignment": (inside("np.n = 1"), ["line 5", "no state"]),
    "function attribute": (inside("first.n += 1"), ["line 5", "'.n'", "no state"]),
    "numpy save": (inside("np.save('/tmp/x', frame)"), ["line 5", "'.save'", "read and write nothing"]),
    "tofile": (inside("frame.tofile('/tmp/x')"), ["line 5", "tofile"]),
    "numpy random": (inside("np.random.rand()"), ["line 5", "'.random'", "randomness"]),
    "module variable": (inside("m = np; m.ctypeslib"), ["line 5", "ctypeslib"]),
    "numpy lib": (inside("np.lib.npyio"), ["line 5", "'.lib'"]),
    "now": (inside("np.datetime64('now')"), ["line 5", "datetime64", "clock"]),
    "now by dtype": (inside("np.array('now', dtype='M8[s]')"), ["line 5", "M8[s]", "clock"]),
    "imread": (inside("cv2.imread('a.png')"), ["line 5", "imread", "two frames"]),
    "imwrite": (inside("cv2.imwrite('a.png', frame)"), ["line 5", "imwrite"]),
    "camera": (inside("cv2.VideoCapture(0)"), ["line 5", "VideoCapture", "no camera"]),
    "window": (inside("cv2.imshow('a', frame)"), ["line 5", "imshow", "no display"]),
    "wait": (inside("cv2.waitKey(1)"), ["line 5", "waitKey"]),
    "ticks": (inside("cv2.getTickCount()"), ["line 5", "getTickCount", "clock"]),
    "threads": (inside("cv2.setNumThreads(8)"), ["line 5", "setNumThreads"]),
    "print options": (inside("np.get_printoptions()"), ["line 5", "get_printoptions", "settings"]),
    "type codes": (inside("np.typecodes['n'] = 1"), ["line 5", "typecodes", "settings"]),
    "unset memory": (inside("np.ndarray((9,))"), ["line 5", "'ndarray'", "use np.zeros"]),
    "unset memory by name": (inside("ndarray(9)"), ["line 5", "'ndarray'", "use np.zeros"]),
    "storage": (inside("cv2.FileStorage('a', 0)"), ["line 5", "FileStorage"]),
    "network": (inside("cv2.dnn.readNetFromONNX('a')"), ["line 5", "'.dnn'"]),
    "cv2 os": (inside("cv2.os.system('true')"), ["line 5", "'.os'"]),
    "too long": (GOOD + "# " + "x" * 100_000, ["100000 bytes"]),
    "nul byte": (GOOD + "\0", ["null bytes"]),
    "surrogate": (GOOD + "# \udc80", ["not valid Python text"]),
    "nested brackets": (GOOD + "x = " + "(" * 5000 + ")" * 5000, ["nested"]),
    "nested minus": (GOOD + "x = " + "-" * 50_000 + "1", ["nested too deeply"]),
    "nested attributes": (GOOD + "x = a" + ".b" * 30_000, ["nested too deeply"]),
    "long sum": (GOOD + "x = " + "1+" * 30_000 + "1", ["nested too deeply"]),
}


@pytest.mark.parametrize("case", BAD)
def test_broken_rules_are_named(case: str) -> None:
    source, words = BAD[case]
    problems = screen(source, (FIRST,))
    assert problems
    for word in words:
        assert word in " | ".join(problems)
    assert all("\n" not in problem and len(problem) < 400 for problem in problems)


@pytest.mark.parametrize(
    "line",
    [
        "params = cv2.SimpleBlobDetector_Params(); params.minArea = 10",
        "kf = cv2.KalmanFilter(4, 2); kf.transitionMatrix = np.eye(4)",
        "from numpy.fft import fft2; import numpy.ma as ma; from numpy.polynomial import Polynomial",
        "from numpy.typing import NDArray; from typing import Optional, Tuple",
        "print(type(frame).__name__)",
        "print(__name__ == '__main__')",
        "with np.errstate(divide='ignore'), np.printoptions(precision=3): pass",
        "np.seterr(all='ignore')",
        "f = lambda x, low=np.array([0, 0, 0]): x",
    ],
)
def test_what_honest_programs_write_is_let_through(line: str) -> None:
    assert screen(inside(line), (FIRST,)) == ()


def test_one_mistake_is_one_problem() -> None:
    assert len(screen(inside("np.random.rand()"), (FIRST,))) == 1


def test_functions_stand_in_the_order_of_the_sub_tasks() -> None:
    source = GOOD + "def helper(x):\n    return x\ndef second(initial, frame):\n    return 0.5\n"
    assert screen(source, (FIRST, SECOND)) == ()
    (problem,) = screen(source, (SECOND, FIRST))
    assert "order" in problem
    assert "second, first" in problem


def test_problems_come_in_line_order_and_bounded() -> None:
    source = GOOD + "".join(f"x{i} = np.random\n" for i in range(50))
    problems = screen(source, (FIRST,))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[0].startswith("line 6:")
    assert problems[1].startswith("line 7:")
    assert problems[-1] == "and 30 more problems"


def test_allowed_attributes_reach_numpy_and_cv2_only() -> None:
    """Walk every module that allowed attribute names reach: none can open a file or a process."""
    queue: list[tuple[str, types.ModuleType]] = [("np", np), ("cv2", cv2)]
    seen: dict[int, str] = {}
    strangers = []
    while queue:
        path, module = queue.pop()
        if id(module) in seen:
            continue
        seen[id(module)] = path
        if module.__name__.split(".")[0] not in ("numpy", "cv2"):
            strangers.append(f"{path} ({module.__name__})")
            continue
        for name in dir(module):
            value = None if name.startswith("_") or name in REASONS else getattr(module, name, None)
            if isinstance(value, types.ModuleType):
                queue.append((f"{path}.{name}", value))
    assert strangers == []
    assert len(seen) > 5
