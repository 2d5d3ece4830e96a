"""MiniGrid tasks (Chevalier-Boisvert et al. 2023): one yaml each, no code per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.env.truth import columns
from vlmcar.types import ConfigError, Frame, Moves, Trajectory, VlmcarError

_LEVELS_SEEN = 8
"""So many show whether an environment draws colours."""
_MOST_PIXELS = 256
"""Of a tile: a frame of a large grid has hundreds of them."""
_LEVELS = 2**31


@dataclass
class MiniGrid:
    """One MiniGrid environment as a task.

    Frames are the full grid without the highlighted field of view; the policy sees only MiniGrid's own
    partial 7x7 view, one-hot encoded, and its compass. Success is the environment's own: an episode that
    it rewards.
    """

    name: str
    env_id: str
    tile_size: int
    """Pixels per grid cell in every frame."""
    image_seed: int
    """The level of the initial and goal images."""
    steps: int
    """Default training budget in environment steps, for every method."""
    thresholds: dict[str, float]
    """Of ``verification.checks``, by name, where this task's are not the usual ones."""

    suite = "minigrid"
    training_seeds = demonstrations = random_episodes = None  # all that there are
    moves = Moves(idle=6, back_and_forth=(0, 1), interactions=frozenset((3, 4, 5)))  # of `minigrid`'s Actions

    def __post_init__(self) -> None:
        if not 4 <= self.tile_size <= _MOST_PIXELS:
            raise ConfigError(
                f"env.tile_size={self.tile_size} must be at least 4 and at most {_MOST_PIXELS} pixels"
            )
        if not 0 <= self.image_seed < _LEVELS:
            raise ConfigError(f"env.image_seed={self.image_seed} must be 0 or more and below {_LEVELS}")

    @property
    def id(self) -> str:
        return f"{self.suite}-{self.name}"

    def setting(self) -> Mapping[str, Any]:
        return {"env_id": self.env_id, "tile_size": self.tile_size}  # thresholds are verification's

    def images(self) -> tuple[Frame, Frame]:
        frames = self.expert(self.image_seed).frames
        return frames[0], frames[-1]

    frames = images  # the VLM is shown what programs get

    def level_to_play(self, seed: int) -> int:
        """Every seed is a level."""
        return seed

    def expert(self, seed: int) -> Trajectory:
        """The shortest solution of the level, by search in the simulator.

        Raises:
            VlmcarError: the level has no solution within the search limit.
        """
        from vlmcar.env.minigrid_planner import NoPlanError, shortest_plan

        self._reset(seed)
        try:
            plan = shortest_plan(self._simulator)
        except NoPlanError as error:
            raise VlmcarError(f"{self.id}: no expert for seed {seed}: {error}") from error
        return self.replay(seed, plan, "expert")

    def random(self, seed: int, max_steps: int) -> Trajectory:
        """Uniformly random actions, up to ``max_steps`` or the environment's own time limit."""
        generator = np.random.default_rng(seed)
        actions = generator.integers(self._simulator.action_space.n, size=max_steps)
        return self.replay(seed, actions, "random")

    def replay(self, level: int, actions: Sequence[int] | NDArray[np.int64], kind: str) -> Trajectory:
        """The episode that these actions lead to on a level; it may end before they do."""
        env = self._simulator
        self._reset(level)
        frames, rewards = [self._renderer(env)], []
        for action in actions:
            _, reward, terminated, truncated, _ = env.step(int(action))
            frames.append(self._renderer(env))
            rewards.append(float(reward))
            if terminated or truncated:
                break
        return Trajectory(
            frames=np.stack(frames),
            actions=np.asarray(actions[: len(rewards)], dtype=np.int64),
            rewards=np.asarray(rewards, dtype=np.float32),
            success=bool(rewards and rewards[-1] > 0),
            seed=level,
            kind=kind,
        )

    def truth(self, trajectory: Trajectory) -> Mapping[str, NDArray[np.bool_]]:
        from vlmcar.env.minigrid_truth import Truth

        env = self._simulator
        self._reset(trajectory.seed)
        truth = Truth(env)
        rows = [truth.predicates()]
        for action in trajectory.actions:
            env.step(int(action))
            rows.append(truth.predicates())
        return columns(rows)

    def variants(self) -> Mapping[str, MiniGrid]:
        """The same task with other tiles and, where it draws colours, with others: to see how brittle a program is."""
        sizes = (self.tile_size * 3 // 4, self.tile_size // 2)
        others = {f"tile_size_{size}": replace(self, tile_size=size) for size in sizes if size >= 4}
        drawn = [self._colours(level) for level in range(_LEVELS_SEEN)]
        if any(colours != drawn[0] for colours in drawn):
            values = {field.name: getattr(self, field.name) for field in fields(self)}
            others["colours"] = _Recoloured(**values)
        return others

    def _colours(self, level: int) -> set[tuple[str, str]]:
        """Kinds of things on a level that can have any colour, with the colours that they have."""
        self._reset(level)
        return {(thing.type, thing.color) for thing in _coloured(self._simulator)}

    def _reset(self, level: int) -> None:
        self._simulator.reset(seed=level)

    def make_env(self) -> Any:
        """A ``gymnasium.Env``: one-hot partial view as observation, ``render()`` gives the full frame."""
        from vlmcar.env.minigrid_wrappers import make

        return make(self.env_id, self.tile_size)

    def make_vec(
        self, num_envs: int, seeds: Sequence[int], frames: bool, auto_reset: bool, truth: bool = False
    ) -> Any:
        """Training or evaluation environments: a ``vlmcar.env.minigrid_vector.MiniGridVecEnv``."""
        from vlmcar.env.minigrid_vector import MiniGridVecEnv

        truth_of: Any = None
        if truth:
            from vlmcar.env.minigrid_truth import Truth

            truth_of = Truth
        return MiniGridVecEnv(
            self._make_simulator, num_envs, seeds, self.tile_size, frames, auto_reset, truth_of
        )

    @cached_property
    def _simulator(self) -> Any:
        return self._make_simulator()

    def _make_simulator(self) -> Any:
        """An unwrapped environment that makes no observations, which are most of a step's time."""
        import gymnasium
        from minigrid.minigrid_env import MiniGridEnv  # registers the environments, too

        try:
            env: Any = gymnasium.make(self.env_id).unwrapped
        except gymnasium.error.Error as error:
            raise VlmcarError(f"env.env_id={self.env_id}: {error}") from None
        if not issubclass(type(env), MiniGridEnv):
            raise VlmcarError(
                f"env.env_id={self.env_id} is no MiniGrid environment, such as MiniGrid-Unlock-v0"
            )
        env.gen_obs = _nothing
        return env

    @cached_property
    def _renderer(self) -> Any:
        from vlmcar.env.minigrid_render import TileRenderer

        return TileRenderer(self.tile_size)


def _nothing() -> None:
    """A function with a name, so that an environment that has it can be pickled."""


class _Recoloured(MiniGrid):
    """The same levels, in which every thing that can have any colour has the next one."""

    def _reset(self, level: int) -> None:
        from minigrid.core.constants import COLOR_NAMES

        super()._reset(level)
        for thing in _coloured(self._simulator):
            thing.color = COLOR_NAMES[(COLOR_NAMES.index(thing.color) + 1) % len(COLOR_NAMES)]


def _coloured(env: Any) -> list[Any]:
    """The keys, doors, boxes and balls of an unwrapped environment."""
    return [thing for thing in env.grid.grid if thing and thing.type in ("key", "door", "box", "ball")]
