"""Any environment of Gymnasium (Towers et al. 2024) as a task: a person's own, without code here.

Nothing of it is known but what a person says in the yaml: experts, how success is told, and what some actions are
good for. There is no ground truth.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray

from vlmcar.env.demonstrations import Expert, Recorded, open_source, read
from vlmcar.env.gymnasium_made import Goals, Success, Watched, code_of, make, picture_of_size
from vlmcar.types import ConfigError, Frame, Moves, NotAvailable, Trajectory, VlmcarError

_TRIES = 10
"""Levels that an expert may fail on, one after another."""
_NEXT = 1_000_003
"""From one of these to the next."""
_REPEATED_STEPS = 20
"""Acted out twice, to see whether the same actions lead to the same frames."""


@dataclass
class Images:
    """Files that the VLM is shown instead of an expert's first and last frame."""

    initial: str | None
    goal: str | None


@dataclass
class Experts:
    """Where successful episodes come from."""

    source: str
    """Recorded (a folder of frames, npz files, videos, ``minari:ID``), a policy file, or ``module:function``."""
    algorithm: str | None
    """Of a policy file: ``ppo``, ``sac``, ..."""


@dataclass
class Actions:
    """What some actions are good for, where this is known: with it more is asked of a program."""

    idle: Any
    back_and_forth: Any
    interactions: list[int]

    def __post_init__(self) -> None:
        both = self.back_and_forth
        if both is not None and (not isinstance(both, list) or len(both) != 2):
            raise ConfigError(
                f"env.actions.back_and_forth={both} must be two actions that undo one another, or null"
            )


@dataclass
class Gymnasium:
    """One goal in an environment that ``gymnasium.make`` or a function of a person's own makes.

    Frames are what ``render()`` gives; the policy sees the environment's own observation. Without an environment
    (``env_id=None``) programs can be generated and verified on recorded episodes, and nothing can be trained.
    """

    name: str
    env_id: str | None
    kwargs: dict[str, Any]
    max_episode_steps: int | None
    frame_size: list[int] | None
    """Height and width in pixels that frames are resized to."""
    images_from: Images
    image_seed: int
    """The level of the initial and the goal image; of recorded demonstrations its number."""
    experts: Experts
    randoms: str | None
    """Recorded episodes of random play; ``None``: the environment is played."""
    success: Success
    actions: Actions
    steps: int
    """Default training budget in environment steps, for every method."""
    random_steps: int
    early_frames: int
    thresholds: dict[str, float]

    suite = "gymnasium"
    training_seeds = None  # every level there is
    has_truth = False

    def __post_init__(self) -> None:
        size = self.frame_size
        if size is not None and (len(size) != 2 or not all(8 <= pixels <= 2048 for pixels in size)):
            raise ConfigError(
                f"env.frame_size={size} must be [height, width], 8 to 2048 pixels each, or null"
            )
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            raise ConfigError(f"env.max_episode_steps={self.max_episode_steps} must be at least 1, or null")
        if self.image_seed < 0:
            raise ConfigError(f"env.image_seed={self.image_seed} must be 0 or more")
        if (self.images_from.initial is None) != (self.images_from.goal is None):
            raise ConfigError(
                "env.images_from needs both initial and goal, or neither: null takes them from an expert"
            )
        if self.env_id is None and self.success.told_by != "demonstrations":
            raise ConfigError(
                "env.env_id=null: without an environment only its demonstrations tell success; add "
                "env.success.told_by=demonstrations"
            )

    @property
    def id(self) -> str:
        return f"{self.suite}-{self.name}"

    @property
    def moves(self) -> Moves:
        both = self.actions.back_and_forth
        return Moves(
            self.actions.idle,
            None if both is None else (both[0], both[1]),
            frozenset(self.actions.interactions),
        )

    @property
    def demonstrations(self) -> int | None:
        return None if self._recorded is None else len(self._recorded)

    @property
    def random_episodes(self) -> int | None:
        return None if self._randoms is None else len(self._randoms)

    def setting(self) -> Mapping[str, Any]:
        ours = ("env_id", "kwargs", "max_episode_steps", "frame_size", "image_seed")
        return {
            **{name: getattr(self, name) for name in ours},
            "success": dataclasses.asdict(self.success),
            "actions": dataclasses.asdict(self.actions),
            "code": self.code(),
            "experts": self._experts_are(),
            "randoms": None if self._randoms is None else _digest(self._randoms),
        }

    def code(self) -> str | None:
        """12 hex digits of the module that makes the environment, where a function of a person's own does."""
        return None if self.env_id is None else code_of(self.env_id)

    def check(self) -> None:
        """Before anything is asked or written: are there an environment and experts that fit each other?

        Raises:
            ConfigError, VlmcarError: what is missing, or does not fit.
        """
        _ = self._images
        if self.env_id is not None:
            _ = self._env

    def images(self) -> tuple[Frame, Frame]:
        return self._images

    frames = images  # the VLM is shown what programs get

    def level_to_play(self, seed: int) -> int:
        """Every seed is a level."""
        return seed

    def expert(self, seed: int) -> Trajectory:
        """A demonstration, or what the expert does; where it fails, on another level.

        Raises:
            VlmcarError: it fails on many levels in a row.
        """
        if self._recorded is not None:
            return self._recorded[seed % len(self._recorded)]
        assert not isinstance(self._source, Recorded)
        for attempt in range(_TRIES):
            trajectory = self._play(seed + attempt * _NEXT, "expert", self._source.start)
            self._expert_episodes[trajectory.seed] = trajectory.success
            if trajectory.success:
                return trajectory
        raise VlmcarError(
            f"{self.id}: env.experts.source={self.experts.source} succeeded in none of {_TRIES} episodes, as "
            f"env.success.told_by={self.success.told_by} tells it; give another expert, or another way to tell success"
        )

    def random(self, seed: int, max_steps: int) -> Trajectory:
        """Actions drawn from the action space, up to ``max_steps`` or the environment's own end."""
        if self._randoms is not None:
            return self._randoms[seed % len(self._randoms)]
        return self._drawn(seed, max_steps)

    def replay(self, level: int, actions: Sequence[Any] | NDArray[Any], kind: str) -> Trajectory:
        """The episode that these actions lead to on a level; it may end before they do.

        Raises:
            NotAvailable: the same actions lead elsewhere each time, or there is nothing to act in.
        """
        if not self._repeats:
            raise NotAvailable("the same actions do not lead to the same frames in this environment")
        return self._act(level, actions, kind)

    def truth(self, trajectory: Trajectory) -> Mapping[str, NDArray[np.bool_]]:  # noqa: ARG002
        raise NotAvailable(f"{self.id} has no ground truth")

    def make_env(self) -> Watched:
        """A ``gymnasium.Env``: the environment's own observation, ``render()`` gives the judge's frame.

        Raises:
            NotAvailable: there is none.
        """
        if self.env_id is None:
            raise NotAvailable("there is no environment to act in: env.env_id is null")
        env = make(self.env_id, self.kwargs, self.max_episode_steps)
        return Watched(env, self.success, self._size, self._goals)

    def make_vec(
        self, num_envs: int, seeds: Sequence[int], frames: bool, auto_reset: bool, truth: bool = False
    ) -> Any:
        """Training or evaluation environments: a ``vlmcar.env.vector.FrameVecEnv``."""
        from vlmcar.env.vector import FrameVecEnv

        if truth:
            raise NotAvailable(f"{self.id} has no ground truth")
        return FrameVecEnv([self.make_env] * num_envs, seeds, frames, auto_reset)

    @property
    def note(self) -> str:
        """What a person should know of the episodes that were played so far; empty if nothing."""
        played = len(self._expert_episodes)
        failed = played - sum(self._expert_episodes.values())
        return (
            f"the expert failed on {failed} of {played} levels; others were taken for them" if failed else ""
        )

    @cached_property
    def _expert_episodes(self) -> dict[int, bool]:
        """Level -> whether the expert succeeded on it."""
        return {}

    @cached_property
    def _source(self) -> Recorded | Expert:
        return open_source(self.experts.source, self.experts.algorithm, size=self._size)

    @cached_property
    def _recorded(self) -> list[Trajectory] | None:
        """Demonstrations that are on disk, numbered, with frames of the size that programs get."""
        if not isinstance(self._source, Recorded):
            return None
        successful = [one for one in self._source.trajectories if one.success]
        if not successful:
            raise VlmcarError(f"{self.experts.source} says of every episode in it that it was no success")
        return _numbered(successful)

    @cached_property
    def _randoms(self) -> list[Trajectory] | None:
        if self.randoms is not None:
            return _numbered(read(self.randoms, size=self._size), kind="random", success=False)
        return [] if self.env_id is None else None

    @property
    def _size(self) -> tuple[int, int] | None:
        return None if self.frame_size is None else (self.frame_size[0], self.frame_size[1])

    @cached_property
    def _images(self) -> tuple[Frame, Frame]:
        frames = self.expert(self.image_seed).frames
        if self.images_from.initial is None or self.images_from.goal is None:
            return frames[0], frames[-1]
        files = self.images_from.initial, self.images_from.goal
        height, width = frames.shape[1:3]
        initial, goal = (picture_of_size(path, (height, width)) for path in files)
        return initial, goal

    @cached_property
    def _goals(self) -> Goals | None:
        """Frames that demonstrations end with, where these tell success."""
        if self.success.told_by != "demonstrations":
            return None
        if self._recorded is None:
            raise ConfigError(
                "env.success.told_by=demonstrations needs recorded ones, and "
                f"env.experts.source={self.experts.source} acts: take termination, return or info"
            )
        return Goals(np.stack([one.frames[-1] for one in self._recorded]), self.success.at_most)

    @cached_property
    def _env(self) -> Watched:
        """To play experts, random actions and replays in."""
        env = self.make_env()
        env.reset(seed=0)
        shape = env.render().shape
        for one in (self._recorded or [])[:1]:
            if one.frames.shape[1:] != shape:
                raise ConfigError(
                    f"demonstrations have frames of {one.frames.shape[1]} x {one.frames.shape[2]} pixels and the "
                    f"environment renders {shape[0]} x {shape[1]}: bring both to one size by env.frame_size"
                )
        self._check_actions(env)
        return env

    def _check_actions(self, env: Watched) -> None:
        both = self.actions.back_and_forth or []
        for name, given in (("idle", [self.actions.idle]), ("back_and_forth", both)):
            for action in given:
                if action is not None and not env.action_space.contains(_action(env.action_space, action)):
                    raise ConfigError(f"env.actions.{name}={action} is no action of {env.action_space}")

    @cached_property
    def _repeats(self) -> bool:
        """Whether the same actions on the same level lead to the same frames."""
        first = self._drawn(0, _REPEATED_STEPS)
        again = self._act(first.seed, first.actions, first.kind)
        return np.array_equal(first.frames, again.frames)

    def _drawn(self, level: int, max_steps: int) -> Trajectory:
        space = self._env.action_space
        space.seed(level)
        return self._play(level, "random", lambda *_: lambda _: space.sample(), max_steps)

    def _act(self, level: int, actions: Sequence[Any] | NDArray[Any], kind: str) -> Trajectory:
        left = iter(actions)
        return self._play(level, kind, lambda *_: lambda _: next(left), len(actions))

    def _play(
        self,
        level: int,
        kind: str,
        start: Callable[[Any, int], Callable[[Any], Any]],
        max_steps: int | None = None,
    ) -> Trajectory:
        """An episode of a policy that is started once the level is there."""
        env = self._env
        observation, _ = env.reset(seed=level)
        policy = start(env, level)
        frames, rewards, done = [env.render()], [], False
        actions: list[Any] = []
        info: dict[str, Any] = {}
        while not done and len(actions) != max_steps:
            actions.append(_action(env.action_space, policy(observation)))
            observation, reward, terminated, truncated, info = env.step(actions[-1])
            frames.append(env.render())
            rewards.append(float(reward))
            done = terminated or truncated
        return Trajectory(
            frames=np.stack(frames),
            actions=np.array(actions, dtype=env.action_space.dtype).reshape(
                len(actions), *(env.action_space.shape or ())
            ),
            rewards=np.array(rewards, dtype=np.float32),
            success=bool(info.get("is_success", False)),
            seed=level,
            kind=kind,
        )

    def _experts_are(self) -> str:
        """Changes with who the experts are: with their episodes, their weights, or their source."""
        if self._recorded is not None:
            return _digest(self._recorded)
        assert not isinstance(self._source, Recorded)
        return self._source.identity()


def _numbered(trajectories: Sequence[Trajectory], **changes: Any) -> list[Trajectory]:
    return [dataclasses.replace(one, seed=number, **changes) for number, one in enumerate(trajectories)]


def _action(space: Any, action: Any) -> Any:
    """As the space has it: ``int``, or an array."""
    if isinstance(space, Discrete):
        return int(action)
    return np.asarray(action, dtype=space.dtype)


def _digest(trajectories: Sequence[Trajectory]) -> str:
    found = hashlib.sha256()
    for one in trajectories:
        found.update(str(one.frames.shape).encode())
        found.update(np.ascontiguousarray(one.frames).data)
    return found.hexdigest()[:12]
