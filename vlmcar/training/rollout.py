"""Episodes of a trained policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import Frame, NotAvailable, Task, Trajectory


def choose(model: Any, venv: Any, observations: Any, samples_actions: bool) -> NDArray[Any]:
    """Actions of a policy in every environment that is not finished; zeros in the others.

    Args:
        model: of Stable-Baselines3.
        venv: a vector environment without ``auto_reset``.
        observations: (num_envs, ...), or such arrays by name where its observations are a ``Dict``.
        samples_actions: draw them from the policy, or take the best ones.

    Returns:
        int64 (num_envs,) for ``Discrete``, float32 (num_envs, dimensions) for a ``Box`` of such.
    """
    space, playing = venv.action_space, np.flatnonzero(~venv.finished)
    seen = (
        {name: array[playing] for name, array in observations.items()}
        if isinstance(observations, dict)
        else observations[playing]
    )
    actions = np.zeros((venv.num_envs, *space.shape), dtype=space.dtype)
    actions[playing] = model.predict(seen, deterministic=not samples_actions)[0]
    return actions


def policy_trajectories(
    task: Task, model: Any, seeds: Sequence[int], samples_actions: bool
) -> Iterator[Trajectory]:
    """The policy's episodes on the levels of ``seeds``, with the frames that a judge would see.

    All are played side by side, and then replayed one by one; where the task cannot replay, each is played anew, and
    watched. Drawn actions come from a generator that is seeded here: the same policy plays the same episodes. On a CPU
    the generator is put back afterwards.
    """
    taken: list[list[Any]] = [[] for _ in seeds]
    for step in _steps(task, model, seeds, samples_actions, frames=False):
        for i in step.playing:
            taken[i].append(step.actions[i])
    for seed, actions in zip(seeds, taken, strict=True):
        try:
            trajectory = task.replay(task.level_to_play(seed), np.array(actions), "policy")
        except NotAvailable:
            trajectory = _watched(task, model, seed, samples_actions)
        yield trajectory


class _Step(NamedTuple):
    playing: NDArray[np.int64]
    """The environments that were not finished before it."""
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    infos: list[dict[str, Any]]
    venv: Any


def _steps(
    task: Task, model: Any, seeds: Sequence[int], samples_actions: bool, frames: bool
) -> Iterator[_Step]:
    """One episode on each level, side by side."""
    import torch

    venv = task.make_vec(len(seeds), seeds, frames=frames, auto_reset=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        observations = venv.reset()
        while not venv.finished.all():
            playing = np.flatnonzero(~venv.finished)
            actions = choose(model, venv, observations, samples_actions)
            observations, rewards, _, infos = venv.step(actions)
            yield _Step(playing, actions, rewards, infos, venv)
    venv.close()


def _watched(task: Task, model: Any, seed: int, samples_actions: bool) -> Trajectory:
    """One episode, whose frames are kept while it is played."""
    frames: list[Frame] = []
    actions, rewards, success = [], [], False
    for step in _steps(task, model, [seed], samples_actions, frames=True):
        if not frames:
            frames.append(step.venv.initial[0].copy())
        frames.append(step.venv.frames[0].copy())
        actions.append(step.actions[0])
        rewards.append(step.rewards[0])
        success = bool(step.infos[0].get("is_success", False))
    return Trajectory(
        frames=np.stack(frames),
        actions=np.array(actions),
        rewards=np.array(rewards, dtype=np.float32),
        success=success,
        seed=task.level_to_play(seed),
        kind="policy",
    )
