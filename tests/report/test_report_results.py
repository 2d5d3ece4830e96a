"""Run folders to frames: what is read, what is unfinished, what is left out and named."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from vlmcar.report.figures import curves_of
from vlmcar.report.page import mixed_settings, unfinished_runs
from vlmcar.report.results import in_order, read_csv, read_runs, write_csv
from vlmcar.report.tables import readable, summary
from vlmcar.types import VlmcarError


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def only_problem(results):
    """The one problem of a tree in which one of two runs is broken."""
    read = read_runs(results)
    assert read.runs["seed"].tolist() == [0]
    assert set(read.evaluations["seed"]) == {0}
    (problem,) = read.problems
    return problem


def test_three_seeds(run, results):
    for seed, success in enumerate([(0.0, 0.5, 1.0), (0.0, 0.2, 0.9), (0.0, 0.8, 0.95)]):
        run(seed=seed, success=success)
    read = read_runs(results)
    assert read.problems == ()
    assert read.runs["finished"].all()
    assert read.runs["steps_to_90"].tolist() == [20_000] * 3
    curve = curves_of(read.evaluations)["vlmcar"]
    assert curve.steps.tolist() == [0, 10_000, 20_000]
    assert curve.iqm.tolist() == pytest.approx([0.0, 0.5, 0.95])


def test_results_or_results_runs_may_be_given(run, results):
    run()
    assert len(read_runs(results).runs) == len(read_runs(results / "runs").runs) == 1


def test_table_values(run, results):
    successes = [(0.0, 0.9, 1.0), (0.0, 0.5, 0.8), (0.0, 0.1, 0.9)]
    for seed, success in enumerate(successes):
        run(
            seed=seed, success=success, result={"vlm_calls": 0 if seed else 3}
        )  # seeds 1 and 2 reuse the program
        run(seed=seed, method="sparse", success=(0.0, 0.1, 0.95 if seed == 0 else 0.3))
    run(seed=3, finished=False, success=(0.0,))
    table = summary(read_runs(results).runs)
    vlmcar, sparse = readable(table).to_dict("records")
    assert vlmcar == {
        "environment": "minigrid-doorkey_8x8",
        "method": "vlmcar",
        "seeds": "3",
        "final success": "0.90 [0.80, 1.00]",
        "steps to 90 %": "20k [10k, > 20k]",  # of 10k, 20k and never: 7 of 27 resamples have two of one
        "reached 90 %": "2 of 3",
        "steps per second": "1,401",
        "VLM calls": "3",
        "program attempts": "1",
        "unfinished runs": "1",
    }
    assert (sparse["steps to 90 %"], sparse["reached 90 %"]) == ("> 20k [20k, > 20k]", "1 of 3")
    assert (sparse["VLM calls"], sparse["program attempts"]) == ("0", "–")
    bounds = ["steps_to_90_low", "steps_to_90_low_censored", "steps_to_90_high", "steps_to_90_high_censored"]
    assert table["steps_to_90_censored"].tolist() == [False, True]
    assert table[bounds].to_numpy().tolist() == [[10_000, False, 20_000, True], [20_000, False, 20_000, True]]


def test_success_on_training_levels(run, results):
    run(env="minigrid-unlock")
    run(env="procgen-maze", success=(0.0, 0.2, 0.5), train_success=(0.1, 0.9, 0.95))
    run(env="procgen-maze", seed=1, success=(0.0, 0.2, 0.4), train_success=(0.1, 0.3, 0.85))
    run(env="procgen-maze", method="sparse", train_success=(0.0, 0.1, 0.2))
    read = read_runs(results)
    assert read.problems == ()
    procgen = read.evaluations[read.evaluations["env"] == "procgen-maze"]
    assert curves_of(procgen)["vlmcar"].iqm.tolist() == pytest.approx([0.0, 0.2, 0.45])
    assert curves_of(procgen, "train_success_rate")["vlmcar"].iqm.tolist() == pytest.approx([0.1, 0.6, 0.9])
    table = summary(read.runs)
    assert table["train_steps_to_90_censored"].tolist() == [None, True, True]
    rows = readable(table).to_dict("records")
    names = [
        "final success",
        "steps to 90 %",
        "final success, training levels",
        "steps to 90 %, training levels",
    ]
    assert [[row[name] for name in names] for row in rows] == [
        ["1.00 (one seed)", "20k", "–", "–"],
        ["0.45 [0.40, 0.50]", "> 20k", "0.90 [0.85, 0.95]", "> 20k [10k, > 20k]"],
        ["1.00 (one seed)", "20k", "0.20 (one seed)", "> 20k"],
    ]
    numbers = table[[f"final_train_success{bound}" for bound in ("", "_low", "_high")]].to_numpy()
    nan = np.nan
    np.testing.assert_allclose(numbers, [[nan, nan, nan], [0.9, 0.85, 0.95], [0.2, nan, nan]])
    np.testing.assert_equal(table["train_steps_to_90"].to_numpy(), [nan, 20_000, 20_000])


def test_a_seed_without_training_levels_is_no_seed_of_that_curve_and_column(run, results):
    run(train_success=(0.0, 0.5, 0.8))
    run(seed=1)
    read = read_runs(results)
    assert curves_of(read.evaluations, "train_success_rate")["vlmcar"].num_runs.tolist() == [1, 1, 1]
    (row,) = readable(summary(read.runs)).to_dict("records")
    assert row["seeds"] == "2"
    assert row["final success, training levels"] == "0.80 (one seed)"


def test_older_run_folders_are_read(run, results):
    path = run() / "result.json"
    result = json.loads(path.read_text())
    new = {"final_train_success", "train_steps_to_90"}
    path.write_text(json.dumps({name: value for name, value in result.items() if name not in new}))
    run(seed=1)
    read = read_runs(results)
    assert read.problems == ()
    old, null = read.runs[["final_success", *sorted(new)]].to_numpy().tolist()
    assert str(old) == str(null) == "[1.0, nan, nan]"


def test_unfinished_runs_are_drawn_and_named_but_not_in_the_table(run, results):
    run(seed=0)
    run(seed=1, success=(0.0, 0.1), finished=False)
    (run(seed=2, finished=False) / "eval.csv").unlink()
    read = read_runs(results)
    assert read.problems == ()
    assert read.runs["finished"].tolist() == [True, False, False]
    assert curves_of(read.evaluations)["vlmcar"].num_runs.tolist() == [2, 2, 1]
    assert unfinished_runs(read) == [
        "minigrid-doorkey_8x8, vlmcar, seed 1: drawn up to 10k of 300k steps",
        "minigrid-doorkey_8x8, vlmcar, seed 2: no evaluation yet",
    ]
    (row,) = readable(summary(read.runs)).to_dict("records")
    assert (row["seeds"], row["final success"], row["unfinished runs"]) == ("1", "1.00 (one seed)", "2")


@pytest.mark.parametrize("name", ["manifest.json", "result.json"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [('{"env": "minigrid', "JSON"), ("", "JSON"), ("[]", "not a JSON object"), ("{}", "has no 'env'")],
)
def test_bad_json_is_named_and_left_out(run, results, name, text, reason):
    run(seed=0)
    folder = run(seed=1)
    (folder / name).write_text(text)
    problem = only_problem(results)
    assert problem.path == f"minigrid-doorkey_8x8/vlmcar/offline/ppo/seed_1/{name}"
    assert reason in problem.reason or (name == "result.json" and "has no" in problem.reason)


HEADER = "steps,episodes,success_rate,env_return,length\n"
WITH_TRAINING = HEADER.replace("\n", ",train_success_rate\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("steps,episodes,success_rate,length\n0,20,0.0,200\n", "has no column env_return"),
        ("", "has no column steps"),
        (HEADER + "0,20,0.0,0.0,200\n10000,20,0.", "middle of a line"),
        (HEADER + "0,20,0.0,0.0,200\n10000,20,0.5\n", "line 3 is not an evaluation"),
        (HEADER + "0,20,zero,0.0,200\n", "line 2 is not an evaluation"),
        (HEADER + "0,20,nan,0.0,200\n", "outside 0 to 1"),
        (HEADER + "0,20,1.5,0.0,200\n", "outside 0 to 1"),
        (HEADER + "10000,20,0.0,0.0,200\n10000,20,0.0,0.0,200\n", "steps go from 10000 to 10000"),
        (HEADER, "holds no evaluation"),
        (WITH_TRAINING + "0,20,0.0,0.0,200,0.1\n10000,20,0.0,0.0,200\n", "line 3 is not an evaluation"),
        (WITH_TRAINING + "0,20,0.0,0.0,200,\n", "line 2 is not an evaluation"),
        (WITH_TRAINING + "0,20,0.0,0.0,200,nan\n", "train_success_rate is nan, outside 0 to 1"),
        (WITH_TRAINING + "0,20,0.0,0.0,200,90\n", "train_success_rate is 90.0, outside 0 to 1"),
    ],
)
def test_bad_evaluations_are_named_and_left_out(run, results, text, reason):
    run(seed=0)
    (run(seed=1) / "eval.csv").write_text(text)
    problem = only_problem(results)
    assert problem.path.endswith("seed_1/eval.csv")
    assert reason in problem.reason


def test_binary_garbage_is_named_and_left_out(run, results):
    run(seed=0)
    (run(seed=1) / "eval.csv").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in only_problem(results).reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"final_success": None}, "final_success is None, expected int or float"),
        ({"final_success": 97}, "outside 0 to 1"),
        ({"final_train_success": -0.1}, "final_train_success is -0.1, outside 0 to 1"),
        ({"steps_to_90": "90000"}, "expected int or float or null"),
        ({"train_steps_to_90": "90000"}, "expected int or float or null"),
        ({"seed": 7}, "seed is 7, but 1 in manifest.json"),
        ({"config_hash": "other"}, "config_hash is 'other', but 'aaaa1111' in manifest.json"),
    ],
)
def test_a_result_that_cannot_be_is_left_out(run, results, change, reason):
    run(seed=0)
    run(seed=1, result=change)
    assert reason in only_problem(results).reason


def test_a_result_without_manifest_is_named(run, results):
    run(seed=0)
    (run(seed=1) / "manifest.json").unlink()
    assert only_problem(results).path.endswith("seed_1/manifest.json")


def test_a_copied_run_counts_once(run, results):
    folder = run(seed=0)
    shutil.copytree(folder, folder.with_name("seed_0_backup"))
    assert "is the same run as" in only_problem(results).reason


def test_mixed_settings_are_named(run, results):
    for seed in range(3):
        run(seed=seed, config_hash="bbbb2222" if seed == 2 else "aaaa1111")
        run(seed=seed, method="sparse")
    (warning,) = mixed_settings(read_runs(results))
    assert warning == (
        "Runs of vlmcar on minigrid-doorkey_8x8 were made with different settings: "
        "config hash `aaaa1111` for seed 0, 1; `bbbb2222` for seed 2."
    )


def test_different_code_and_evaluation_steps_are_named(run, results):
    run(seed=0)
    run(seed=1, every=9_000, git={"commit": "fedcba9876543210", "dirty": True})
    code, steps = mixed_settings(read_runs(results))
    assert "different code: commits 0123456789, fedcba9876" in code
    assert "evaluated at different steps" in steps


def test_an_unfinished_run_is_no_different_grid(run, results):
    run(seed=0)
    run(seed=1, finished=False, success=(0.0, 0.5))
    assert mixed_settings(read_runs(results)) == []


def test_names_of_curves(run, results):
    run()
    run(label="potential")
    run(method="sparse")
    assert set(read_runs(results).runs["series"]) == {"vlmcar", "vlmcar (potential)", "sparse"}
    run(vlm="openai")
    names = ["vlmcar (potential)", "vlmcar · offline", "vlmcar · openai", "sparse"]
    assert in_order(read_runs(results).runs["series"]) == names


def test_one_vlm_per_environment_needs_no_longer_name(run, results):
    run()
    run(env="procgen-coinrun", vlm="openai")
    assert set(read_runs(results).runs["series"]) == {"vlmcar"}


def test_csv_round_trip(run, results, tmp_path):
    run(success=(0.0, 1 / 3, 0.95), label="none")
    run(method="sparse", success=(0.0, 0.1, 0.2), git={"commit": None, "dirty": None})
    run(seed=1, finished=False, success=(0.0,))
    run(seed=2, result={"program_hash": "001234567890"})
    run(env="procgen-maze", train_success=(0.0, 1 / 3, 0.9))
    before = read_runs(results)
    write_csv(before, tmp_path)
    after = read_csv(tmp_path)
    pd.testing.assert_frame_equal(before.runs, after.runs, check_exact=True)
    pd.testing.assert_frame_equal(before.evaluations, after.evaluations, check_exact=True)


def test_csv_of_an_older_report_lacks_training_levels_and_nothing_else(run, results, tmp_path):
    run()
    before = read_runs(results)
    write_csv(before, tmp_path)
    new = {"final_train_success", "train_steps_to_90", "train_success_rate"}
    for name in ("runs.csv", "evaluations.csv"):
        frame = pd.read_csv(tmp_path / name)
        frame.drop(columns=new & set(frame)).to_csv(tmp_path / name, index=False)
    after = read_csv(tmp_path)
    pd.testing.assert_frame_equal(before.runs, after.runs, check_exact=True)
    pd.testing.assert_frame_equal(before.evaluations, after.evaluations, check_exact=True)
    pd.read_csv(tmp_path / "runs.csv").drop(columns="steps_to_90").to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(VlmcarError, match=r"\['steps_to_90'\] not in index"):
        read_csv(tmp_path)


@pytest.mark.parametrize("text", [None, "", "env,method\na,b\n"])
def test_unreadable_csv_says_what_was_expected(tmp_path, text):
    if text is not None:
        (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(VlmcarError, match=r"expected runs\.csv and evaluations\.csv"):
        read_csv(tmp_path)


def test_many_runs(run, results):
    success = tuple(step / 99 for step in range(100))
    for seed in range(20):
        for env in range(5):
            for method in ("vlmcar", "sparse"):
                run(env=f"minigrid-{env}", method=method, seed=seed, success=success)
    read = read_runs(results)
    assert (len(read.runs), len(read.evaluations)) == (200, 20_000)
    assert len(summary(read.runs)) == 10
    curve = curves_of(read.evaluations[read.evaluations["env"] == "minigrid-0"])["sparse"]
    assert curve.iqm.tolist() == pytest.approx(success)


def test_manifest_needs_all_that_identifies_a_run(run, results):
    run(seed=0)
    path = run(seed=1) / "manifest.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "judge"}))
    assert only_problem(results).reason == "has no 'judge'"


def test_only_the_folders_asked_for_are_read(run, tmp_path):
    wanted, _ = run(seed=0), run(seed=1)
    (run(seed=2) / "manifest.json").write_text("no json")
    read = read_runs(tmp_path / "results", only=[wanted])
    assert read.runs["seed"].tolist() == [0]
    assert read.problems == ()


def test_a_finished_run_without_its_last_evaluation_is_left_out(run, results):
    run()
    eval_csv = run(seed=1) / "eval.csv"
    eval_csv.write_text("".join(eval_csv.read_text().splitlines(keepends=True)[:-1]))
    assert only_problem(results).reason == "has lost its last evaluation although the run is finished"


@pytest.mark.parametrize("lines", [1, 4, 6])
def test_evaluations_that_were_cut_between_two_lines_are_refused(run, results, tmp_path, lines):
    for seed in range(2):
        run(seed=seed)
    run(seed=2, finished=False, success=(0.0,))
    write_csv(read_runs(results), tmp_path)
    assert len(read_csv(tmp_path).evaluations) == 7  # an unfinished run may end anywhere
    path = tmp_path / "evaluations.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(VlmcarError, match=r"lacks the last evaluations of \d finished runs.*it was cut"):
        read_csv(tmp_path)
