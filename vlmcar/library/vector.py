"""The reward on a ``gymnasium.vector.VectorEnv``, whichever way it resets its environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from vlmcar.library.paying import FRAME, Mask, Paid, Pay
from vlmcar.library.programs import AnyProgram
from vlmcar.program.sandbox import Sandbox
from vlmcar.types import ConfigError, Frames, Judge


class CodeRewardVectorEnv(VectorWrapper):
    """`CodeReward` for many environments: one judge, asked about all of them at once.

    Args:
        env: of environments that are wrapped in `FrameInfo` each. All modes of resetting will do: the program sees the
            true last frame of every episode, also where ``SAME_STEP`` has replaced it.
        program, reward, env_reward, sandbox: as for `CodeReward`.

    Every step's ``infos`` gains ``env_reward`` (num_envs,), ``progress`` (num_envs, num_subtasks) and ``subtasks_done``
    (num_envs,), of the step that was taken, also where it ended an episode; their masks (``_progress``, ...) are False
    where no step was taken, as in ``NEXT_STEP``'s step of a reset, which pays 0.

    Raises:
        ConfigError: it is not known when the environment resets; in ``reset`` and ``step``: there are no frames.
        ProgramError: in ``reset`` and ``step``: the program had no answer.
    """

    def __init__(
        self,
        env: VectorEnv,
        program: AnyProgram | Judge,
        reward: Any = "bonus",
        env_reward: float = 0.0,
        sandbox: Sandbox | None = None,
    ) -> None:
        super().__init__(env)
        self._mode = _mode_of(env)
        self._pay = Pay(program, reward, env_reward, sandbox, env.num_envs)
        self._ended = np.zeros(env.num_envs, dtype=bool)
        """Episodes that the last step ended, and that have not begun anew."""

    @property
    def judge(self) -> Judge:
        """Who looks at the frames."""
        return self._pay.judge

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        which = np.ones(self.num_envs, dtype=bool)
        if options and "reset_mask" in options:
            which = np.array(options["reset_mask"])  # before: the environment takes it out of the options
        observations, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        self._pay.start(which, _take(infos, which))
        self._ended[which] = False
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, NDArray[Any], Mask, Mask, dict[str, Any]]:
        observations, env_rewards, terminated, truncated, infos = self.env.step(actions)
        ended = np.logical_or(terminated, truncated)
        everyone = np.ones(self.num_envs, dtype=bool)
        began = self._ended if self._mode == AutoresetMode.NEXT_STEP else ~everyone  # by this step
        now = _take(infos, everyone)
        led_to = now
        if self._mode == AutoresetMode.SAME_STEP and ended.any():
            last = _take(infos.get("final_info", {}), ended)
            led_to = np.where(ended[:, None, None, None], last, now)
            began = ended
        stepped = everyone if self._mode == AutoresetMode.SAME_STEP else ~began
        paid = self._pay.step(stepped, led_to, np.asarray(env_rewards), np.asarray(terminated))
        if began.any():
            self._pay.start(began, now)
        self._ended = ended
        _tell(infos, paid, np.asarray(env_rewards), stepped)
        return observations, paid.rewards, terminated, truncated, infos

    def close(self, **kwargs: Any) -> None:
        self._pay.close()
        super().close(**kwargs)


def _mode_of(env: VectorEnv) -> AutoresetMode:
    mode = env.metadata.get("autoreset_mode")
    try:
        return mode if isinstance(mode, AutoresetMode) else AutoresetMode(mode)
    except ValueError:
        raise ConfigError(
            f'env.metadata["autoreset_mode"] is {mode!r}, so that it is not known when its environments begin anew: '
            "set it to one of gymnasium.vector.AutoresetMode"
        ) from None


def _take(infos: dict[str, Any], which: Mask) -> Frames:
    """The frames (num_envs, height, width, 3) out of ``infos``, which must be there where ``which``."""
    frames, there = infos.pop(FRAME, None), infos.pop(f"_{FRAME}", None)
    if frames is None or there is None or not there[which].all():
        raise ConfigError(
            f'infos has no "{FRAME}" of each environment: wrap each in FrameInfo before it becomes one of a vector, as '
            'in SyncVectorEnv([lambda: FrameInfo(gymnasium.make(..., render_mode="rgb_array"))] * 8), or '
            'gymnasium.make_vec(..., vectorization_mode="sync", wrappers=[FrameInfo], render_mode="rgb_array")'
        )
    taken: Frames = frames
    return taken


def _tell(infos: dict[str, Any], paid: Paid, env_rewards: NDArray[Any], stepped: Mask) -> None:
    told = {"env_reward": env_rewards, "progress": paid.progress, "subtasks_done": paid.subtasks_done}
    for name, values in told.items():
        infos[name], infos[f"_{name}"] = values, stepped.copy()
