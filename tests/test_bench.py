"""The benchmark measures both methods in turn, and its ratio is of pairs."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from vlmcar.bench import bench


def test_bench_measures_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = bench("minigrid/doorkey_5x5", rounds=1, steps=2048)
    rates = result["steps_per_second"]
    assert set(rates) == {"vlmcar", "sparse"}
    expected = rates["vlmcar"]["median"] / rates["sparse"]["median"]
    assert result["ratio_vlmcar_to_sparse"]["median"] == pytest.approx(expected)
    shares = result["share_of_time"]
    assert all(sum(of.values()) == pytest.approx(1.0) and min(of.values()) >= 0 for of in shares.values())
    assert shares["vlmcar"]["judge"] > 0 == shares["sparse"]["judge"]
    assert all(of["environment"] > 0 for of in shares.values())


def test_elsewhere_it_says_where_to_run_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="repository's root"):
        bench("minigrid", rounds=1, steps=2048)
