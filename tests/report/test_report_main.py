"""The whole command: files it writes, what they say, and what it does without runs."""

import os
import shutil
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from vlmcar.report.__main__ import main
from vlmcar.report.canvas import STYLE
from vlmcar.report.figures import METHOD_COLOURS, draw, footer, line_of, panels_of
from vlmcar.report.results import read_runs


@pytest.fixture
def report(tmp_path):
    """`report("--option", ...)` runs the command on tmp_path and returns report.md."""

    def make(*arguments, out="report"):
        assert main(["--results", str(tmp_path / "results"), "--out", str(tmp_path / out), *arguments]) == 0
        return (tmp_path / out / "report.md").read_text()

    return make


def all_panels(read):
    """Those of the combined figure."""
    return [
        panel
        for env, rows in read.evaluations.groupby("env")
        for panel in panels_of(env, rows, read.runs[read.runs["env"] == env])
    ]


def test_imports_nothing_heavy():
    code = (
        "import sys, vlmcar.report.__main__;"
        "heavy = {'torch', 'gymnasium', 'hydra', 'omegaconf', 'stable_baselines3', 'cv2'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_says_what_it_does():
    done = subprocess.run(
        [sys.executable, "-m", "vlmcar.report", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("--results", "--out", "--from-csv", "runs.csv", "learning curves"):
        assert word in done.stdout


def test_report_and_redrawing(run, report, tmp_path, capsys):
    for seed in range(2):
        run(seed=seed)
        run(seed=seed, method="sparse", success=(0.0, 0.1, 0.2))
    run(seed=2, finished=False, success=(0.0, 0.4))
    (run(seed=3) / "eval.csv").write_text("steps\n")
    text = report()
    out = tmp_path / "report"
    figures = ["learning_curves", "learning_curves_minigrid-doorkey_8x8"]
    figures += ["performance_profiles", "probability_of_improvement", "throughput"]
    files = {"report.md", "index.html", "runs.csv", "evaluations.csv", "ledger.csv"}
    files |= {f"{name}.{kind}" for name in figures for kind in ("png", "svg", "pdf")}
    files |= {
        f"{name}.{kind}"
        for name in ("table", "success", "throughput", "probability_of_improvement")
        for kind in ("csv", "md", "tex")
    }
    assert {path.name for path in out.iterdir()} == files
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:4] == ["## What was compared", "## Unfinished runs", "## Left out", "## Learning curves"]
    assert "- Packages: numpy 1.26.4" in text
    assert "| minigrid-doorkey_8x8 | vlmcar | aaaa1111 | 00ff00ff00ff | seccomp+landlock |" in text
    assert r"written by hand \| replayed from a file" in text  # a "|" or a line break would break the table
    assert "seed 2: drawn up to 10k of 300k steps" in text
    assert "`minigrid-doorkey_8x8/vlmcar/offline/ppo/seed_3/eval.csv` has no column episodes" in text
    assert f"python -m vlmcar.report --results {tmp_path}/results" in text
    assert "1.00 [1.00, 1.00]" in capsys.readouterr().out

    shutil.rmtree(tmp_path / "results")
    again = report("--from-csv", str(out), out="again")
    for name in sorted(files):
        if name.endswith((".csv", ".tex", ".md")) and name != "report.md":
            assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    assert again.split("## Table")[1] == text.split("## Table")[1]
    assert f"Redrawn from the csv files in `{out}`" in again


def test_training_levels_are_a_panel_two_columns_and_a_sentence(run, report, tmp_path):
    run()
    run(env="procgen-maze", success=(0.0, 0.1, 0.2), train_success=(0.0, 0.5, 0.75))
    text = report()
    assert "| 0.20 (one seed) | > 20k | 0 of 1 | 0.75 (one seed) | > 20k |" in text
    assert "columns about unseen levels" in text
    names = [path.name for path in (tmp_path / "report").glob("*.png")]
    assert "learning_curves_procgen-maze.png" in names
    assert len(names) == 3
    shutil.rmtree(tmp_path / "results")
    again = report("--from-csv", str(tmp_path / "report"), out="again")
    assert again.split("## Table")[1] == text.split("## Table")[1]


def test_nothing_is_said_of_training_levels_where_there_are_none(run, report):
    run()
    assert "training levels" not in report()


def test_an_environment_with_training_levels_has_two_panels(run, tmp_path):
    run(env="minigrid-unlock")
    for method in ("vlmcar", "sparse"):
        run(env="procgen-maze", method=method, success=(0.0, 0.1, 0.2), train_success=(0.0, 0.5, 0.75))
    panels = all_panels(read_runs(tmp_path / "results"))
    assert [(panel.title, panel.curves["vlmcar"].iqm.tolist()) for panel in panels] == [
        ("minigrid-unlock", [0.0, 0.5, 1.0]),
        ("procgen-maze, training levels", [0.0, 0.5, 0.75]),
        ("procgen-maze, unseen levels", [0.0, 0.1, 0.2]),
    ]
    figure = draw(panels, line_of(["vlmcar", "sparse"]), [])
    for axes, panel in zip(figure.axes, panels, strict=True):
        line = next(line for line in axes.lines if line.get_color() == METHOD_COLOURS["vlmcar"])
        assert line.get_ydata().tolist() == panel.curves["vlmcar"].iqm.tolist()


def test_the_two_panels_of_an_environment_stand_side_by_side(run, tmp_path):
    for env in ("doorkey_5x5", "unlock", "unlock_pickup"):
        run(env=f"minigrid-{env}")
    for env in ("leaper", "maze"):
        run(env=f"procgen-{env}", train_success=(0.0, 0.5, 0.75))
    figure = draw(all_panels(read_runs(tmp_path / "results")), line_of(["vlmcar"]), [])
    titles = [axes.get_legend().get_title().get_text() if axes.get_visible() else "" for axes in figure.axes]
    assert np.reshape(titles, (3, 3)).tolist() == [
        ["minigrid-doorkey_5x5", "minigrid-unlock", "minigrid-unlock_pickup"],
        ["procgen-leaper, training levels", "procgen-leaper, unseen levels", ""],
        ["procgen-maze, training levels", "procgen-maze, unseen levels", ""],
    ]


def test_images(run, report, tmp_path):
    run(success=(0.0, 0.5, 1.0))
    report()
    png = Image.open(tmp_path / "report" / "learning_curves.png")
    assert png.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    pixels = np.asarray(png.convert("RGB"))
    assert pixels.std() > 5
    assert (pixels[0] == 255).all()  # light background
    blue = [int(METHOD_COLOURS["vlmcar"][i : i + 2], 16) for i in (1, 3, 5)]
    assert (pixels == blue).all(axis=-1).sum() > 1000


def test_a_redrawn_figure_is_no_change_and_holds_its_fonts(run, report, tmp_path):
    for seed in range(2):
        run(seed=seed, success=(0.0, 0.5, 1.0 - 0.1 * seed))
        run(seed=seed, method="sparse", success=(0.0, 0.1, 0.2))
    report()
    out = tmp_path / "report"
    before = {
        path.name: path.read_bytes() for path in out.iterdir() if path.suffix in (".png", ".svg", ".pdf")
    }
    assert len(before) == 15
    for path in out.iterdir():
        path.unlink()
    # In another process, a second later, with other hashes: nothing of these may be in the files.
    arguments = ["--results", str(tmp_path / "results"), "--out", str(out)]
    subprocess.run(
        [sys.executable, "-m", "vlmcar.report", *arguments],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
    )
    for name, content in before.items():
        assert (out / name).read_bytes() == content, name
    for name in ("learning_curves.pdf", "performance_profiles.pdf"):
        assert b"/FontFile2" in before[name]  # TrueType, embedded
        assert b"/Type3" not in before[name]
        assert b"CreationDate" not in before[name]
    assert before["learning_curves.svg"].startswith(b"<?xml")
    assert b"<dc:date>" not in before["learning_curves.svg"]


def test_one_seed_of_one_method_says_so(run, report):
    run(method="sparse")
    text = report()
    assert "1 run of 1 method on 1 environment, 1 finished." in text
    assert "No band: a single seed." in text
    assert "Band: 95% stratified" not in text


def test_nothing_to_report(report, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    text = report()
    for said in (text, capsys.readouterr().out):
        assert "`python run.py -m env=minigrid seed=0,1,2`" in said
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["index.html", "report.md"]


def test_only_a_broken_run(run, report, capsys):
    (run() / "result.json").write_text("{")
    assert "seed_0/result.json` cannot be read as JSON" in report()
    assert "seed_0/result.json cannot be read as JSON" in capsys.readouterr().out


def test_only_a_run_without_evaluation(run, report):
    (run(finished=False) / "eval.csv").unlink()
    text = report()
    assert "seed 0: no evaluation yet" in text
    assert "No run has been evaluated yet." in text


def test_simulated_judge_is_said_aloud(run, report):
    run(method="oracle")
    run()
    assert "**Simulated judge:** a stand-in with chosen error rates, not a VLM, judged oracle." in report()


def test_missing_csv_is_one_line_and_status_1(tmp_path, capsys):
    assert main(["--from-csv", str(tmp_path / "nowhere"), "--out", str(tmp_path / "report")]) == 1
    assert "runs.csv cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_colours_are_fixed_for_known_methods_and_distinct_for_others():
    lines = line_of(["oracle", "b", "vlmcar", "a", "vlmcar (x)", "c", "d"])
    assert lines["vlmcar"][:2] == (METHOD_COLOURS["vlmcar"], "-")
    assert lines == line_of(["d", "c", "vlmcar (x)", "a", "vlmcar", "b", "oracle"])
    assert len(set(lines.values())) == len(lines)


@pytest.mark.parametrize("train_success", [None, (0.0, 0.5, 1.0)])
@pytest.mark.parametrize("num_envs", [1, 4])
def test_no_text_leaves_the_figure(run, tmp_path, num_envs, train_success):
    for env in range(num_envs):
        name = f"procgen-a_rather_long_environment_name_{env}"
        model = "a_name_without_space" * 20 + " $ and words $" * 20
        run(env=name, train_success=train_success, result={"vlm_model": model})
        run(env=name, train_success=train_success, label="with a label, which says a lot", finished=False)
    read = read_runs(tmp_path / "results")
    panels = all_panels(read)
    text = footer(read.runs, panels, "python -m vlmcar.report --out " + "/a/very/long/folder" * 20)
    with mpl.rc_context(STYLE):
        figure = draw(panels, line_of(read.runs["series"]), text)
        figure.draw_without_rendering()
    page = figure.bbox
    boxes = [figure.texts[0].get_window_extent()]
    legends = [axes.get_legend() for axes in figure.axes if axes.get_visible()]
    boxes += [legend.get_window_extent() for legend in legends]
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in boxes)
    assert all(page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)
    assert boxes[0].y1 < min(axes.get_tightbbox().y0 for axes in figure.axes if axes.get_visible())
