"""Ground truth of Procgen states, to *measure* how accurate programs are.

Generation, feedback, verification and the VLM-CaR reward never import this; simulated judges, which say so in their
name, get it from ``make_vec(truth=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vlmcar.env.procgen_state import State
from vlmcar.env.truth import columns

Predicates = dict[str, bool]

_COLOURS = ("blue", "green", "red")


def predicates(
    game: str, states: Sequence[State], complete: Sequence[bool]
) -> Mapping[str, NDArray[np.bool_]]:
    """What is so at each moment of one episode, by name.

    Args:
        game: a name of ``procgen_games.GAMES``.
        states: of every frame; the first is the episode's start.
        complete: whether the level is complete, per frame.

    Returns:
        bool (steps + 1,) per predicate: ``level_complete``, ``moved`` (the agent is, or was, somewhere else than at
        the start) and those of the game.
    """
    episode = EpisodeTruth(game, states[0])
    return columns([episode.at(*moment) for moment in zip(states, complete, strict=True)])


class EpisodeTruth:
    """The same moment by moment, in the order of the episode."""

    def __init__(self, game: str, start: State) -> None:
        self._start = start
        self._of_game = _GAMES[game](start)
        self._moved = False

    def at(self, state: State, complete: bool) -> Predicates:
        """What is so in the episode's next state."""
        self._moved |= bool(np.abs(state.agent[:2] - self._start.agent[:2]).max() > 0.01)
        return {"level_complete": complete, "moved": self._moved, **self._of_game(state)}


def _heist(start: State) -> Callable[[State], Predicates]:
    """Keys and locks by colour; a colour that the level has not counts as neither taken nor opened."""
    lock, key = 1, 2

    def count(state: State, kind: int) -> int:
        return int((state.types == kind).sum())

    def there(state: State, kind: int, theme: int) -> bool:
        return bool(((state.types == kind) & (state.themes == theme)).any())

    def say(state: State) -> Predicates:
        keys, locks = count(state, key), count(state, lock)
        said = {
            "a_key_taken": keys < count(start, key),
            "a_lock_opened": locks < count(start, lock),
            "two_keys_taken": keys <= count(start, key) - 2,
            "two_locks_opened": locks <= count(start, lock) - 2,
            "all_keys_taken": keys == 0,
            "all_locks_opened": locks == 0,
        }
        for theme, colour in enumerate(_COLOURS):
            said[f"{colour}_key_taken"] = there(start, key, theme) and not there(state, key, theme)
            said[f"{colour}_lock_opened"] = there(start, lock, theme) and not there(state, lock, theme)
        return said

    return say


def _leaper(start: State) -> Callable[[State], Predicates]:
    """The frog's lower edge against the lanes; it rests with this edge on a lane's."""
    road, water, finish = 2, 3, 5
    almost = 0.05  # of a lane: positions are sums of floats
    lanes = {kind: np.flatnonzero((start.grid == kind).any(axis=1)) for kind in (road, water)}
    finish_lane = float(start.positions[int(np.argmax(start.types == finish))][1]) - 0.5
    half_height = float(start.agent[1])  # it begins with its lower edge at 0

    def say(state: State) -> Predicates:
        low = float(state.agent[1]) - half_height + almost

        def beyond(kind: int, edge: int) -> bool:
            return bool(len(lanes[kind]) and low >= lanes[kind][edge] - edge)

        return {
            "past_start": low >= 1,
            "past_road": beyond(road, -1),
            "at_river": beyond(water, 0),
            "past_river": beyond(water, -1),
            "at_finish_line": low >= finish_lane,
        }

    return say


def _maze(start: State) -> Callable[[State], Predicates]:  # noqa: ARG001  (one signature for all)
    return lambda _: {}


def _miner(start: State) -> Callable[[State], Predicates]:
    diamonds, exit_type = (2, 4), 6
    at_start = int(np.isin(start.grid, diamonds).sum())
    exit_position = start.positions[int(np.argmax(start.types == exit_type))]

    def say(state: State) -> Predicates:
        left = int(np.isin(state.grid, diamonds).sum())
        return {
            "a_diamond_collected": left <= at_start - 1,
            "two_diamonds_collected": left <= at_start - 2,
            "all_diamonds_collected": left == 0,
            "on_exit": bool(np.abs(state.agent[:2] - exit_position).max() < 0.5),
        }

    return say


_GAMES: dict[str, Callable[[State], Callable[[State], Predicates]]] = {
    "heist": _heist,
    "leaper": _leaper,
    "maze": _maze,
    "miner": _miner,
}
