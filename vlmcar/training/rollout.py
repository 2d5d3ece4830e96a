"""Episodes of a trained policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import Task, Trajectory


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

    All are played side by side, and then replayed one by one. Drawn actions come from a generator that is seeded here:
    the same policy plays the same episodes. On a CPU the generator is put back afterwards.
    """
    import torch

    venv = task.make_vec(len(seeds), seeds, frames=False, auto_reset=False)
    taken: list[list[Any]] = [[] for _ in seeds]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        observations = venv.reset()
        while not venv.finished.all():
            actions = choose(model, venv, observations, samples_actions)
            for i in np.flatnonzero(~venv.finished):
                taken[i].append(actions[i])
            observations = venv.step(actions)[0]
    venv.close()
    for seed, actions_of_one in zip(seeds, taken, strict=True):
        yield task.replay(task.level_to_play(seed), np.array(actions_of_one), "policy")
