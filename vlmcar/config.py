"""From a composed Hydra config to checked components, before anything runs."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vlmcar.installation import conf, program
from vlmcar.types import VLM, ConfigError, Method, Task

_LONGEST_NAME = 64
STAGES = ("train", "generate", "verify", "agreement", "status")

# What a run's outcome depends on, by what its method needs.
_ALWAYS = ("env", "method", "algorithm", "training")
_WITH_SUBTASKS = (*_ALWAYS, "vlm", "generation", "reward")
_WITH_PROGRAM = (*_WITH_SUBTASKS, "sandbox", "verification", "audit")
_DEPENDS_ON = {"nothing": _ALWAYS, "subtasks": _WITH_SUBTASKS, "program": _WITH_PROGRAM}
_COMPONENTS = (*_WITH_PROGRAM, "logger")
_VALUES = ("stage", "seed", "results", "label", "overwrite", "levels")
# Settings that change no number of a run.
_IRRELEVANT = {
    "env": ("steps", "experts"),  # training.steps says what was used
    "training": ("checkpoint_every", "torch_threads"),
    "sandbox": ("startup_seconds", "allow_weak"),
    "vlm": (
        *("folder", "poll_seconds", "timeout_minutes", "recordings", "record", "cache", "device", "batch_size"),
        *("api_key_env", "timeout_seconds", "max_retries", "max_tokens_parameter", "parallel"),
        *("input_price", "output_price"),
        *("simulated.seconds_per_query", "simulated.dollars_per_query"),
    ),
    "method": (
        *("simulated.seconds_per_query", "simulated.dollars_per_query"),
        *("workers", "audit_share", "audit_frames"),
    ),
}  # fmt: skip


@dataclass
class Components:
    """Everything a run is made of, built and checked; nothing has been loaded, rendered or started."""

    env: Task
    vlm: VLM
    generation: Any
    sandbox: Any
    verification: Any
    method: Method
    reward: Any
    algorithm: Any
    training: Any
    audit: Any
    logger: Any
    stage: str
    seed: int
    results: str
    label: str
    overwrite: bool
    levels: int


def build(cfg: DictConfig) -> Components:
    """Check the whole config and build its components.

    Raises:
        ConfigError: with one line that names the key, the value and what would be right.
    """
    for name in (*_COMPONENTS, *_VALUES):
        if name not in cfg or cfg[name] is None:
            raise ConfigError(f"'{name}' is missing or null; {program()} --help lists the choices")
    for key in cfg:
        if key not in (*_COMPONENTS, *_VALUES):
            raise ConfigError(f"'{key!s}' is no setting{_did_you_mean(str(key), (*_COMPONENTS, *_VALUES))}")
    parts = {name: component(name, cfg[name]) for name in _COMPONENTS}
    values = {name: cfg[name] for name in _VALUES}
    if values["stage"] not in STAGES:
        raise ConfigError(f"stage={values['stage']} is none of {', '.join(STAGES)}")
    if type(values["seed"]) is not int or not 0 <= values["seed"] < 2**32:
        raise ConfigError(f"seed={values['seed']} must be a whole number from 0 to 2^32 - 1")
    if not isinstance(values["results"], str) or not values["results"].strip():
        raise ConfigError(f"results={values['results']} must be the path of a folder")
    if values["results"].startswith("~"):
        raise ConfigError(
            f"results={values['results']}: write the path in full; not every shell knows ~ there"
        )
    if not isinstance(values["overwrite"], bool):
        raise ConfigError(f"overwrite={values['overwrite']} must be true or false")
    if type(values["levels"]) is not int or values["levels"] < 1:
        raise ConfigError(f"levels={values['levels']} must be a whole number, 1 or more")
    values["label"] = str(values["label"])
    if values["label"]:
        _check_folder_name("label", values["label"])
    _check_folder_name("env.name", parts["env"].name)
    built = Components(**parts, **values)
    _check_together(built)
    return built


def component(name: str, node: DictConfig) -> Any:
    """Build one component: the yaml's ``_target_`` is a dataclass that its values must fit.

    Args:
        name: the config group, for error messages.
        node: the composed values with ``_target_``.

    Raises:
        ConfigError: unknown class, unknown or missing key, wrong type, or a value the class refuses.
    """
    for key in sorted(OmegaConf.missing_keys(node)):
        full = f"{name}.{key.removeprefix(f'{name}.')}"
        raise ConfigError(f"{full} has no default: give it on the command line, as {full}=...")
    try:
        values = OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{name}: {_first_line(error)}") from None
    assert isinstance(values, dict)
    target = values.pop("_target_", None)
    if target is None:
        raise ConfigError(f"{name}: no _target_; a component's yaml must name its class")
    try:
        cls = get_class(str(target))
    except Exception as error:
        raise ConfigError(f"{name}._target_={target}: {_first_line(error)}") from None
    if not dataclasses.is_dataclass(cls):
        raise ConfigError(f"{name}._target_={target} must be a dataclass, so that its yaml can be checked")
    return _instance(name, cls, {str(key): value for key, value in values.items()})


def _instance(name: str, cls: type, values: dict[str, Any]) -> Any:
    known = [field.name for field in dataclasses.fields(cls)]
    for key in values:
        if key not in known:
            raise ConfigError(f"{name}.{key} is no setting of {cls.__name__}{_did_you_mean(key, known)}")
    for key in known:
        if key not in values:
            raise ConfigError(f"{name}.{key} is missing from the yaml of {cls.__name__}")
    schema = OmegaConf.structured(cls)
    hints = get_type_hints(cls)
    for key, value in values.items():
        nested = hints[key]
        if dataclasses.is_dataclass(nested) and isinstance(nested, type) and isinstance(value, dict):
            value = _instance(f"{name}.{key}", nested, value)
        try:
            schema[key] = value
        except OmegaConfBaseException as error:
            raise ConfigError(f"{name}.{key}={value}{_wanted(error)}") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name}.{key}={value} must be a finite number")
    return OmegaConf.to_object(schema)  # runs __post_init__, whose ConfigError passes through


def _wanted(error: OmegaConfBaseException) -> str:
    """What a value should have been."""
    line = _first_line(error)
    found = re.search(r"could not be converted to (Integer|Float)", line) or re.search(
        r"not a valid (bool)", line
    )
    if found is None:
        return f": {line}"
    words = {"Integer": "a whole number, written with digits only, such as 500000", "Float": "a number"}
    return f" must be {words.get(found[1], 'true or false')}"


def _check_folder_name(key: str, name: str) -> None:
    if not name.replace("-", "").replace("_", "").isalnum() or len(name) > _LONGEST_NAME:
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:20]}... ({len(name)} characters)"
        raise ConfigError(
            f"{key}={shown} may hold letters, digits, - and _ only, {_LONGEST_NAME} at most: it names a folder"
        )


def _check_task(task: Task, checks: Any) -> None:
    """A task that is not what its name and its thresholds say would be compared with others under that name."""
    own = conf() / "env" / task.suite / f"{task.name}.yaml"
    env_id = getattr(task, "env_id", None)
    named = OmegaConf.select(OmegaConf.load(own), "env_id", default=env_id) if own.is_file() else env_id
    if named != env_id:
        raise ConfigError(
            f"env.env_id={env_id} is not the environment of env.name={task.name}, under which it would be recorded: "
            "give it a name, too, as env.name=another"
        )
    limits = ("at_least", "at_most")
    known = [
        f.name for f in dataclasses.fields(checks) if any(hasattr(getattr(checks, f.name), n) for n in limits)
    ]
    for name in getattr(task, "thresholds", {}):
        if name not in known:
            raise ConfigError(
                f"env.thresholds.{name} is no check with a threshold{_did_you_mean(name, known)}"
            )


def _check_together(built: Components) -> None:
    """What no component can see alone."""
    _check_task(built.env, built.verification.checks)
    gamma = getattr(built.reward, "gamma", built.algorithm.gamma)
    if gamma != built.algorithm.gamma:
        raise ConfigError(
            f"reward.gamma={gamma:g} must be algorithm.gamma={built.algorithm.gamma:g}, or shaping changes what is best"
        )
    judged_by = built.method.judged_by(built.vlm)  # refuses a VLM that cannot judge
    if not getattr(built.env, "has_truth", True) and (judged_by.rates or built.stage == "agreement"):
        what = (
            "stage=agreement"
            if built.stage == "agreement"
            else f"method={built.method.name} with a simulated judge"
        )
        raise ConfigError(
            f"{what} is not available for {built.env.id}: nobody has written down its ground truth; method=vlmcar, "
            "method=sparse, and method=direct_vlm with a VLM that judges need none"
        )
    if built.stage not in ("train", "status") and built.method.needs != "program":
        raise ConfigError(f"stage={built.stage} is about a program, and method={built.method.name} has none")
    built.algorithm.check_budget(built.training.steps)
    evaluated = set(range(built.training.eval_seed, built.training.eval_seed + built.training.most_episodes))
    for which in ("feedback", "held_out"):
        if evaluated & set(built.verification.seeds(which)):
            raise ConfigError(
                f"training.eval_seed={built.training.eval_seed} gives levels that verification's {which} set has, "
                "too; evaluation needs levels of its own"
            )
    _check_audit(built, evaluated)
    if built.env.training_seeds and evaluated & set(built.env.training_seeds):
        raise ConfigError(
            f"training.eval_seed={built.training.eval_seed} gives levels that training draws from, too: "
            f"{built.env.training_seeds.start} to {built.env.training_seeds.stop - 1}; evaluation needs unseen ones"
        )
    if built.method.needs != "nothing":
        built.generation.check_with(built.vlm, writes=built.method.needs == "program")
    check_reward = getattr(built.reward, "check_with", None)
    if check_reward and built.method.needs != "nothing":
        check_reward(built.method.env_reward)


def _check_audit(built: Components, evaluated: set[int]) -> None:
    if built.audit.refine and built.method.needs == "program" and getattr(built.vlm, "replays", False):
        raise ConfigError(
            f"audit.refine=true sends new frames to the VLM, and vlm={built.vlm.name} replays recordings: take "
            "vlm=openai, vlm=transformers or vlm=manual"
        )
    if built.env.training_seeds:
        return  # the audit plays these
    others = {"evaluation": evaluated}
    others |= {
        f"verification's {which} set": set(built.verification.seeds(which))
        for which in ("feedback", "held_out")
    }
    for whose, seeds in others.items():
        if seeds & set(built.audit.all_seeds):
            raise ConfigError(
                f"audit.first_seed={built.audit.first_seed} gives levels that {whose} has, too; the audit needs its own"
            )


def relevant_settings(cfg: DictConfig, built: Components) -> dict[str, Any]:
    """The settings that the run's numbers depend on, the seed left out, as ``group.key`` -> value.

    A method without a program does not depend on who would have written one.
    """
    settings: dict[str, Any] = {}
    for name in _DEPENDS_ON[built.method.needs]:
        values = _flat(OmegaConf.to_container(cfg[name], resolve=True))
        unused = _IRRELEVANT.get(name, ())
        settings.update({f"{name}.{key}": value for key, value in values.items() if key not in unused})
    code = built.env.code() if hasattr(built.env, "code") else None
    if code is not None:  # of an environment that is a person's own, and may change under the same name
        settings["env.code"] = code
    if not built.audit.refine:  # then an audit changes no training, only what is known of it
        settings = {key: value for key, value in settings.items() if not key.startswith("audit.")}
    if not built.method.asks_vlm:
        unasked = ("vlm.simulated.", "vlm.decisions", "vlm.min_answer_mass")
        settings = {key: value for key, value in settings.items() if not key.startswith(unasked)}
    return settings


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as ``outer.inner`` -> value."""
    if not isinstance(values, dict):
        return {prefix.removesuffix("."): values}
    parts = [_flat(value, f"{prefix}{key!s}.") for key, value in values.items()]
    return {key: value for part in parts for key, value in part.items()}


def config_hash(settings: Mapping[str, Any]) -> str:
    """12 hex digits over ``relevant_settings``."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def vlm_name(built: Components) -> str:
    """Who judges or wrote the judge, in paths and csv files; ``none`` for a method that asks nobody."""
    return built.method.judged_by(built.vlm).vlm


def method_name(built: Components) -> str:
    """The method's folder: its name, and the label of a variant."""
    return f"{built.method.name}-{built.label}" if built.label else built.method.name


def run_path(built: Components) -> Path:
    """``<results>/runs/<env>/<method>/<vlm>/<algorithm>/seed_<n>``."""
    parts = (built.env.id, method_name(built), vlm_name(built), built.algorithm.name, f"seed_{built.seed}")
    return Path(built.results, "runs", *parts)


def _did_you_mean(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; there are: {', '.join(known)}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
