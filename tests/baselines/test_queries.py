"""Which frames a judge is asked about, and what its answers become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig

from baselines.direct_vlm import DirectVLM
from baselines.queries import Queries, SimulatedJudge, VLMJudge
from tests.conftest import flat
from vlmcar.config import build, relevant_settings, vlm_name
from vlmcar.types import ConfigError, Decisions, Frame, Judge, SubTask, TruthJudge, VlmcarError
from vlmcar.vlm.ledger import Ledger
from vlmcar.vlm.simulated import Simulated


class Eye:
    """Says how bright the last picture is: P(yes) = value / 255; neither for 99."""

    def __init__(self) -> None:
        self.views: list[tuple[Frame, ...]] = []

    def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
        self.views += views
        values = [int(view[-1][0, 0, 0]) for view in views]
        rows = [[np.nan if value == 99 else value / 255] * len(questions) for value in values]
        return Decisions(np.array(rows), "eye", calls=len(views), seconds=0.0)


def frames(*values: int) -> np.ndarray:
    return np.stack([flat(value) for value in values])


def vlm_judge(eye: Eye, show_initial: bool = False, least_pixels: int = 1, **limits: Any) -> VLMJudge:
    values = {"remember": 100, "max_queries": None, "threshold": 0.5} | limits
    return VLMJudge(eye, ["a?", "b?"], Queries(**values), show_initial, least_pixels)


def test_a_frame_is_asked_about_once_and_its_answer_kept() -> None:
    eye = Eye()
    judge = vlm_judge(eye)
    start = frames(0, 0, 0, 0)
    np.testing.assert_array_equal(judge.progress(start, frames(255, 10, 255, 128))[:, 0], [1, 0, 1, 1])
    np.testing.assert_array_equal(judge.progress(start, frames(10, 10, 200, 255))[:, 1], [0, 0, 1, 1])
    assert [int(view[0][0, 0, 0]) for view in eye.views] == [255, 10, 128, 200]
    counted = judge.queries
    assert (counted.frames_judged, counted.frames_remembered, counted.frames_unasked) == (4, 4, 0)
    assert isinstance(judge, Judge)
    assert not isinstance(judge, TruthJudge)


def test_the_first_frame_is_part_of_the_question_where_it_is_shown() -> None:
    eye = Eye()
    judge = vlm_judge(eye, show_initial=True)
    judge.progress(frames(1, 2, 1), frames(50, 50, 50))
    assert [[int(picture[0, 0, 0]) for picture in view] for view in eye.views] == [[1, 50], [2, 50]]


def test_small_frames_are_enlarged_by_a_whole_factor() -> None:
    eye = Eye()
    picture = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    vlm_judge(eye, least_pixels=10).progress(picture, picture)
    (shown,) = eye.views[0]
    assert shown.shape == (12, 12, 3)
    np.testing.assert_array_equal(shown[1::3, 1::3], picture[0])


def test_unclear_answers_are_not_done_and_are_counted() -> None:
    judge = vlm_judge(Eye())
    np.testing.assert_array_equal(judge.progress(frames(0, 0), frames(99, 255)), [[0, 0], [1, 1]])
    assert judge.queries.answers_unclear == 2


def test_the_threshold_is_the_least_probability_that_counts() -> None:
    assert vlm_judge(Eye(), threshold=0.8).progress(frames(0, 0), frames(200, 205))[:, 0].tolist() == [0, 1]


def test_beyond_the_limit_new_frames_are_not_judged_and_old_ones_still_are() -> None:
    eye = Eye()
    judge = vlm_judge(eye, max_queries=3, asked_before=1)
    start = frames(0, 0, 0)
    assert judge.progress(start, frames(201, 202, 203))[:, 0].tolist() == [1, 1, 0]
    assert judge.progress(start, frames(204, 201, 202))[:, 0].tolist() == [0, 1, 1]
    assert len(eye.views) == 2
    assert (judge.queries.frames_judged, judge.queries.frames_unasked) == (2, 2)


def test_memory_is_bounded_and_the_least_recently_used_leaves() -> None:
    eye = Eye()
    judge = vlm_judge(eye, remember=2)
    for value in (1, 2, 1, 3, 1, 2):  # 2 leaves for 3, 3 for 2
        judge.progress(frames(0), frames(value))
    assert [int(view[0][0, 0, 0]) for view in eye.views] == [1, 2, 3, 2]


def simulated_judge(
    sees_state: bool, positives: float = 0.0, negatives: float = 0.0, price: float | None = 0.5
):
    simulated = Simulated(positives, negatives, 0, seconds_per_query=2.0, dollars_per_query=price)
    subtasks = [SubTask("held", "h"), SubTask("opened", "o")]
    truths = {"held": "key or door", "opened": "door"}
    ledger = Ledger()
    queries = Queries(0 if sees_state else 10, None, 1.0)
    return SimulatedJudge(simulated, subtasks, truths, queries, ledger, sees_state), ledger


def test_ground_truth_becomes_progress_and_the_cost_is_projected() -> None:
    judge, ledger = simulated_judge(sees_state=False)
    truth = {"key": np.array([True, False, False]), "door": np.array([False, True, False])}
    said = judge.progress_given(frames(0, 0, 0), frames(1, 2, 3), truth)
    np.testing.assert_array_equal(said, [[1, 0], [1, 1], [0, 0]])
    usage = ledger.usage("decisions", "projected")
    assert (usage.calls, usage.answers, usage.seconds, usage.cost) == (3, 6, 6.0, 1.5)
    judge.progress_given(frames(0, 0, 0), frames(1, 2, 3), truth)  # remembered
    assert ledger.usage("decisions", "projected").calls == 3
    assert isinstance(judge, TruthJudge)


def test_only_the_oracle_tells_apart_what_looks_the_same() -> None:
    """As the box of UnlockPickup, carried or destroyed."""
    for sees_state, then in ((True, [0, 0]), (False, [1, 1])):
        judge, _ = simulated_judge(sees_state)
        for door in (True, False):
            truth = {"key": np.array([False]), "door": np.array([door])}
            said = judge.progress_given(frames(0), frames(7), truth)[0].tolist()
        assert said == then
    judge, _ = simulated_judge(sees_state=True)
    both = {"key": np.array([False, False]), "door": np.array([True, False])}
    assert judge.progress_given(frames(0, 0), frames(7, 7), both).tolist() == [[1, 1], [0, 0]]


def test_a_subtask_without_ground_truth_is_named() -> None:
    simulated = Simulated(0, 0, 0, 0, None)
    with pytest.raises(VlmcarError, match=r"ground truth of opened in truth\.yaml"):
        SimulatedJudge(
            simulated,
            [SubTask("held", "h"), SubTask("opened", "o")],
            {"held": "key"},
            Queries(0, None, 1.0),
            Ledger(),
            True,
        )


def test_who_judges_is_in_names_paths_and_settings(config) -> None:
    def built(*overrides: str) -> tuple[DictConfig, Any]:
        cfg = config(*overrides)
        return cfg, build(cfg)

    rates = "vlm.simulated.false_positives=0.05"
    cfg, direct = built("method=direct_vlm", rates)
    assert vlm_name(direct) == "simulated_fp0.05_fn0.1"
    assert relevant_settings(cfg, direct)["vlm.simulated.false_positives"] == 0.05
    assert "vlm.simulated.dollars_per_query" not in relevant_settings(cfg, direct)
    cfg, oracle = built("method=oracle", rates, "method.simulated.false_negatives=0.5")
    assert vlm_name(oracle) == "simulated_fp0_fn0.5"
    settings = relevant_settings(cfg, oracle)
    assert settings["method.simulated.false_negatives"] == 0.5
    assert not any(key.startswith("vlm.simulated") for key in settings)
    # The simulated judge is nothing to the programs that the same recordings hold.
    assert relevant_settings(*built("method=vlmcar", rates)) == relevant_settings(*built("method=vlmcar"))


BAD = [
    (["vlm=manual", "vlm.answered_by=me"], "vlm=manual cannot answer"),
    (["vlm=openai", "vlm.model=m"], "method.max_queries=5000"),
    (["method.ask_every=0"], "ask_every=0"),
    (["method.max_queries=-1"], "max_queries=-1"),
    (["method.threshold=0"], "threshold=0"),
    (["method.remember=-1"], "remember=-1"),
    (["method.least_pixels=0"], "least_pixels=0"),
    (["vlm.simulated.false_positives=2"], "false_positives=2"),
    (["stage=generate"], "method=direct_vlm has none"),
    (["vlm.simulated.false_negative=0.1"], "false_negative"),
]


@pytest.mark.parametrize(("overrides", "words"), BAD, ids=[" ".join(o) for o, _ in BAD])
def test_what_cannot_judge_is_refused_before_anything_starts(
    config, overrides: list[str], words: str
) -> None:
    with pytest.raises(Exception, match=words) as caught:
        build(config("method=direct_vlm", *overrides))
    if "false_negative" not in words:
        assert isinstance(caught.value, ConfigError)


def test_with_a_limit_or_without_a_price_a_real_vlm_may_judge(config) -> None:
    assert (
        vlm_name(build(config("method=direct_vlm", "vlm=openai", "vlm.model=m", "method.max_queries=9")))
        == "openai"
    )
    free = ["vlm.input_price=0", "vlm.output_price=0"]
    assert vlm_name(build(config("method=direct_vlm", "vlm=openai", "vlm.model=m", *free))) == "openai"
    assert isinstance(build(config("method=direct_vlm")).method, DirectVLM)


def test_a_resumed_judge_remembers_what_it_was_told(tmp_path: Path) -> None:
    eye, again = Eye(), Eye()
    judge, resumed = vlm_judge(eye, max_queries=3), vlm_judge(again, max_queries=3, asked_before=3)
    judge.progress(frames(0, 0, 0), frames(255, 10, 99))
    judge.queries.save(tmp_path / "answers.npz")
    resumed.queries.load(tmp_path / "answers.npz")
    assert resumed.progress(frames(0, 0, 0, 0), frames(255, 10, 99, 254))[:, 0].tolist() == [1, 0, 0, 0]
    assert again.views == []
    assert (resumed.queries.frames_remembered, resumed.queries.frames_unasked) == (3, 1)
    empty = vlm_judge(Eye())
    empty.queries.save(tmp_path / "none.npz")
    empty.queries.load(tmp_path / "none.npz")
    empty.queries.load(tmp_path / "missing.npz")
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_vlm_that_never_says_yes_or_no_is_not_paid_for_ever() -> None:
    class Mute(Eye):
        def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
            return Decisions(np.full((len(views), len(questions)), np.nan), "mute", len(views), 0.0)

    judge = vlm_judge(Mute())
    many = np.stack([flat(value) for value in range(100)])
    judge.progress(many[:49], many[:49])
    with pytest.raises(VlmcarError, match="none of the answers about 50 frames was yes or no"):
        judge.progress(many[49:50], many[49:50])
    one_answered = vlm_judge(Eye())
    one_answered.progress(many[:60], many[:60])
    unclear = np.stack([flat(99)] * 60)
    unclear[:, 1, 1, 1] = np.arange(60)
    one_answered.progress(unclear, unclear)


def test_either_price_asks_for_a_limit(config) -> None:
    with pytest.raises(ConfigError, match="max_queries=5000"):
        build(
            config(
                "method=direct_vlm", "vlm=openai", "vlm.model=m", "vlm.input_price=0", "vlm.output_price=15"
            )
        )
