"""The reward on a vector environment of Stable-Baselines3."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from vlmcar.library.paying import FRAME, Pay
from vlmcar.library.programs import AnyProgram
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import ConfigError, Frames, Judge


class CodeRewardVecEnv(VecEnvWrapper):
    """`CodeReward` for Stable-Baselines3's ``DummyVecEnv``, ``SubprocVecEnv`` and wrappers of them.

    Args:
        venv: of environments that are wrapped in `FrameInfo` each, as with
            ``make_vec_env(id, 8, wrapper_class=FrameInfo, env_kwargs={"render_mode": "rgb_array"})``. These vectors
            reset by themselves; the program sees the true last frame all the same.
        program, reward, env_reward, sandbox: as for `CodeReward`.

    Every step's ``infos[i]`` gains ``env_reward``, ``progress`` (float32 (num_subtasks,)) and ``subtasks_done``.
    ``VecMonitor`` counts what the agent is paid where it stands around this wrapper, and the environment's own reward
    where it stands within.

    Raises:
        ConfigError: in ``reset`` and ``step``: there are no frames.
        ProgramError: in ``reset`` and ``step``: the program had no answer.
    """

    def __init__(
        self,
        venv: VecEnv,
        program: AnyProgram | Judge,
        reward: Any = "bonus",
        env_reward: float = 0.0,
        sandbox: Sandbox | None = None,
    ) -> None:
        super().__init__(venv)
        self._pay = Pay(program, reward, env_reward, sandbox, venv.num_envs)

    @property
    def judge(self) -> Judge:
        """Who looks at the frames."""
        return self._pay.judge

    def reset(self) -> VecEnvObs:
        observations = self.venv.reset()
        self._start(np.ones(self.num_envs, dtype=bool))
        return observations

    def step_wait(self) -> VecEnvStepReturn:
        observations, env_rewards, dones, infos = self.venv.step_wait()
        frames = _frames([info.pop(FRAME, None) for info in infos])  # of an ended episode, its last
        truncated = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        everyone = np.ones(self.num_envs, dtype=bool)
        paid = self._pay.step(everyone, frames, env_rewards, dones & ~truncated)
        for i, info in enumerate(infos):
            info["env_reward"] = float(env_rewards[i])
            info["progress"] = paid.progress[i]
            info["subtasks_done"] = int(paid.subtasks_done[i])
        if dones.any():
            self._start(dones)
        return observations, paid.rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        self._pay.close()
        super().close()

    def _start(self, which: np.ndarray) -> None:
        """What a reset says is with the innermost environment only."""
        self._pay.start(which, _frames([info.get(FRAME) for info in self.unwrapped.reset_infos]))


def _frames(frames: list[Any]) -> Frames:
    if any(frame is None for frame in frames):
        raise ConfigError(
            f'infos has no "{FRAME}" of each environment: wrap each in FrameInfo before it becomes one of a vector, as '
            'with make_vec_env(id, 8, wrapper_class=FrameInfo, env_kwargs={"render_mode": "rgb_array"})'
        )
    return np.stack(frames)
