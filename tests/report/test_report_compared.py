"""Performance profiles and probability of improvement: by hand, by SciPy, and as drawn."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import mannwhitneyu

from tests.report.conftest import write_run
from vlmcar.report.__main__ import main
from vlmcar.report.canvas import STYLE
from vlmcar.report.comparison import performance_profile, probability_of_improvement
from vlmcar.report.figures import METHOD_COLOURS, line_of
from vlmcar.report.profiles import (
    apart,
    draw_pairs,
    draw_profiles,
    groups,
    pairs,
    scores_of,
    with_mean_success,
)
from vlmcar.report.results import read_runs

FIGURES = [
    f"{name}.{kind}"
    for name in ("performance_profiles", "probability_of_improvement")
    for kind in ("png", "svg", "pdf")
]


def scores(*environments: list[float]) -> list[np.ndarray]:
    return [np.array(runs, dtype=np.float64) for runs in environments]


def test_probability_of_improvement_by_hand() -> None:
    # 1 > 0.5, 1 > 0, 0.5 = 0.5 counts half, 0.5 > 0: 3.5 of 4.
    assert probability_of_improvement(scores([1, 0.5]), scores([0.5, 0])).probability == 0.875
    assert probability_of_improvement(scores([0.5, 0]), scores([1, 0.5])).probability == 0.125


def test_environments_weigh_the_same_however_many_runs_they_have() -> None:
    xs, ys = scores([1, 1, 1, 1, 1], [0]), scores([0, 0, 0], [1])
    assert probability_of_improvement(xs, ys).probability == 0.5


def test_it_is_the_mann_whitney_statistic() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 6, 9) / 5, generator.integers(0, 6, 14) / 5
    expected = mannwhitneyu(x, y).statistic / (9 * 14)
    assert probability_of_improvement([x], [y]).probability == pytest.approx(expected)


def test_its_interval_is_that_of_resampled_pairs() -> None:
    # A resample of x = [0, 1] is 0 0, 0 1, 1 0 or 1 1, and y stays 0.5: P is 0, 0.5, 0.5 or 1, at 1/4, 1/2, 1/4.
    assert probability_of_improvement(scores([0, 1]), scores([0.5]))[1:] == (0, 1)
    _, low, high = probability_of_improvement(scores([0, 1]), scores([0.5]), confidence=0.4)
    assert (low, high) == (0.5, 0.5)


def test_its_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    intervals = [
        probability_of_improvement([generator.random(20) for _ in range(2)], [generator.random(20) for _ in range(2)])
        for _ in range(200)
    ]  # fmt: skip
    assert 0.88 <= np.mean([low < 0.5 < high for _, low, high in intervals]) <= 0.99


def test_single_runs_have_a_probability_and_no_interval() -> None:
    probability, low, high = probability_of_improvement(scores([0.7], [0.2]), scores([0.5], [0.2]))
    assert probability == 0.75
    assert np.isnan([low, high]).all()
    assert np.isnan(performance_profile(scores([0.7], [0.2])).low).all()


def test_a_profile_by_hand() -> None:
    profile = performance_profile(scores([0.5, 1.0], [0.0, 0.0, 0.0, 0.5]))
    assert profile.thresholds.tolist() == [0, 0.5, 1]
    # Above 0: all of the first, a quarter of the second. Above 0.5: half of the first, none of the second.
    assert profile.fraction.tolist() == [(1 + 0.25) / 2, (0.5 + 0) / 2, 0]


def test_a_profile_s_band_by_hand() -> None:
    # Of two runs, 0.2 and 0.8, a resample has none, one or both above 0.5, at 1/4, 1/2, 1/4; all are above 0.
    profile = performance_profile(scores([0.2, 0.8]))
    assert profile.thresholds.tolist() == [0, 0.2, 0.8, 1]
    assert profile.low.tolist() == [1, 0, 0, 0]
    assert profile.high.tolist() == [1, 1, 0, 0]


def test_runs_are_resampled_within_their_environment() -> None:
    profile = performance_profile(
        scores([0.2] * 4, [0.8] * 4)
    )  # pooled, a resample could have more of either
    assert profile.low.tolist() == profile.fraction.tolist() == profile.high.tolist() == [1, 0.5, 0, 0]


def test_bands_are_seeded() -> None:
    runs = [np.random.default_rng(0).random(7)]
    np.testing.assert_equal(performance_profile(runs), performance_profile(runs))
    assert (performance_profile(runs).high != performance_profile(runs, seed=1).high).any()


def test_labels_are_pushed_apart_only_where_they_would_overlap() -> None:
    assert apart([0.2, 0.8], [0.1, 0.1], 0, 1) == [0.2, 0.8]
    np.testing.assert_allclose(apart([0.5, 0.5, 0.5], [0.1, 0.1, 0.2], 0, 1), [0.75, 0.65, 0.5])  # in order
    np.testing.assert_allclose(apart([1, 1], [0.4, 0.4], 0, 1), [0.8, 0.4])
    np.testing.assert_allclose(apart([0, 0], [0.5, 0.5], 0, 1), [0.75, 0.25])


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Two environments; `direct_vlm` is in one of them only, and `vlmcar` has more seeds."""
    results = tmp_path / "results"
    for seed, end in enumerate((1.0, 0.5)):
        write_run(results, seed=seed, success=(0.0, end))
        write_run(results, seed=seed, success=(0.0, end), env="procgen-maze")
    for env in ("minigrid-doorkey_8x8", "procgen-maze"):
        write_run(results, env=env, method="sparse", success=(0.0, 0.5))
    write_run(results, env="procgen-maze", method="direct_vlm", success=(0.0, 0.0))
    write_run(results, env="minigrid-doorkey_8x8", method="direct_vlm", success=(0.0, 1.0), finished=False)
    return results


def test_pairs_count_where_both_have_finished_runs(three: Path) -> None:
    sparse, direct = pairs(with_mean_success(read_runs(three)))
    assert (sparse.x, sparse.y, sparse.envs) == ("vlmcar", "sparse", ["minigrid-doorkey_8x8", "procgen-maze"])
    assert sparse.improvement["final_success"].probability == 0.75
    assert (direct.y, direct.envs) == ("direct_vlm", ["procgen-maze"])
    assert direct.improvement["final_success"].probability == 1


def test_who_learns_sooner_and_who_ends_higher_are_two_questions(tmp_path: Path) -> None:
    write_run(tmp_path, success=(0.0, 0.9, 0.9))
    write_run(tmp_path, method="sparse", success=(0.0, 0.0, 1.0))
    (pair,) = pairs(with_mean_success(read_runs(tmp_path)))
    assert pair.improvement["mean_success"].probability == 1
    assert pair.improvement["final_success"].probability == 0


def test_a_panel_holds_the_methods_that_finished_runs_in_all_its_environments(three: Path) -> None:
    assert groups(scores_of(read_runs(three).runs)) == [
        (["minigrid-doorkey_8x8", "procgen-maze"], ["vlmcar", "sparse"]),
        (["procgen-maze"], ["vlmcar", "sparse", "direct_vlm"]),
    ]


@pytest.fixture
def drawn(three: Path) -> tuple[Figure, Figure]:
    runs = with_mean_success(read_runs(three))
    found, lines = scores_of(runs), line_of(runs["series"])
    with mpl.rc_context(STYLE):
        figures = draw_profiles(groups(found), found, lines, ["x"]), draw_pairs(pairs(runs), lines, ["x"])
        for figure in figures:
            figure.draw_without_rendering()
    return figures


def test_what_is_drawn_is_what_was_computed(drawn: tuple[Figure, Figure]) -> None:
    profiles, improvement = drawn
    both, _ = profiles.axes
    (line,) = [line for line in both.lines if line.get_color() == METHOD_COLOURS["vlmcar"]]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xydata().tolist() == [[0, 1], [0.5, 0.5], [1, 0.5]]  # up to 1, without the fall there
    _, axes = improvement.axes
    points = {line.get_color(): line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o"}
    assert points == {METHOD_COLOURS["sparse"]: [0.75], METHOD_COLOURS["direct_vlm"]: [1]}
    assert [text.get_text() for text in axes.texts] == ["0.75 [0.50, 1.00]", "1.00 [1.00, 1.00]"]


def test_no_labels_overlap_and_none_leaves_its_figure(drawn: tuple[Figure, Figure]) -> None:
    for figure in drawn:
        for axes in figure.axes:
            boxes = [
                text.get_window_extent() for text in [*axes.texts, *axes.get_yticklabels()] if text.get_text()
            ]
            assert not any(a.overlaps(b) for number, a in enumerate(boxes) for b in boxes[:number])
            assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_the_report_has_both_figures_and_the_table_and_says_where_they_hold(
    three: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["--results", str(three), "--out", str(out)]) == 0
    assert [name for name in FIGURES if not (out / name).stat().st_size > 5_000] == []
    page = (out / "report.md").read_text()
    assert "(performance_profiles.png)" in page
    assert "(probability_of_improvement.png)" in page
    table = pd.read_csv(out / "probability_of_improvement.csv")
    table = table[table["by"] == "final_success"]
    assert table["probability"].tolist() == [0.75, 1]
    assert table["environments"].tolist() == ["minigrid-doorkey_8x8, procgen-maze", "procgen-maze"]
    words = " ".join((out / "probability_of_improvement.svg").read_text().split())
    for said in ("VLM: offline", "Judge: programs (vlmcar)", "Seeds: 1 to 2", "95% stratified bootstrap",
                 "Upon direct_vlm: in procgen-maze.", "Drawn by:"):  # fmt: skip
        assert said in words


@pytest.mark.parametrize(
    "others",
    [
        [],
        [{"method": "sparse", "env": "procgen-maze"}],
        [{"method": "sparse", "finished": False}],
    ],
)
def test_nothing_to_compare_is_no_figure(tmp_path: Path, others: list[dict]) -> None:
    write_run(tmp_path / "results")
    for other in others:
        write_run(tmp_path / "results", **other)
    assert main(["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")]) == 0
    assert [name for name in FIGURES if (tmp_path / "out" / name).exists()] == []
    assert "Methods compared" not in (tmp_path / "out" / "report.md").read_text()
