"""``make paper``: what it counts, how it reckons time, what it draws. Nothing is trained; sweeps are a stand-in."""

from __future__ import annotations

import json
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import joblib
import pytest

from tests.conftest import ROOT
from tests.report.conftest import write_run
from vlmcar.paper import __main__ as command
from vlmcar.paper import page
from vlmcar.paper.digitised import read_published
from vlmcar.paper.estimate import Speeds, estimate, plan_text
from vlmcar.paper.page import write_pages
from vlmcar.paper.plan import Figure, PlannedRun, figures, names
from vlmcar.record.folder import RunFolder
from vlmcar.report.figures import METHOD_COLOURS
from vlmcar.types import VlmcarError

PAPER = {
    "paper_unlock": "minigrid-unlock",
    "paper_unlock_pickup": "minigrid-unlock_pickup",
    "paper_doorkey_6x6": "minigrid-doorkey_6x6",
    "paper_doorkey_8x8": "minigrid-doorkey_8x8",
}
HEADER = "environment,method,steps,success,source\n"
SOURCE = "a made-up source, figure 0"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def digitised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the committed one."""
    folder = tmp_path / "digitised"
    folder.mkdir()
    monkeypatch.setattr(page, "FOLDER", folder)
    return folder


def planned(
    results: Path, method: str, seed: int, steps: int = 30_000, overwrite: bool = False
) -> PlannedRun:
    """As ``write_run`` makes it."""
    judge, vlm = ("programs", "offline") if method == "vlmcar" else ("none", "none")
    folder = RunFolder(results / "runs" / "minigrid-unlock" / method / vlm / "ppo" / f"seed_{seed}")
    return PlannedRun(
        "minigrid-unlock", method, judge, "ppo", seed, steps, folder, "aaaa1111", overwrite=overwrite
    )


def figure(results: Path, runs: list[PlannedRun]) -> Figure:
    return Figure("paper_unlock", tuple(runs), 2, results, ("-m", "experiment=paper_unlock"))


@pytest.fixture
def half_done(tmp_path: Path) -> Figure:
    """vlmcar: seed 0 complete, 1 with a checkpoint at 10,000 steps, 2 not begun; sparse: seed 0 of other settings."""
    results = tmp_path / "results"
    rates = (0.0, 0.2, 0.6, 1.0)  # 30,000 steps
    write_run(results, "minigrid-unlock", success=rates, result={"seconds": 20.0})  # 1,500 steps/s
    broken = write_run(results, "minigrid-unlock", seed=1, success=(0.0, 0.4), finished=False)
    with zipfile.ZipFile(broken / "checkpoint.zip", "w") as archive:
        archive.writestr("data", json.dumps({"num_timesteps": 10_000}))
    write_run(
        results, "minigrid-unlock", "sparse", success=rates, config_hash="bbbb", result={"seconds": 10.0}
    )
    runs = [planned(results, "vlmcar", seed) for seed in range(3)]
    return figure(results, [*runs, planned(results, "sparse", 0), planned(results, "sparse", 1)])


def test_the_yamls_are_the_papers_environments_with_all_methods_and_five_seeds(tmp_path: Path) -> None:
    assert set(names()) == set(PAPER)
    for made in figures(names(), [f"results={tmp_path}"]):
        assert made.envs == [PAPER[made.name]]
        assert {(run.method, run.seed) for run in made.runs} == {
            (method, seed) for method in ("vlmcar", "sparse", "direct_vlm", "oracle") for seed in range(5)
        }
        assert len(made.runs) == 20
        assert made.counts() == {"new": 20}
        judges = {run.method: run.judge for run in made.runs}
        assert judges["direct_vlm"].startswith("simulated")
        assert made.parallel == joblib.effective_n_jobs(-1)


def test_overrides_reach_the_runs(tmp_path: Path) -> None:
    overrides = [
        f"results={tmp_path}",
        "seed=7,8",
        "method=sparse",
        "training.steps=4096",
        "hydra.launcher.n_jobs=1",
    ]
    (made,) = figures(["paper_unlock"], overrides)
    assert [(run.method, run.seed, run.steps) for run in made.runs] == [
        ("sparse", 7, 4096),
        ("sparse", 8, 4096),
    ]
    assert made.parallel == 1
    assert made.results == tmp_path
    assert made.arguments == ("-m", "experiment=paper_unlock", *overrides)


def test_runs_are_counted_by_what_their_folders_hold(half_done: Figure) -> None:
    assert half_done.counts() == {"complete": 1, "resume": 1, "new": 2, "other": 1}
    assert [run.steps_left() for run in half_done.runs] == [0, 20_000, 30_000, 0, 30_000]
    sparse = planned(half_done.results, "sparse", 0, overwrite=True)
    assert sparse.steps_left() == 30_000


def test_the_time_is_that_of_complete_runs_of_the_same_kind(half_done: Figure, tmp_path: Path) -> None:
    rest = estimate([half_done], Speeds(half_done.results, tmp_path))
    # vlmcar: 50,000 steps at 30,000 / 20 s; sparse: 30,000 at 30,000 / 10 s; two at a time
    assert rest.seconds == pytest.approx((50_000 / 1500 + 30_000 / 3000) / 2)
    assert (rest.steps, rest.unknown) == (80_000, 0)
    text = plan_text([half_done], Speeds(half_done.results, tmp_path))
    assert "Runs: 5: 1 complete, 1 resumable, 2 to begin, 1 other settings." in text
    assert "The rest is 80,000 steps: about 22 s, 2 at a time." in text
    assert "1,500" in text
    assert "-- overwrite=true replaces them" in text


def test_without_runs_the_reference_counts_then_other_tasks_then_nothing(tmp_path: Path) -> None:
    vlmcar, sparse = planned(tmp_path, "vlmcar", 0), planned(tmp_path, "sparse", 0)
    assert Speeds(tmp_path, tmp_path).of(vlmcar) is None
    assert "nothing to go by, which are not counted: 1" in plan_text(
        [figure(tmp_path, [vlmcar])], Speeds(tmp_path, tmp_path)
    )
    reference = Speeds(tmp_path).of(sparse)
    assert reference is not None
    assert (reference.envs, reference.source) == (("minigrid-unlock",), "results/reference/runs.csv")
    write_run(tmp_path, "minigrid-doorkey_8x8", success=(0.0, 1.0), result={"seconds": 5.0})
    write_run(tmp_path, "procgen-maze", success=(0.0, 1.0), result={"seconds": 1.0})
    other = Speeds(tmp_path, tmp_path).of(vlmcar)
    assert other is not None
    assert (other.steps_per_second, other.envs) == (2000.0, ("minigrid-doorkey_8x8",))
    write_run(tmp_path, "minigrid-unlock", seed=5, result={"resumed_at": [10], "seconds": 1.0})
    assert Speeds(tmp_path, tmp_path).of(vlmcar) == other  # its seconds are those of its last session


def test_the_page_of_half_the_runs(half_done: Figure, digitised: Path) -> None:
    told = write_pages([half_done], "python -m vlmcar.paper")
    out = half_done.results / "paper"
    text = (out / "paper.md").read_text()
    assert "![Success over steps on minigrid-unlock](paper_unlock.png)" in text
    assert "`python run.py -m experiment=paper_unlock`" in text
    assert f"digitised ones belong into `{digitised}/paper_unlock.csv`" in text
    assert "| vlmcar | programs | 1 | 1 | 1 | 0 |" in text
    assert "| sparse | none | 0 | 0 | 1 | 1 |" in text
    assert (out / "paper_unlock.png").stat().st_size > 10_000
    assert "sparse" not in (out / "runs.csv").read_text()  # made with other settings
    assert "paper.md" in told


def test_no_run_at_all_says_what_to_run(tmp_path: Path, digitised: Path) -> None:
    write_pages([figure(tmp_path, [planned(tmp_path, "vlmcar", 0)])], "command")
    text = (tmp_path / "paper" / "paper.md").read_text()
    assert "No run of this figure has been evaluated yet: `python run.py -m experiment=paper_unlock`" in text
    assert not (tmp_path / "paper" / "paper_unlock.png").exists()


def test_published_values_are_drawn_with_their_source(half_done: Figure, digitised: Path) -> None:
    points = [
        f'minigrid-unlock,vlmcar,{steps},{value},"{SOURCE}"\n' for steps, value in ((20_000, 1), (0, 0.25))
    ]
    (digitised / "paper_unlock.csv").write_text("# a comment\n" + HEADER + "".join(points))
    write_pages([half_done], "python -m vlmcar.paper")
    text = (half_done.results / "paper" / "paper.md").read_text()
    assert f"not runs of this suite. [1] {SOURCE}." in text
    assert "belong into" not in text
    (one,) = read_published(digitised / "paper_unlock.csv", ["minigrid-unlock"])
    assert one.curve.steps.tolist() == [0, 20_000]
    assert one.curve.iqm.tolist() == [0.25, 1.0]
    assert (one.line.colour, one.line.marker) == (METHOD_COLOURS["vlmcar"], "D")


def test_the_picture_itself_names_the_source(
    half_done: Figure, digitised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digitised / "paper_unlock.csv").write_text(HEADER + f'minigrid-unlock,another,100,0.5,"{SOURCE}"\n')
    drawn = []
    monkeypatch.setattr(page, "draw_into", lambda *arguments: drawn.append(arguments))
    write_pages([half_done], "command")
    ((_, (panel,), lines, text),) = drawn
    assert panel.labels["another, published [1]"] == "another, published [1]"
    assert lines["another, published [1]"].marker == "D"
    assert lines["vlmcar"].marker is None
    assert f"[1] {SOURCE}" in text[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no line environment,method,steps,success,source"),
        ("environment,method,steps\n", "has no line environment,method,steps,success,source"),
        (HEADER + "minigrid-unlock,a,1,0.5\n", "line 2: 4 values, expected 5"),
        (HEADER + "# note\nminigrid-unlock,a,1,1.5,s\n", "line 3: success is 1.5, outside 0 to 1"),
        (HEADER + "minigrid-unlock,a,1,nan,s\n", "line 2: success is nan, outside 0 to 1"),
        (HEADER + "minigrid-unlock,a,-1,1,s\n", "line 2: steps is -1"),
        (HEADER + "minigrid-unlock,a,x,1,s\n", "line 2: could not convert"),
        (HEADER + "unlock,a,1,1,s\n", "line 2: environment is 'unlock', expected minigrid-unlock"),
        (HEADER + "minigrid-unlock,a,1,1,\n", "line 2: method and source must be stated"),
    ],
)
def test_a_malformed_csv_is_named_and_left_out(
    half_done: Figure, digitised: Path, content: str, words: str
) -> None:
    csv = digitised / "paper_unlock.csv"
    csv.write_text(content)
    with pytest.raises(VlmcarError, match="paper_unlock.csv") as caught:
        read_published(csv, half_done.envs)
    assert words in str(caught.value)


def test_the_page_names_a_malformed_csv(half_done: Figure, digitised: Path) -> None:
    (digitised / "paper_unlock.csv").write_text(HEADER + "minigrid-unlock,a,1,1.5,s\n")
    write_pages([half_done], "command")
    text = (half_done.results / "paper" / "paper.md").read_text()
    assert f"**Published values left out:** {digitised}/paper_unlock.csv, line 2: success is 1.5" in text
    assert "![Success over steps" in text


def test_the_template_holds_no_value() -> None:
    template = ROOT / "results/reference/digitised/template.csv"
    assert read_published(template, []) == []
    assert all(name in template.read_text() for name in [*PAPER, *PAPER.values()])


class Sweeps:
    """Stands in for ``subprocess``: records commands, and ends each as told."""

    def __init__(self, ends: Callable[[str], int]) -> None:
        self.ends, self.ran, self.signals = ends, [], []

    def Popen(self, arguments: list[str], env: dict[str, str]) -> SimpleNamespace:
        self.ran.append(arguments[1:])
        return SimpleNamespace(
            wait=lambda timeout=None: self.ends(arguments[-1]), send_signal=self.signals.append
        )


def run_with(monkeypatch: pytest.MonkeyPatch, made: list[Figure], ends: Callable[[str], int]) -> Sweeps:
    sweeps = Sweeps(ends)
    monkeypatch.setattr(command.subprocess, "Popen", sweeps.Popen)
    monkeypatch.setattr(command, "figures", lambda chosen, overrides: made)
    return sweeps


def test_it_says_the_plan_then_sweeps_what_is_left_then_draws(
    half_done: Figure, digitised: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    complete = Figure("paper_done", half_done.runs[:1], 2, half_done.results, ("-m", "experiment=paper_done"))
    sweeps = run_with(monkeypatch, [complete, half_done], lambda _: 1)
    assert command.main(["--plan"]) == 0
    assert sweeps.ran == []
    assert command.main([]) == 1
    assert sweeps.ran == [
        ["-m", "vlmcar", "-m", "experiment=paper_unlock"]
    ]  # what is complete is not started
    said = capsys.readouterr()
    assert said.out.index("The rest is") < said.out.index("paper_unlock: python run.py")
    assert "Failed, as said above: paper_unlock" in said.err
    page = (half_done.results / "paper" / "paper.html").read_text()
    assert "<h1>Figures of the paper's environments</h1>" in page.replace("&#39;", "'")
    assert "finished runs of" in page
    assert (half_done.results / "paper" / "paper.md").exists()


def test_another_experiment_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VlmcarError, match="experiment=smoke cannot be given here.*--figures"):
        command.main(["--plan", "--", "experiment=smoke"])


def test_ctrl_c_ends_the_whole_and_draws_nothing(half_done: Figure, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts = iter([KeyboardInterrupt(), command.subprocess.TimeoutExpired("vlmcar", 10), None])

    def ends(_: str) -> int:
        if error := next(interrupts):
            raise error
        return 130

    sweeps = run_with(monkeypatch, [half_done, half_done], ends)
    with pytest.raises(KeyboardInterrupt):
        command.main([])
    assert len(sweeps.ran) == 1
    assert sweeps.signals == [signal.SIGINT]  # it was for the parent alone, so it is handed on
    assert not (half_done.results / "paper").exists()
    sweeps = run_with(monkeypatch, [half_done, half_done], lambda _: 130)
    with pytest.raises(KeyboardInterrupt):
        command.main([])
    assert len(sweeps.ran) == 1
