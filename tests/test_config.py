"""Every yaml builds, and every mistake is one clear line at second 0."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf, open_dict

from tests.conftest import ROOT
from vlmcar.cli import one_line_errors
from vlmcar.config import build, component, config_hash, method_name, relevant_settings, vlm_name
from vlmcar.types import VLM, ConfigError, VlmcarError

Compose = Callable[..., DictConfig]
GROUPS = (
    "env",
    "vlm",
    "generation",
    "sandbox",
    "verification",
    "audit",
    "method",
    "reward",
    "algorithm",
    "training",
    "logger",
)
CHOICES = [
    (group, str(path.relative_to(ROOT / "conf" / group).with_suffix("")))
    for group in GROUPS
    for path in sorted((ROOT / "conf" / group).rglob("*.yaml"))
]
NEEDED = {
    "gymnasium": ["env.name=gymnasium", "env.env_id=CartPole-v1", "env.experts.source=module:function"],
    "manual": ["vlm.answered_by=a person"],
    "openai": ["vlm.model=some-model"],
    "transformers": ["vlm.model=some/model"],
    "best_of_n": ["vlm=manual", "vlm.answered_by=a person"],  # recordings are one conversation
    "evolve": ["vlm=manual", "vlm.answered_by=a person"],
}


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=[f"{g}={c}" for g, c in CHOICES])
def test_every_choice_builds_without_loading_anything(config: Compose, group: str, choice: str) -> None:
    cfg = config(f"{group}={choice}", *NEEDED.get(choice, []))
    built = getattr(build(cfg), group)
    assert type(built).__module__.startswith(("vlmcar.", "baselines."))
    if hasattr(built, "name") and choice not in ("minigrid", "procgen"):
        assert built.name == choice.split("/")[-1]  # the same word in yaml, path and csv


@pytest.mark.parametrize("path", sorted((ROOT / "conf/experiment").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_experiment_builds_and_says_its_command(config: Compose, path: Path) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose(
            "config", [f"experiment={path.stem}"], return_hydra_config="hydra" in OmegaConf.load(path)
        )
    overlay = OmegaConf.load(path)
    overlay.pop("hydra", None)  # what -m sweeps, and nothing else
    with open_dict(cfg):
        cfg.pop("hydra", None)
    build(cfg)
    for key in set(overlay) - {"defaults"}:  # an overlay wins over the values it lies on
        assert (
            OmegaConf.merge(cfg[key], overlay[key]) == cfg[key] if key in GROUPS else cfg[key] == overlay[key]
        )
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# python run.py")
    assert f"experiment={path.stem}" in lines[1]


@pytest.mark.parametrize("choice", [c for g, c in CHOICES if g == "vlm"])
def test_every_vlm_keeps_the_protocol(config: Compose, choice: str) -> None:
    vlm = build(config(f"vlm={choice}", *NEEDED.get(choice, []))).vlm
    assert isinstance(vlm, VLM)
    assert vlm.identity([])["vlm"] == choice


BAD = [
    (["algorithm.n_steps=7"], "n_steps=7 * num_envs=16 = 112 must be a multiple of batch_size=256"),
    (["algorithm.learning_rate=fast"], "algorithm.learning_rate=fast"),
    (["algorithm.learning_rate=0"], "learning_rate=0"),
    (["algorithm.gamma=1.5"], "gamma=1.5"),
    (["+algorithm.learning_rat=1"], "did you mean 'learning_rate'?"),
    (["~algorithm.gamma"], "algorithm.gamma is missing"),
    (["+sead=3"], "did you mean 'seed'?"),
    (["seed=-1"], "seed=-1"),
    (["seed=one"], "seed=one"),
    (["stage=trian"], "stage=trian is none of train, generate"),
    (["label=a/b"], "label=a/b"),
    (["stage=generate", "method=sparse"], "method=sparse has none"),
    (["overwrite=maybe"], "overwrite=maybe"),
    (["training.steps=100"], "less than one update"),
    (["training.eval_every=0"], "eval_every=0"),
    (["env.tile_size=2"], "tile_size=2"),
    (["env.tile_size=big"], "env.tile_size=big"),
    (["vlm=manual"], "vlm.answered_by has no default"),
    (["vlm.recordings=nowhere"], "nowhere is no folder"),
    (["generation.prompts=v99"], "there are v1"),
    (["generation.program_attempts=0"], "program_attempts=0"),
    (["generation.max_calls=2"], "max_calls=2 must be at least 3"),
    (["generation.max_dollars=0"], "max_dollars=0 must be above 0"),
    (["generation=best_of_n", "generation.n=0"], "n=0"),
    (["generation=best_of_n"], "vlm=offline replays one conversation: take vlm=openai"),
    (["generation=evolve"], "vlm=offline replays one conversation: take vlm=openai"),
    (["generation=evolve", "generation.population=0"], "population=0"),
    (["generation=evolve", "generation.parents=4"], "parents=4, population=3"),
    (["generation=evolve", "generation.program_attempts=2"], "program_attempts=2"),
    (["generation=evolve", *NEEDED["evolve"], "vlm.record=true"], "not generation=evolve"),
    ([*NEEDED["evolve"], "generation.max_dollars=1"], "vlm=manual states none: give generation.max_calls"),
    (
        ["vlm=openai", "vlm.model=m", "vlm.input_price=1", "generation.max_dollars=1"],
        "give vlm.input_price and",
    ),
    (["verification.held_out_seed=10000"], "overlapping"),
    (["verification.checks.random_completes.at_most=2"], "fraction from 0 to 1"),
    (["sandbox.memory_mb=-5"], "memory_mb"),
    (["reward=potential", "reward.zero_terminal=true"], "method.env_reward"),
    (["reward.weights=[-1,2]"], "weights"),
    (["logger.mode=cloud"], "logger.mode=cloud"),
    (["method._target_=vlmcar.nothing"], "method._target_=vlmcar.nothing"),
    (["method._target_=vlmcar.types.VlmcarError"], "must be a dataclass"),
    (["algorithm=dqn", "algorithm.buffer_size=10"], "buffer_size=10"),
    (["algorithm.learning_rate=nan"], "learning_rate=nan must be a finite number"),
    (["algorithm.gae_lambda=5"], "gae_lambda=5"),
    (["algorithm.batch_size=1"], "batch_size=1"),
    (["method.env_reward=inf"], "env_reward=inf must be a finite number"),
    (["seed=4294967296"], "seed=4294967296"),
    (["results=1"], "must be the path of a folder"),
    (["label=null"], "'label' is missing or null"),
    (["~logger"], "'logger' is missing or null"),
    (["training.eval_seed=20005"], "held_out set"),
    (["training.eval_seed=9990"], "feedback set"),
    (["verification.feedback_seed=-50"], "0 or more"),
    (["env.image_seed=-1"], "image_seed=-1"),
    (["env=procgen", "env.max_steps=2000"], "env.max_steps=2000 must be from 1 to 1000"),
    (["env=procgen", "env.num_levels=40000"], "levels that training draws from"),
    (["env=procgen", "env.expert_steps=[40,20]"], "must be [fewest, most]"),
    (["verification.early_frames=-1"], "early_frames=-1"),
    (["algorithm.cnn_learning_rate=0"], "cnn_learning_rate=0"),
    (["algorithm.cnn=resnet"], "algorithm.cnn=resnet is neither small nor impala"),
    (["training.device=gpu"], "training.device=gpu is neither cpu nor cuda"),
    (["levels=0"], "levels=0"),
]


@pytest.mark.parametrize(("overrides", "words"), BAD, ids=[" ".join(o) for o, _ in BAD])
def test_a_mistake_is_one_line_that_says_what_is_wrong(
    config: Compose, overrides: list[str], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(config(*overrides))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


RUN_PY = [
    (["env=minigird"], 2, "did you mean env=minigrid?"),
    (["env=doorkey_5x5"], 2, "did you mean env=minigrid/doorkey_5x5?"),
    (["hydra/launcher=submitit_slrum"], 2, "did you mean hydra/launcher=submitit_slurm?"),
    (["algorithm.n_stepz=7"], 2, "did you mean algorithm.n_steps?"),
    (["env_reward=1"], 2, "did you mean method.env_reward?"),
    (["seed=0,1,2"], 2, "Add -m to sweep"),
    (["algorithm.n_steps=7"], 2, "must be a multiple of batch_size=256"),
    (["training.steps=[1"], 2, ""),
    (["results=/proc/nothing"], 2, "cannot be written"),
    (["logger=null"], 2, "logger=null: a group must have a choice"),
]


@pytest.mark.parametrize(("overrides", "status", "words"), RUN_PY, ids=[" ".join(o) for o, _, _ in RUN_PY])
def test_run_py_prints_one_line_and_no_traceback(overrides: list[str], status: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "run.py", *overrides], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("vlmcar: config error: ")
    assert words in done.stderr


def test_a_key_in_the_wrong_place_is_not_shown_by_a_sweep_either(tmp_path: Path) -> None:
    key = "sk-verysecret123"
    command = ["-m", "vlm=openai", "vlm.model=m", f"vlm.api_key_env={key}", f"results={tmp_path}"]
    done = subprocess.run([sys.executable, "run.py", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "must be the NAME of an environment variable" in done.stderr
    assert key not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_yamls_of_ones_own_are_choices_too(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    mine = (ROOT / "conf/env/minigrid/doorkey_5x5.yaml").read_text()
    (tmp_path / "env/mine.yaml").write_text(mine.replace("name: doorkey_5x5", "name: mine"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "run.py", "--config-dir", str(tmp_path), *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert OmegaConf.create(run("env=mine", "--cfg", "job").stdout)["env"]["name"] == "mine"
    wrong = run("env=mnie")
    assert wrong.returncode == 2
    assert wrong.stderr.rstrip().endswith("; did you mean env=mine?")


def test_help_and_the_whole_config_are_readable() -> None:
    done = subprocess.run([sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    for words in (
        "python run.py -m seed=0,1,2",
        "env/minigrid: doorkey_5x5",
        "method: direct_vlm, oracle, sparse, vlmcar",
        "generation: best_of_n, evolve, repair, single",
        "explained in conf/<group>/<name>.yaml",
        "--config-dir FOLDER",
        "python -m vlmcar.program check",
        "python -m vlmcar.share",
    ):
        assert words in done.stdout
    done = subprocess.run(
        [sys.executable, "run.py", "--cfg", "job"], cwd=ROOT, capture_output=True, text=True
    )
    assert OmegaConf.create(done.stdout)["env"]["name"] == "doorkey_8x8"


def test_the_sweep_covers_the_methods_by_itself(config: Compose) -> None:
    with_hydra = OmegaConf.load(ROOT / "conf/config.yaml")
    swept = with_hydra.hydra.sweeper.params.method.split(",")
    assert set(swept) <= {path.stem for path in (ROOT / "conf/method").glob("*.yaml")}
    assert swept[:2] == ["vlmcar", "sparse"]


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local", "submitit_slurm", "ray"])
def test_any_launcher_can_be_chosen(launcher: str) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("config", [f"hydra/launcher={launcher}", "results=here"], return_hydra_config=True)
    assert cfg.hydra.sweep.dir.startswith("here/")  # every file lies below results


def test_the_config_hash_follows_what_changes_the_numbers(config: Compose) -> None:
    def hashed(*overrides: str) -> str:
        cfg = config(*overrides)
        return config_hash(relevant_settings(cfg, build(cfg)))

    assert hashed() == hashed("training.steps=300000", "env.steps=1", "sandbox.startup_seconds=9")
    assert hashed() == hashed("seed=3", "results=elsewhere", "logger=none", "training.torch_threads=2")
    assert hashed() != hashed("training.steps=400000")
    assert hashed() != hashed("verification.checks.random_completes.at_most=0.2")
    assert hashed("method=sparse") != hashed()
    # Who would have written a program, and how it is judged, is nothing to the sparse reward.
    assert hashed("method=sparse") == hashed(
        "method=sparse", "verification.checks.random_completes.at_most=0.2"
    )


def test_a_task_may_have_any_threshold_of_its_own(config: Compose) -> None:
    checks = build(config()).verification.checks
    own = build(
        config("+env.thresholds.random_completes=0.05", "+env.thresholds.robust=0.5")
    ).verification.checks
    assert (checks.random_completes.at_most, checks.robust.at_least) == (0.1, 0.0)
    assert (own.random_completes.at_most, own.robust.at_least) == (0.05, 0.5)


def test_names_in_paths(config: Compose) -> None:
    built = build(config("method=sparse", "label=slow"))
    assert (method_name(built), vlm_name(built)) == ("sparse-slow", "none")
    built = build(config())
    assert (method_name(built), vlm_name(built)) == ("vlmcar", "offline")


@pytest.mark.parametrize(
    "overrides",
    [
        ["generation.max_dollars=1"],  # a recording costs nothing
        ["generation.max_dollars=1", "vlm=transformers", "vlm.model=some/model"],
        ["generation.max_dollars=1", "vlm=openai", "vlm.model=m", "vlm.input_price=1", "vlm.output_price=2"],
        ["generation=evolve", "method=direct_vlm"],  # it takes the sub-tasks alone, which are recorded
        ["generation=best_of_n", "method=sparse"],
    ],
)
def test_a_search_and_a_vlm_that_fit(config: Compose, overrides: list[str]) -> None:
    build(config(*overrides))


def test_a_component_without_a_target_is_refused() -> None:
    with pytest.raises(ConfigError, match="no _target_"):
        component("env", OmegaConf.create({"name": "x"}))


@pytest.mark.parametrize(("error", "status"), [(ConfigError("a\nb"), 2), (VlmcarError("a"), 1)])
def test_errors_a_user_can_act_on_become_one_line(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise error
    assert left.value.code == status
    assert "HYDRA_FULL_ERROR" not in os.environ  # nothing leaks into processes started later
    assert capsys.readouterr().err.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(ZeroDivisionError), one_line_errors():
        _ = 1 / 0
