"""Copies of one Procgen game that can be saved, restored, and put on any level."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.env.procgen_games import GAMES, Game
from vlmcar.env.procgen_state import read
from vlmcar.types import Frame, Frames, VlmcarError

_STATE_BYTES = 2**18
_RESET = -1  # an action that ends the episode and starts the next
_KEPT_LEVELS = 1024
_COMPLETION_BONUS = 10.0  # in all games here


@dataclass(frozen=True)
class Look:
    """How a game is drawn and which levels it draws; the same for policy, programs and VLM."""

    game: str
    distribution_mode: str
    backgrounds: bool
    all_themes: bool


class Simulator:
    """``num`` copies of a game, stepped together, each with a state of its own.

    Args:
        look: which game, and how it looks.
        num: number of copies.
        large: also draw the 512 x 512 view, which takes far longer than a step.
    """

    def __init__(self, look: Look, num: int = 1, large: bool = False) -> None:
        from procgen import ProcgenGym3Env

        self.game: Game = GAMES[look.game]
        self.num = num
        self.large = large
        self._env: Any = ProcgenGym3Env(
            num=num,
            env_name=look.game,
            distribution_mode=look.distribution_mode,
            use_backgrounds=look.backgrounds,
            restrict_themes=not look.all_themes,
            rand_seed=0,
            num_threads=0,  # stepped in this thread: runs side by side share the cores
            render_mode="rgb_array" if large else None,
        )
        self._actions = np.array(self.game.actions, dtype=np.int32)
        self._buffer = self._env._ffi.new(f"char[{_STATE_BYTES}]")  # the library makes one per call
        # gym3 looks this function up when an environment is garbage-collected, for which cffi takes a lock; inside
        # cffi, where a collection may well begin, that waits for ever. Looked up now, it needs no lock later.
        self._env._c_lib.libenv_close  # noqa: B018
        self._blank = read(self.save(0))
        self._levels: OrderedDict[int, bytes] = OrderedDict()

    def save(self, copy: int) -> bytes:
        """The whole state of one copy."""
        length = self._env.call_c_func("get_state", copy, self._buffer, _STATE_BYTES)
        return bytes(self._env._ffi.buffer(self._buffer, length))

    def restore(self, copy: int, state: bytes) -> None:
        """Put one copy into a saved state; ``frames`` shows it."""
        self._env.call_c_func("set_state", copy, state, len(state))

    def act(self, actions: NDArray[np.int64]) -> None:
        """One step of every copy.

        Args:
            actions: int64 (num,), each an index into the game's own reduced set of actions.
        """
        self._env.act(self._actions[actions])

    def observe(self) -> tuple[Frames, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
        """What the last step or restore led to.

        Returns:
            Frames, uint8 (num, 64, 64, 3); rewards, float32 (num,), a tenth of the library's, so that a completed
            level pays 1; whether the episode ended, bool (num,), in which case the frame is already the next
            episode's first; and whether it ended with the level complete, bool (num,).
        """
        rewards, observations, ended = self._env.observe()
        complete = np.array([bool(info["prev_level_complete"]) for info in self._env.get_info()]) & ended
        return observations["rgb"], rewards / _COMPLETION_BONUS, ended, complete

    def frame(self) -> Frame:
        """The current frame of the first copy: 64 x 64, or 512 x 512 if ``large``."""
        if self.large:
            return np.array(self._env.get_info()[0]["rgb"])
        return np.array(self._env.observe()[1]["rgb"][0])

    def level(self, number: int) -> bytes:
        """The first state of a level, made by the first copy; the others take a step, too."""
        if number not in self._levels:
            self.restore(0, self._blank.with_level(number))
            self._env.act(np.full(self.num, _RESET, dtype=np.int32))
            self._levels[number] = self.save(0)
            if len(self._levels) > _KEPT_LEVELS:
                self._levels.popitem(last=False)
        return self._levels[number]

    def last_step(self, start: bytes, actions: Sequence[int]) -> bytes | None:
        """The state that a level is completed in, which the library itself never shows.

        The library draws the next episode as soon as a level is complete. So the episode is played once more
        from its start, the goal is made intangible before the last action (it looks as before), and the
        last action is taken.

        Args:
            start: the episode's first state.
            actions: the whole episode, ending with the action that completes the level.

        Returns:
            The state, which ``frame()`` shows; ``None`` where the same step ends the episode for another reason,
            too, such as a falling boulder or the library's time limit.

        Raises:
            VlmcarError: replayed, the episode went another way; the library would not be deterministic.
        """
        self.restore(0, start)
        for action in actions[:-1]:
            self.act(np.full(self.num, action))
            if self.observe()[2][0]:
                raise VlmcarError(
                    f"{self.game.name}: an episode of {len(actions)} steps ended earlier on replay"
                )
        self.restore(0, self.game.without_goal(read(self.save(0))))
        self.act(np.full(self.num, actions[-1]))
        return None if self.observe()[2][0] else self.save(0)

    def close(self) -> None:
        self._env.close()
