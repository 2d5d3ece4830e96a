"""Episodes of a trained policy."""

from __future__ import annotations

from typing import Any

from vlmcar.types import Task, Trajectory


def policy_trajectory(task: Task, model: Any, seed: int, samples_actions: bool) -> Trajectory:
    """The policy's episode on the level of ``seed``, with the frames that a judge would see."""
    import numpy as np

    venv = task.make_vec(1, [seed], frames=False, auto_reset=False)
    observations, actions = venv.reset(), []
    while not venv.finished[0]:
        action = model.predict(observations, deterministic=not samples_actions)[0]
        actions.append(int(action[0]))
        observations = venv.step(action)[0]
    venv.close()
    return task.replay(task.level_to_play(seed), np.array(actions), "policy")
