"""The house stays as it was drawn: who may import whom, and how long run.py is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Package -> the packages of ours that it may import, besides these.
LEAVES = ("types", "installation")
ALLOWED = {
    "errors": set(),
    "installation": set(),
    "verdict": set(),
    "types": {"errors", "verdict"},
    "env": set(),
    "vlm": set(),
    "program": set(),
    "training": set(),
    "record": set(),
    "report": set(),
    "reward": {"program"},
    "generation": {"vlm", "program"},
    "verification": {"program", "reward"},
}


def imported(path: Path) -> set[str]:
    """Modules of ours that a file names in any import, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names if name.split(".")[0] in ("vlmcar", "baselines")}


FILES = sorted((ROOT / "vlmcar").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_import_direction(path: Path) -> None:
    inside = path.relative_to(ROOT / "vlmcar")
    package = inside.parts[0].removesuffix(".py")
    for name in imported(path):
        assert not name.startswith("baselines"), "core never names a baseline"
        other = name.split(".")[1] if "." in name else "vlmcar"
        if package in ALLOWED and other not in (*LEAVES, package, "vlmcar"):
            assert other in ALLOWED[package], f"{inside} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_circles_are_patched_and_no_file_holds_two_rooms(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "TYPE_CHECKING" not in text
    assert len(text.splitlines()) <= 400


def test_run_py_is_short() -> None:
    assert len((ROOT / "run.py").read_text().splitlines()) <= 30


def test_ground_truth_is_used_for_measuring_only() -> None:
    users = [
        path for path in FILES if any(w in path.read_text() for w in (".truth(", "grid_truth", "gen_truth"))
    ]
    assert {str(path.relative_to(ROOT / "vlmcar")) for path in users} <= {
        "env/minigrid.py",
        "env/minigrid_truth.py",
        "env/procgen.py",
        "env/procgen_truth.py",
        "env/procgen_vector.py",  # make_vec(truth=True), for simulated judges
        "bench_judges.py",  # times a simulated judge
        "verification/agreement.py",
        "power/labels.py",  # labels programs that verification is measured on
    }
    makers = ("generation", "reward", "program")
    for path in FILES:
        if path.relative_to(ROOT / "vlmcar").parts[0] in makers:
            assert not any("agreement" in name for name in imported(path))
