"""Episodes of a trained policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vlmcar.types import Task, Trajectory


def policy_trajectories(
    task: Task, model: Any, seeds: Sequence[int], samples_actions: bool
) -> Iterator[Trajectory]:
    """The policy's episodes on the levels of ``seeds``, with the frames that a judge would see.

    All are played side by side, and then replayed one by one. Drawn actions come from a generator that is seeded here:
    the same policy plays the same episodes. On a CPU the generator is put back afterwards.
    """
    import numpy as np
    import torch

    venv = task.make_vec(len(seeds), seeds, frames=False, auto_reset=False)
    taken: list[list[int]] = [[] for _ in seeds]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        observations = venv.reset()
        while not venv.finished.all():
            playing = np.flatnonzero(~venv.finished)
            actions = np.zeros(len(seeds), dtype=np.int64)
            actions[playing] = model.predict(observations[playing], deterministic=not samples_actions)[0]
            for i in playing:
                taken[i].append(int(actions[i]))
            observations = venv.step(actions)[0]
    venv.close()
    for seed, actions_of_one in zip(seeds, taken, strict=True):
        yield task.replay(task.level_to_play(seed), np.array(actions_of_one), "policy")
