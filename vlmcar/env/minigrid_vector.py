"""MiniGrid environments side by side: stepped by MiniGrid, looked at all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvObs, VecEnvStepReturn

from vlmcar.env.minigrid_boards import Boards, Snapshot
from vlmcar.env.minigrid_render import ShownMaps, TileRenderer
from vlmcar.env.minigrid_wrappers import OneHot
from vlmcar.env.truth import columns
from vlmcar.types import Frames, Truth

_STATE = (
    "envs", "finished", "_returns", "_lengths", "_now", "_first", "_next", "truth", "reset_truth", "_sources",
    "_truths", "_reset_truths",
)  # fmt: skip


class MiniGridVecEnv(VecEnv):
    """MiniGrid environments of one kind, stepped in turn; does what ``FrameVecEnv`` does with them, faster.

    MiniGrid makes no observation and no picture: both are gathered for all environments in a few operations, and
    pictures only when somebody asks for `frames`, `initial` or `reset_frames`, whose meaning is that of
    ``vlmcar.env.vector.FrameVecEnv``, or looks into what is `shown`.

    Args:
        make_env: an unwrapped ``MiniGridEnv``; it need not make observations.
        num_envs: how many.
        seeds: environment ``i``'s first episode is drawn from ``seeds[i]``; later ones from its own generator.
        tile_size: pixels per cell.
        with_frames: ``False`` shows nothing to a judge.
        auto_reset: ``False`` leaves a finished environment idle until ``reset()``.
        truth_of: of an environment that was just reset, something with ``predicates()``; for simulated judges.
    """

    render_mode = None
    truth: Truth
    reset_truth: Truth

    def __init__(
        self,
        make_env: Callable[[], Any],
        num_envs: int,
        seeds: Sequence[int],
        tile_size: int,
        with_frames: bool,
        auto_reset: bool,
        truth_of: Callable[[Any], Any] | None = None,
    ) -> None:
        self.envs = [make_env() for _ in range(num_envs)]
        self.first_seeds = [int(seed) for seed in seeds]
        self.with_frames = with_frames
        self.auto_reset = auto_reset
        self._truth_of = truth_of
        self._renderer = TileRenderer(tile_size)
        self._boards = Boards(self.envs, self._renderer.cells)
        self._one_hot = OneHot(self.envs[0].agent_view_size)
        super().__init__(num_envs, self._one_hot.space, self.envs[0].action_space)
        self.finished = np.zeros(num_envs, dtype=bool)
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, dtype=np.int64)

    @property
    def frames(self) -> Frames:
        """uint8 (num_envs, height, width, 3) RGB: where the last action led to."""
        return self._renderer.frames(self._renderer.maps(self._now))

    @property
    def initial(self) -> Frames:
        """The first frame of the same episode."""
        return self._renderer.frames(self._renderer.maps(self._first))

    @property
    def reset_frames(self) -> Frames:
        """The first frame of the episode that comes next, or of the running one."""
        return self._renderer.frames(self._renderer.maps(self._next))

    def look(self) -> Snapshot:
        """Of `frames`, for `shown`."""
        return self._now

    def first_look(self, envs: NDArray[np.int64]) -> Snapshot:
        """Of `reset_frames` of these environments, for `shown`."""
        return Snapshot(self._next.codes[envs], self._next.agents[envs])

    def shown(self, looks: Sequence[Snapshot]) -> ShownMaps:
        """These looks one after the other, not drawn yet."""
        return ShownMaps(self._renderer.maps(*looks), self._renderer)

    def reset(self) -> VecEnvObs:
        """Start the seeded first episode of every environment; a repeated reset repeats it."""
        self.finished[:] = False
        self._returns[:] = 0
        self._lengths[:] = 0
        for i, (env, seed) in enumerate(zip(self.envs, self.first_seeds, strict=True)):
            env.reset(seed=seed)
            self._boards.sync(i)
        if self.with_frames:
            self._now = self._first = self._next = self._boards.snapshot()
        if self._truth_of:
            self._sources = [self._truth_of(env) for env in self.envs]
            self._truths = [source.predicates() for source in self._sources]
            self._reset_truths = list(self._truths)
            self.truth = self.reset_truth = columns(self._truths)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._observe(slice(None))

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = np.asarray(actions)

    def step_wait(self) -> VecEnvStepReturn:
        rewards = np.zeros(self.num_envs, dtype=np.float32)
        dones = np.zeros(self.num_envs, dtype=bool)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i, action in enumerate(self.actions.tolist()):
            if self.finished[i]:
                continue
            env = self.envs[i]
            _, reward, terminated, truncated, info = env.step(action)
            self._boards.sync(i)
            reward = float(reward)
            rewards[i], dones[i] = reward, terminated or truncated
            self._returns[i] += reward
            self._lengths[i] += 1
            if dones[i]:
                infos[i] = {
                    **info,
                    "is_success": bool(terminated and reward > 0),
                    "TimeLimit.truncated": bool(truncated and not terminated),
                    "episode": {"r": float(self._returns[i]), "l": int(self._lengths[i])},
                }
            if self._truth_of:
                self._truths[i] = self._sources[i].predicates()
        if self.with_frames:
            self._first = self._next
            self._now = self._boards.snapshot()  # before any reset: what the judge must see
        observations = self._observe(slice(None))
        if dones.any():
            self._end(np.flatnonzero(dones), observations, infos)
        if self._truth_of:
            self.truth, self.reset_truth = columns(self._truths), columns(self._reset_truths)
        return observations, rewards, dones, infos

    def state(self) -> dict[str, Any]:
        """Everything that `set_state` needs to go on from here, to be pickled in one piece."""
        return {"cells": vars(self._renderer.cells)} | {
            name: vars(self)[name] for name in _STATE if name in vars(self)
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there; as many environments of the same kind."""
        rest = dict(state)
        vars(self._renderer.cells).update(rest.pop("cells"))
        vars(self).update(rest)
        self._boards.envs = self.envs
        for i in range(self.num_envs):
            self._boards.sync(i)

    def _end(
        self, ended: NDArray[np.int64], observations: NDArray[np.float32], infos: list[dict[str, Any]]
    ) -> None:
        """Keep the last observations of these environments, and start their next episodes."""
        self._returns[ended], self._lengths[ended] = 0.0, 0
        for i in ended:
            infos[i]["terminal_observation"] = observations[i].copy()
        if not self.auto_reset:
            self.finished[ended] = True
            return
        for i in ended:
            self.envs[i].reset()
            self._boards.sync(i)
            if self._truth_of:
                self._sources[i] = self._truth_of(self.envs[i])
                self._reset_truths[i] = self._sources[i].predicates()
        if self.with_frames:
            codes, agents = self._next.codes.copy(), self._next.agents.copy()  # `_first` is what it was
            codes[ended], agents[ended] = self._boards.snapshot(ended)
            self._next = Snapshot(codes, agents)
        observations[ended] = self._observe(ended)

    def _observe(self, which: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        boards = self._boards
        return self._one_hot(boards.cells.encoded[boards.views(which)], boards.agents[which, 2])

    def close(self) -> None:
        for env in self.envs:
            env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.envs[i], attr_name) for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        for i in self._get_indices(indices):
            setattr(self.envs[i], attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        return [getattr(self.envs[i], method_name)(*args, **kwargs) for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
        return [False] * len(list(self._get_indices(indices)))
