"""Procgen as a Stable-Baselines3 vector environment that also shows the frame a judge must see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvObs, VecEnvStepReturn

from vlmcar.env.procgen_state import read
from vlmcar.env.procgen_truth import EpisodeTruth, Predicates
from vlmcar.env.truth import columns
from vlmcar.types import Frames, Truth

_STATE = (
    "_generators", "finished", "_returns", "_starts", "_taken", "_observations", "frames", "initial", "reset_frames",
)  # fmt: skip


class ProcgenVecEnv(VecEnv):
    """Copies of one game, stepped in one call, without any wrapper between.

    ``frames``, ``initial`` and ``reset_frames`` are those of ``vlmcar.env.vector.FrameVecEnv``; which frame
    ends an episode is said in ``vlmcar.env.procgen.Procgen``. At the end of an episode ``infos[i]`` holds
    ``is_success``, ``terminal_observation``, ``TimeLimit.truncated`` and ``episode``.

    Args:
        task: a ``Procgen``.
        num_envs: copies.
        seeds: with ``auto_reset``, of each copy's generator, which draws its levels from the training seeds; without,
            of the levels themselves, one episode each.
        with_frames: ``False`` draws no picture of completed levels, for methods without a judge.
        auto_reset: ``False`` leaves a finished copy idle until ``reset()``; used for evaluation.
        with_truth: show ``truth`` and ``reset_truth``, what is so on ``frames`` and ``reset_frames``.
    """

    frames: Frames
    initial: Frames
    reset_frames: Frames
    truth: Truth
    reset_truth: Truth
    render_mode = None

    def __init__(
        self,
        task: Any,
        num_envs: int,
        seeds: Sequence[int],
        with_frames: bool,
        auto_reset: bool,
        with_truth: bool = False,
    ) -> None:
        self.task = task
        self.first_seeds = [int(seed) for seed in seeds]
        self.with_frames = with_frames
        self.auto_reset = auto_reset
        self.with_truth = with_truth
        self._simulator = task.make_simulator(num_envs)
        self._single = task.simulator
        super().__init__(
            num_envs,
            spaces.Box(0, 255, (64, 64, 3), np.uint8),
            spaces.Discrete(len(self._simulator.game.actions)),
        )
        self.finished = np.zeros(num_envs, dtype=bool)
        self._returns = np.zeros(num_envs)
        self._starts: list[bytes] = [b""] * num_envs
        self._taken: list[list[int]] = [[] for _ in range(num_envs)]
        self._episodes: list[EpisodeTruth] = [None] * num_envs  # type: ignore[list-item]
        self._truths: list[Predicates] = [{}] * num_envs
        self._reset_truths: list[Predicates] = [{}] * num_envs

    def reset(self) -> VecEnvObs:
        """Start the seeded first episode of every copy; a repeated reset repeats it."""
        self._generators = [np.random.default_rng(seed) for seed in self.first_seeds]
        self.finished[:] = False
        for copy in range(self.num_envs):
            self._start(copy)
        self._observations = self._simulator.observe()[0]
        self.frames = self._observations.copy()  # (num_envs, 64, 64, 3)
        self.initial = self.frames.copy()
        self.reset_frames = self.frames.copy()
        if self.with_truth:
            self._truths = list(self._reset_truths)
            self.truth = self.reset_truth = columns(self._truths)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._observations

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = np.asarray(actions)

    def step_wait(self) -> VecEnvStepReturn:
        self.initial[:] = self.reset_frames
        before = self._observations
        self._simulator.act(self.actions)
        observed, rewards, ended, complete = self._simulator.observe()
        rewards[self.finished] = 0.0
        playing = np.flatnonzero(~self.finished)
        self._returns[playing] += rewards[playing]
        dones = np.zeros(self.num_envs, dtype=bool)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        frames = observed.copy()
        frames[self.finished] = self.frames[self.finished]
        started = []
        for i in playing:
            if not self._taken[i]:
                self._truths[i] = self._reset_truths[i]
            self._taken[i].append(int(self.actions[i]))
            steps = len(self._taken[i])
            if self.with_truth and not ended[i]:
                self._truths[i] = self._episodes[i].at(read(self._simulator.save(i)), False)
            if not ended[i] and steps < self.task.max_steps:
                continue
            dones[i] = True
            if ended[i]:
                frames[i] = before[i]  # what is observed is the next episode already
            if complete[i] and (self.with_frames or self.with_truth):
                last = self._single.last_step(self._starts[i], self._taken[i])
                if last:
                    frames[i] = self._single.frame()
                if self.with_truth:
                    now = self._episodes[i].at(read(last), True) if last else self._truths[i]
                    self._truths[i] = {**now, "level_complete": True}
            killed = ended[i] and steps < self._simulator.game.time_limit
            infos[i] = {
                "is_success": bool(complete[i]),
                "terminal_observation": frames[i].copy(),
                "TimeLimit.truncated": bool(not complete[i] and not killed),
                "episode": {"r": float(self._returns[i]), "l": steps},
            }
            if self.auto_reset:
                self._start(i)
                started.append(i)
            else:
                self.finished[i] = True
        if started:
            observed = self._simulator.observe()[0]
            self.reset_frames[started] = observed[started]
        if self.with_truth:
            self.truth, self.reset_truth = columns(self._truths), columns(self._reset_truths)
        self.frames = frames
        self._observations = observed
        return observed, rewards, dones, infos

    def state(self) -> dict[str, Any]:
        """Everything that `set_state` needs to go on from here, to be pickled in one piece."""
        copies = [self._simulator.save(copy) for copy in range(self.num_envs)]
        return {"copies": copies} | {name: vars(self)[name] for name in _STATE}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there; as many copies of the same game."""
        rest = dict(state)
        for copy, saved in enumerate(rest.pop("copies")):
            self._simulator.restore(copy, saved)
        vars(self).update(rest)
        if self.with_truth:
            for copy in range(self.num_envs):
                self._follow(copy)
            self.truth, self.reset_truth = columns(self._truths), columns(self._reset_truths)

    def _follow(self, copy: int) -> None:
        """Find out what is so in a running episode by playing it once more."""
        self._begin_truth(copy)
        self._truths[copy] = self._reset_truths[copy]
        self._single.restore(0, self._starts[copy])
        for action in self._taken[copy]:
            self._single.act(np.full(self._single.num, action))
            self._truths[copy] = self._episodes[copy].at(read(self._single.save(0)), False)

    def _begin_truth(self, copy: int) -> None:
        start = read(self._starts[copy])
        self._episodes[copy] = EpisodeTruth(self.task.name, start)
        self._reset_truths[copy] = self._episodes[copy].at(start, False)

    def _start(self, copy: int) -> None:
        """Put one copy on its next level."""
        seed = self.first_seeds[copy]
        if self.auto_reset:
            training = self.task.training_seeds
            low, high = (training.start, training.stop) if training else (0, 2**31 - 1)
            seed = int(self._generators[copy].integers(low, high))
        self._starts[copy] = self._single.level(self.task.level_to_play(seed))
        self._simulator.restore(copy, self._starts[copy])
        self._returns[copy] = 0.0
        self._taken[copy] = []
        if self.with_truth:
            self._begin_truth(copy)

    def close(self) -> None:
        self._simulator.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("the copies have no attributes of their own")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("the copies have no methods of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
        return [False] * len(list(self._get_indices(indices)))
