"""Two sweeps of the same runs at the same time: each run is made once, by one of them."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.test_stopping import finish, folder, start


def test_each_run_belongs_to_one_of_two_sweeps(tmp_path: Path) -> None:
    sweep = ["-m", "method=sparse", "seed=0,1,2", "training.steps=20000"]
    both = [start(tmp_path / "twice", *sweep) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    for process, (out, err) in zip(both, told, strict=True):
        assert process.returncode in (0, 1), err
        assert "Traceback" not in err
        failed = out.count("this run is going on in another process")
        assert (process.returncode == 1) == (failed > 0)
    assert sum(out.count("going on in another process") for out, _ in told) > 0  # they did meet
    assert "3 already complete" in finish(tmp_path / "twice", *sweep)
    finish(tmp_path / "once", *sweep)
    for seed in range(3):
        runs = [folder(tmp_path / name, "sparse", seed) for name in ("once", "twice")]
        for name in ("train.csv", "eval.csv"):
            one, other = (run.path / name for run in runs)
            assert one.read_bytes() == other.read_bytes()
        with (runs[1].path / "train.csv").open() as file:
            assert len(list(csv.DictReader(file))) == 40
        assert (runs[1].read_json("result.json") or {})["resumed_at"] == []
