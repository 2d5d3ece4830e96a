"""Stable-Baselines3's algorithms as checked components; every method trains with the same ones.

An algorithm is a dataclass of its settings and a ``model`` method; a new one needs this and a yaml.
"""

from __future__ import annotations

import dataclasses
import math
import pickle
from dataclasses import dataclass
from typing import Any, ClassVar
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
    actions: ClassVar[tuple[str, ...]] = ("Discrete", "MultiDiscrete", "MultiBinary", "Box")
    """The action spaces of gymnasium that it can act in."""
    of_policy: ClassVar[tuple[str, ...]] = ()
    """Settings that Stable-Baselines3 takes for the policy rather than for the algorithm."""

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

    def check_actions(self, space: Any) -> None:
        """Refuse a task whose actions the algorithm cannot choose.

        Args:
            space: the task's action space, of gymnasium.

        Raises:
            ConfigError: names the algorithms that can.
        """
        if not _fits(self.actions, space):
            able = [f"algorithm={cls.__name__.lower()}" for cls in ALGORITHMS if _fits(cls.actions, space)]
            instead = f"take {' or '.join(able)}" if able else "no algorithm here can choose these"
            raise ConfigError(
                f"algorithm={self.name} acts in {' and '.join(self.actions)} spaces, and this task's actions are "
                f"{space}: {instead}"
            )
        if type(space).__name__ == "Box" and not space.is_bounded():
            raise ConfigError(
                f"this task's actions are {space}, without bounds, and every algorithm needs finite ones: wrap the "
                "environment in gymnasium.wrappers.RescaleAction"
            )

    def model(self, venv: Any, seed: int, device: str = "cpu") -> Any:
        """A fresh Stable-Baselines3 model on the vector environment.

        Pictures get a CNN of ours; pictures within a ``Dict`` get Stable-Baselines3's, which needs 36 x 36 pixels.

        Raises:
            ConfigError: see `check_actions`.
        """
        from gymnasium import spaces
        from stable_baselines3.common.preprocessing import is_image_space

        self.check_actions(venv.action_space)
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for ours in (
            "name",
            "num_envs",
            "hidden",
            "cnn",
            "cnn_features",
            "cnn_learning_rate",
            *self.of_policy,
        ):
            del settings[ours]
        policy, policy_kwargs = "MlpPolicy", dict[str, Any](net_arch=list(self.hidden))
        policy_kwargs |= {name: getattr(self, name) for name in self.of_policy}
        if isinstance(venv.observation_space, spaces.Dict):
            policy = "MultiInputPolicy"
            policy_kwargs["features_extractor_kwargs"] = {"cnn_output_dim": self.cnn_features}
        elif is_image_space(venv.observation_space):
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
class _OffPolicy(_Algorithm):
    buffer_size: int
    """Transitions."""
    learning_starts: int
    """Steps of uniformly random actions before the first update."""
    batch_size: int
    train_freq: int
    """Vector steps between updates."""
    gradient_steps: int
    """Per update; -1: as many as transitions came in since the last one."""
    target_update_interval: int

    samples_actions = False  # evaluated without its exploration

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buffer_size < self.batch_size:
            raise ConfigError(
                f"algorithm.buffer_size={self.buffer_size} must hold at least one batch_size={self.batch_size}"
            )
        for name in ("batch_size", "train_freq", "target_update_interval"):
            if getattr(self, name) < 1:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be at least 1")
        if self.gradient_steps < 1 and self.gradient_steps != -1:
            raise ConfigError(
                f"algorithm.gradient_steps={self.gradient_steps} must be at least 1, or -1 for as many as transitions"
            )
        if self.learning_starts < 0:
            raise ConfigError(f"algorithm.learning_starts={self.learning_starts} must be 0 or more steps")

    @property
    def steps_per_update(self) -> int:
        return self.learning_starts + self.train_freq * self.num_envs

    def load(self, path: str, venv: Any, device: str = "cpu", anew: bool = True) -> Any:
        """As ``_Algorithm.load``; with new episodes, the replay buffer is filled anew before the next update."""
        model = super().load(path, venv, device, anew)
        if anew:
            model.learning_starts = model.num_timesteps + self.learning_starts
        return model


@dataclass
class DQN(_OffPolicy):
    exploration_fraction: float
    exploration_final_eps: float

    actions = ("Discrete",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("exploration_fraction", "exploration_final_eps"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be a fraction from 0 to 1")


@dataclass
class SAC(_OffPolicy):
    """Soft actor-critic: maximises return and the policy's entropy (Haarnoja et al. 2018, arXiv 1801.01290).

    The weight of the entropy is learned where ``ent_coef`` says ``auto`` (Haarnoja et al. 2018, arXiv 1812.05905).
    ``use_sde`` explores by a noise that depends on the state and holds for a while, so that actions are smooth
    (Raffin et al. 2021, arXiv 2005.05719).
    """

    tau: float
    """Share of the critics that their targets take on per gradient step."""
    ent_coef: str
    """``auto``, ``auto_<first value>``, or a number."""
    use_sde: bool
    sde_sample_freq: int
    """Vector steps that one noise holds; -1: until the next update."""
    log_std_init: float
    """Of the noise with ``use_sde``, before learning."""

    actions = ("Box",)
    of_policy: ClassVar[tuple[str, ...]] = ("log_std_init",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.tau <= 1:
            raise ConfigError(f"algorithm.tau={self.tau} must be above 0 and at most 1")
        if self.sde_sample_freq < 1 and self.sde_sample_freq != -1:
            raise ConfigError(
                f"algorithm.sde_sample_freq={self.sde_sample_freq} must be at least 1 step, or -1 for once per update"
            )
        if not self._is_entropy_weight():
            raise ConfigError(
                f"algorithm.ent_coef={self.ent_coef} must be auto, auto_ and a first value above 0 (auto_0.1), or a "
                "number, 0 or more"
            )

    def _is_entropy_weight(self) -> bool:
        if self.ent_coef == "auto":
            return True
        learned = self.ent_coef.startswith("auto_")
        try:
            value = float(self.ent_coef.removeprefix("auto_"))
        except ValueError:
            return False
        return math.isfinite(value) and (value > 0 if learned else value >= 0)


@dataclass
class TQC(SAC):
    """SAC with critics of quantiles, the highest of which are left out (Kuznetsov et al. 2020, arXiv 2005.04269).

    Of sb3-contrib.
    """

    n_critics: int
    n_quantiles: int
    """Of each critic."""
    top_quantiles_to_drop_per_net: int
    """The more, the less are returns overestimated."""

    of_policy = (*SAC.of_policy, "n_critics", "n_quantiles")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_critics", "n_quantiles"):
            if getattr(self, name) < 1:
                raise ConfigError(f"algorithm.{name}={getattr(self, name)} must be at least 1")
        if not 0 <= self.top_quantiles_to_drop_per_net < self.n_quantiles:
            raise ConfigError(
                f"algorithm.top_quantiles_to_drop_per_net={self.top_quantiles_to_drop_per_net} must be 0 or more and "
                f"less than n_quantiles={self.n_quantiles}, or none is left"
            )

    def sb3_class(self) -> Any:
        import sb3_contrib

        return sb3_contrib.TQC


ALGORITHMS = (PPO, A2C, DQN, SAC, TQC)


def _fits(kinds: tuple[str, ...], space: Any) -> bool:
    """Whether the space is of one of these kinds, by name."""
    from gymnasium import spaces

    return isinstance(space, tuple(getattr(spaces, kind) for kind in kinds))
