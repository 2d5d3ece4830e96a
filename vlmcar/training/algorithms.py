"""Stable-Baselines3's algorithms as checked components; every method trains with the same ones.

An algorithm is a dataclass of its settings and a ``model`` method; a new one needs this and a yaml.
"""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

from vlmcar.types import ConfigError, VlmcarError


@dataclass
class _Algorithm:
    name: str
    num_envs: int
    learning_rate: float
    gamma: float
    hidden: list[int]
    """Units per hidden layer."""
    cnn: str
    """Where observations are pictures: ``small`` or ``impala``."""
    cnn_features: int
    """Where observations are pictures: numbers that the convolutions leave of each."""
    cnn_learning_rate: float
    """Used in place of ``learning_rate`` where observations are pictures."""

    samples_actions = True
    """Whether an evaluated policy draws its actions, or takes the best one."""

    def __post_init__(self) -> None:
        for name in ("num_envs", "learning_rate", "cnn_features", "cnn_learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be above 0")
        if self.cnn not in ("small", "impala"):
            raise ConfigError(f"algorithm.cnn={self.cnn} is neither small nor impala")
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"algorithm.gamma={self.gamma} must be above 0 and at most 1")
        if any(units < 1 for units in self.hidden):
            raise ConfigError(f"algorithm.hidden={self.hidden} must be numbers of units, 1 or more each")

    def check_budget(self, steps: int) -> None:
        """Refuse a budget in which the algorithm cannot update once."""
        if steps < self.steps_per_update:
            raise ConfigError(
                f"training.steps={steps} is less than one update of {self.name} needs: {self.steps_per_update} "
                "steps"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps before the first update."""
        raise NotImplementedError

    def model(self, venv: Any, seed: int, device: str = "cpu") -> Any:
        """A fresh Stable-Baselines3 model on the vector environment; pictures get a small CNN."""
        from stable_baselines3.common.preprocessing import is_image_space

        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for ours in ("name", "num_envs", "hidden", "cnn", "cnn_features", "cnn_learning_rate"):
            del settings[ours]
        policy, policy_kwargs = "MlpPolicy", dict[str, Any](net_arch=list(self.hidden))
        if is_image_space(venv.observation_space):
            from vlmcar.training.cnn import NETWORKS

            policy = "CnnPolicy"
            policy_kwargs["features_extractor_class"] = NETWORKS[self.cnn]
            policy_kwargs["features_extractor_kwargs"] = {"features": self.cnn_features}
            settings["learning_rate"] = self.cnn_learning_rate
        return self.sb3_class()(
            policy, venv, policy_kwargs=policy_kwargs, seed=seed, device=device, verbose=0, **settings
        )

    def load(self, path: str, venv: Any, device: str = "cpu", anew: bool = True) -> Any:
        """A model as ``model.save`` wrote it, optimiser included.

        Args:
            path: of the file.
            venv: the rewarded vector environment; ``None`` to play only.
            device: of PyTorch.
            anew: new episodes begin; otherwise ``venv`` is where the model left it.

        Raises:
            VlmcarError: the file is not what ``model.save`` writes.
        """
        try:
            return self.sb3_class().load(path, env=venv, device=device, force_reset=anew)
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            EOFError,
            pickle.UnpicklingError,
            BadZipFile,
        ) as error:
            raise VlmcarError(
                f"{path} cannot be read ({str(error).splitlines()[0]}): put it back, or remove it to train anew"
            ) from error

    def defer(self, model: Any, venv: Any) -> None:
        """Let rewards come late, where the model learns from them only later. Here it does at every step.

        Args:
            venv: the rewarded vector environment, see ``vlmcar.reward.vector.RewardVecEnv``.
        """

    def sb3_class(self) -> Any:
        """The class in Stable-Baselines3, which goes by this one's name."""
        import stable_baselines3

        return getattr(stable_baselines3, type(self).__name__)


@dataclass
class _OnPolicy(_Algorithm):
    n_steps: int
    """Steps per environment and update."""
    gae_lambda: float
    ent_coef: float
    vf_coef: float
    max_grad_norm: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_steps < 1:
            raise ConfigError(f"algorithm.n_steps={self.n_steps} must be at least 1")
        for name in ("ent_coef", "vf_coef"):  # below 0 they reward what they shall hold down
            if getattr(self, name) < 0:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be 0 or more")
        if self.max_grad_norm <= 0:
            raise ConfigError(
                f"algorithm.max_grad_norm={self.max_grad_norm} must be above 0, or nothing is learned"
            )
        if not 0 <= self.gae_lambda <= 1:
            raise ConfigError(f"algorithm.gae_lambda={self.gae_lambda} must be from 0 to 1")

    @property
    def steps_per_update(self) -> int:
        return self.n_steps * self.num_envs

    def defer(self, model: Any, venv: Any) -> None:
        """Rewards are first read when a rollout is whole and its advantages are computed."""
        buffer, venv.deferred = model.rollout_buffer, self.n_steps
        compute = buffer.compute_returns_and_advantage

        def compute_paid(last_values: Any, dones: Any) -> None:
            for step, rewards in enumerate(venv.take()):
                buffer.rewards[step] += rewards
            compute(last_values, dones)

        buffer.compute_returns_and_advantage = compute_paid


@dataclass
class PPO(_OnPolicy):
    batch_size: int
    n_epochs: int
    clip_range: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("batch_size", 2), ("n_epochs", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be at least {least}")
        if self.clip_range <= 0:
            raise ConfigError(f"algorithm.clip_range={self.clip_range} must be above 0")
        if self.steps_per_update % self.batch_size:
            raise ConfigError(
                f"algorithm.n_steps={self.n_steps} * num_envs={self.num_envs} = {self.steps_per_update} "
                f"must be a multiple of batch_size={self.batch_size}, or the last minibatch is cut short"
            )


@dataclass
class A2C(_OnPolicy):
    """Advantage actor-critic; its settings are those of every on-policy algorithm here."""


@dataclass
class DQN(_Algorithm):
    buffer_size: int
    learning_starts: int
    batch_size: int
    train_freq: int
    gradient_steps: int
    target_update_interval: int
    exploration_fraction: float
    exploration_final_eps: float

    samples_actions = False  # a value-based policy is evaluated without its exploration

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buffer_size < self.batch_size:
            raise ConfigError(
                f"algorithm.buffer_size={self.buffer_size} must hold at least one batch_size={self.batch_size}"
            )
        for name in ("batch_size", "train_freq", "gradient_steps", "target_update_interval"):
            if getattr(self, name) < 1:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be at least 1")
        if self.learning_starts < 0:
            raise ConfigError(f"algorithm.learning_starts={self.learning_starts} must be 0 or more steps")
        for name in ("exploration_fraction", "exploration_final_eps"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be a fraction from 0 to 1")

    @property
    def steps_per_update(self) -> int:
        return self.learning_starts + self.train_freq * self.num_envs

    def load(self, path: str, venv: Any, device: str = "cpu", anew: bool = True) -> Any:
        """As ``_Algorithm.load``; with new episodes, the replay buffer is filled anew before the next update."""
        model = super().load(path, venv, device, anew)
        if anew:
            model.learning_starts = model.num_timesteps + self.learning_starts
        return model
