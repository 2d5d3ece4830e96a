"""Experts that act: a saved Stable-Baselines3 policy, or a person's own function."""

from __future__ import annotations

import hashlib
import importlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from zipfile import BadZipFile

import numpy as np

from vlmcar.env.imported import imported_module, source_digest
from vlmcar.env.words import first_line
from vlmcar.types import ConfigError, VlmcarError

Policy: TypeAlias = Callable[[Any], Any]
"""observation -> action, for one episode."""

ALGORITHMS = {
    **dict.fromkeys(("a2c", "ddpg", "dqn", "ppo", "sac", "td3"), "stable_baselines3"),
    **dict.fromkeys(("ars", "crossq", "ppo_lstm", "ppo_mask", "qrdqn", "tqc", "trpo"), "sb3_contrib"),
}
"""Name -> the package that has it."""
_CLASSES = {"crossq": "CrossQ", "ppo_lstm": "RecurrentPPO", "ppo_mask": "MaskablePPO"}
"""Where the class is not the name in capitals."""


class Expert(Protocol):
    """Solves a task by acting in it."""

    def start(self, env: Any, seed: int) -> Policy:
        """Begin an episode.

        Args:
            env: a ``gymnasium.Env`` after ``env.reset(seed=seed)``.
            seed: of that reset.

        Returns:
            observation -> action; called with every observation of the episode, in order.

        Raises:
            VlmcarError: there is no expert to be had, or not for this environment.
        """

    def identity(self) -> str:
        """What it is: changes with its weights, or with the module that it is written in."""


def acting(source: str, algorithm: str | None = None) -> Expert:
    """The expert that a source names; nothing is loaded or imported before its first episode.

    Args:
        source: a policy's ``.zip``, or ``module:function``.
        algorithm: of the policy, one of ``ALGORITHMS``; ``None`` for a function.

    Raises:
        ConfigError: the file is not there, or the algorithm is not named, or not known.
    """
    if source.lower().endswith(".zip"):
        return SavedPolicy(source, _known(algorithm, source))
    module, colon, function = source.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), function]):
        raise ConfigError(
            f"{source} is no expert: give a policy's .zip of Stable-Baselines3, or module:function"
        )
    if algorithm is not None:
        raise ConfigError(
            f"algorithm={algorithm} belongs to a policy's .zip; for the function {source} leave it null"
        )
    return Function(module, function)


def _known(algorithm: str | None, path: str) -> str:
    if algorithm is None or algorithm.lower() not in ALGORITHMS:
        given = "does not say" if algorithm is None else f"cannot say by algorithm={algorithm}"
        raise ConfigError(
            f"{path} {given} which algorithm wrote it: algorithm must be one of {', '.join(ALGORITHMS)}"
        )
    if not Path(path).expanduser().is_file():
        raise ConfigError(f"{path} does not exist: give the file that model.save() wrote")
    return algorithm.lower()


@dataclass
class SavedPolicy:
    """A policy as Stable-Baselines3's ``model.save`` writes it, playing its best actions on the CPU.

    Such a file can run code when it is loaded: take one from people you trust only.
    """

    path: str
    algorithm: str

    def start(self, env: Any, seed: int) -> Policy:  # noqa: ARG002  (its actions are not drawn)
        model = self._model
        if model.action_space != env.action_space:
            raise VlmcarError(
                f"{self.path} acts in {model.action_space}, the environment takes {env.action_space}: give a policy "
                "that was trained in this environment"
            )
        masked = self.algorithm == "ppo_mask" and env.has_wrapper_attr("action_masks")
        state: Any = None
        first = True

        def act(observation: Any) -> Any:
            nonlocal state, first
            more = {"action_masks": env.get_wrapper_attr("action_masks")()} if masked else {}
            try:
                action, state = model.predict(
                    observation, state=state, episode_start=np.array([first]), deterministic=True, **more
                )
            except (ValueError, RuntimeError) as error:
                raise VlmcarError(
                    f"{self.path} cannot act on this environment's observations ({first_line(error)}): give a policy "
                    "that was trained on them, or module:function that prepares them"
                ) from error
            first = False
            return action.item() if np.ndim(action) == 0 else action

        return act

    @cached_property
    def _model(self) -> Any:
        try:
            return self._class().load(Path(self.path).expanduser(), device="cpu")
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            EOFError,
            pickle.UnpicklingError,
            BadZipFile,
            ImportError,  # and these of a file that another algorithm, version or package wrote
            AttributeError,
            TypeError,
            AssertionError,
        ) as error:
            raise VlmcarError(
                f"{self.path} cannot be loaded as a policy of {self.algorithm} ({first_line(error)}): give the file "
                "that model.save() wrote, and the algorithm that wrote it"
            ) from error

    def identity(self) -> str:
        return hashlib.sha256(Path(self.path).expanduser().read_bytes()).hexdigest()[:12]

    def _class(self) -> Any:
        package = ALGORITHMS[self.algorithm]
        try:
            module = importlib.import_module(package)
        except ImportError as error:
            name = package.replace("_", "-")
            raise ConfigError(
                f"algorithm={self.algorithm} needs one more package: pip install {name}"
            ) from error
        return getattr(module, _CLASSES.get(self.algorithm, self.algorithm.upper()))


@dataclass
class Function:
    """``function(env)`` of a module: called as each episode begins, it returns the episode's policy."""

    module: str
    function: str

    def start(self, env: Any, seed: int) -> Policy:  # noqa: ARG002  (the environment has been reset with it)
        policy = self._made(env)
        if not callable(policy):
            raise VlmcarError(
                f"{self.module}:{self.function} returned {type(policy).__name__}: it is called with the environment as "
                "each episode begins, and must return a function from observation to action"
            )
        return policy

    def identity(self) -> str:
        return f"{self._name} {source_digest(imported_module(self.module, self._name))}"

    @property
    def _name(self) -> str:
        return f"{self.module}:{self.function}"

    @cached_property
    def _made(self) -> Callable[[Any], Any]:
        made = getattr(imported_module(self.module, self._name), self.function, None)
        if made is None:
            raise VlmcarError(
                f"{self.module} has no {self.function}: write function(env) -> (observation -> action)"
            )
        if not callable(made):
            raise VlmcarError(
                f"{self.module}:{self.function} is a {type(made).__name__}: it must be a function of the environment "
                "that returns a function from observation to action"
            )
        return made
