"""Mistakes in settings and on the command line."""

from __future__ import annotations

import shutil

from tests.bad_input.running import Mistake, Place
from tests.conftest import ROOT


def row(wrong: str, command: str, *says: str, **more: object) -> Mistake:
    return Mistake("config", wrong, f"run.py {command}", says, **more)  # type: ignore[arg-type]


def checkout(place: Place) -> None:
    """A copy of ``conf`` and ``run.py``, to break."""
    place.cwd = place.path / "checkout"
    shutil.copytree(ROOT / "conf", place.cwd / "conf")
    shutil.copy(ROOT / "run.py", place.cwd)
    (place.cwd / "results").symlink_to(ROOT / "results")


def _yaml(name: str, text: str) -> dict[str, object]:
    def prepare(place: Place) -> None:
        checkout(place)
        (place.cwd / "conf" / name).write_text(text)

    return {"prepare": prepare}


LONG = "a" * 300

ROWS = (
    row("a choice that does not exist", "env=minigird", "did you mean env=minigrid?"),
    row("a choice without its folder", "env=doorkey_5x5", "did you mean env=minigrid/doorkey_5x5?"),
    row("an experiment that does not exist", "experiment=smok", "did you mean experiment=smoke?"),
    row(
        "a launcher that is not installed",
        "-m hydra/launcher=kubernetes seed=0",
        "Could not find 'hydra/launcher/kubernetes'",
        "Available options",
    ),
    row("a typo in a key", "training.stepz=5", "did you mean training.steps?"),
    row("a typo in a group", "trainig.steps=5", "did you mean training.steps?"),
    row("a typo at the root", "sead=3", "did you mean seed?"),
    row("a typo at the root, added", "+sead=3", "did you mean 'seed'?"),
    row("a typo in a key, added", "+algorithm.learning_rat=1", "did you mean 'learning_rate'?"),
    row("a setting without its group", "env_reward=1", "did you mean method.env_reward?"),
    row("a setting of another algorithm", "algorithm.learning_starts=5", "a setting of algorithm=dqn"),
    row(
        "an algorithm for other actions",
        "algorithm=sac",
        "algorithm=sac acts in Box spaces",
        "take algorithm=ppo",
    ),
    row("a setting taken away", "~algorithm.gamma", "algorithm.gamma is missing"),
    row("a number that is a word", "algorithm.learning_rate=fast", "must be a number"),
    row("a whole number in powers of ten", "training.steps=1e6", "must be a whole number", "500000"),
    row("a whole number with a unit", "training.steps=500k", "must be a whole number"),
    row("a switch that is a word", "vlm.record=maybe", "must be true or false"),
    row("a list that is a number", "algorithm.hidden=64", "algorithm.hidden=64"),
    row("a value out of range", "algorithm.gamma=1.5", "at most 1"),
    row("a number that is none", "algorithm.learning_rate=nan", "finite number"),
    row("a coefficient below 0", "algorithm.ent_coef=-0.01", "must be 0 or more"),
    row("gradients cut to nothing", "algorithm.max_grad_norm=0", "must be above 0"),
    row("minibatches that do not divide", "algorithm.batch_size=100", "multiple of batch_size=100"),
    row("a budget below one update", "training.steps=100", "less than one update", "2048"),
    row("a negative budget", "training.steps=-5", "training.steps=-5 must be at least 1"),
    row("a list without -m", "seed=0,1,2", "Add -m to sweep"),
    row("an empty choice in a sweep", "-m method= seed=0", "direct_vlm oracle sparse vlmcar"),
    row("a negative seed", "seed=-1", "from 0 to 2^32 - 1"),
    row("a seed that is a word", "seed=abc", "must be a whole number"),
    row("a group that is null", "env=null", "env=null: a group must have a choice"),
    row("a stage that does not exist", "stage=trane", "is none of train, generate"),
    row(
        "a stage about programs for a method without", "stage=verify method=sparse", "method=sparse has none"
    ),
    row(
        "the key in place of its variable's name",
        "vlm=openai vlm.model=m vlm.api_key_env=sk-secret12",
        "NAME",
    ),
    row("a label with a slash", "label=a/b", "letters, digits, - and _ only"),
    row("a label with a space", """'label="a b"'""", "letters, digits, - and _ only"),
    row("a label of 300 characters", f"label={LONG}", "300 characters", "64 at most"),
    row("a task's name that leads elsewhere", "env.name=../elsewhere", "it names a folder"),
    row("no results folder", "results=", "must be the path of a folder"),
    row("a home folder that Hydra is given as ~", """'results="~/runs"'""", "write the path in full"),
    row("a weight below 0", "'reward.weights=[-1,1,1]'", "one number >= 0 per sub-task"),
    row("weights that pay nothing", "'reward.weights=[0,0,0]'", "not all 0"),
    row("a sparse reward of 0", "method=sparse method.env_reward=0", "method=sparse has no other reward"),
    row("shaping with another discount", "reward=potential reward.gamma=0.5", "must be algorithm.gamma=0.99"),
    row("shaping that pays every episode the same", "reward=potential reward.zero_terminal=true", "above 0"),
    row("a threshold that is no fraction", "verification.checks.random_completes.at_most=1.5", "from 0 to 1"),
    row("a task's threshold with a typo", "+env.thresholds.stays_dne=1", "did you mean 'stays_done'?"),
    row("sets that overlap", "verification.held_out_seed=10000", "overlapping"),
    row("evaluation on verification's levels", "training.eval_seed=20005", "levels of its own"),
    row("evaluation beyond the last level", "training.eval_seed=99999999999", "the last level"),
    row("another environment under a known name", "env.env_id=MiniGrid-Empty-8x8-v0", "give it a name, too"),
    row(
        "a difficulty that a game lacks",
        "env=procgen/maze env.distribution_mode=extreme",
        "easy, hard, memory",
    ),
    row("a negative budget of calls", "generation.max_calls=-1", "at least 3", "or null"),
    row("a negative budget of money", "generation.max_dollars=-1", "must be above 0, or null"),
    row("a search that a recording cannot answer", "generation=evolve", "replays one conversation"),
    row("no processes to judge", "method.workers=0", "1 to 64"),
    row("an error rate above 1", "method=oracle method.simulated.false_positives=2", "a rate from 0 to 1"),
    row(
        "a judge with a price and no limit",
        "method=direct_vlm vlm=openai vlm.model=m",
        "method.max_queries=5000",
    ),
    row("a judge that cannot judge", "method=direct_vlm vlm=manual vlm.answered_by=me", "take vlm=openai"),
    row("refining by a recording", "audit.refine=true", "replays recordings"),
    row("a device with another name", "training.device=gpu", "neither cpu nor cuda"),
    row("a million threads", "training.torch_threads=1000000", "at most 256"),
    row("no model named", "vlm=openai", "vlm.model has no default", "vlm.model=..."),
    row(
        "an address without http",
        "vlm=openai vlm.model=m vlm.base_url=localhost:11434",
        "http://localhost:11434/v1",
    ),
    row("a program with too little memory", "sandbox.memory_mb=1", "at least 64"),
    row("flags in place of settings", "--seed 3", "without dashes, as seed=..."),
    row("no equals sign", "seed 3", "key=value"),
    row("a colon in place of the equals sign", "seed:3", "key=value"),
    row("a value that needs quotes", "'results=a b[1'", "quotes"),
    row("a file of settings that does not exist", "--config-name mine", "Cannot find primary config 'mine'"),
    row(
        "a yaml with a syntax error",
        "method=mine",
        "mine.yaml, line 1",
        "not yaml",
        **_yaml("method/mine.yaml", "a: [1"),
    ),
    row(
        "a yaml with a key twice",
        "method=mine",
        "line 2",
        "duplicate",
        **_yaml("method/mine.yaml", "a: 1\na: 2\n"),
    ),
    row("an empty yaml", "method=mine", "no _target_", **_yaml("method/mine.yaml", "")),
    row(
        "an experiment with a typo",
        "experiment=mine",
        "did you mean 'steps'?",
        **_yaml("experiment/mine.yaml", "# @package _global_\ntraining:\n  stepz: 5\n"),
    ),
)
