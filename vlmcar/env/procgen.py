"""Procgen games (Cobbe et al. 2020): one yaml each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlmcar.types import ConfigError, Frame, Moves, Trajectory, VlmcarError

_MODES = {
    "heist": ("easy", "hard", "memory"),
    "leaper": ("easy", "hard", "extreme"),
    "maze": ("easy", "hard", "memory"),
    "miner": ("easy", "hard", "memory"),
}
"""Of each game: the library ends the process, without a word on the error stream, for another."""
_NEXT_CANDIDATE = 100_003  # above the seeds that any set of levels uses, so that no two share a level
_MOST_CANDIDATES = 50
_LEVELS = 2**31 - 1


@dataclass
class Procgen:
    """One Procgen game as a task.

    Policy and programs see the same frame: the game's own observation, uint8 (64, 64, 3). The VLM is shown the
    game's large view, 512 x 512, and the 64 x 64 frames enlarged. Success is the library's "level complete".

    **Which frame ends an episode.** Procgen draws the next episode's first frame in place of a finished one's
    last. Here the judge sees, when the level is complete, the frame that the last action led to: it is drawn by
    playing the episode once more with an intangible goal (``Simulator.last_step``); at the time limit, the true
    last frame, since the limit is kept here; when the agent is killed, the last frame on which it was alive (even if
    it completes the level in the same step).

    **Levels.** A seed draws the level of its own number or, if no expert completes that one in a number of steps
    within ``expert_steps``, the next of a fixed series of candidates. With ``every_level`` this holds for verification
    only: training and evaluation take every level as it is, as in Procgen's own benchmark.
    """

    name: str
    distribution_mode: str
    backgrounds: bool
    all_themes: bool
    max_steps: int
    """Time limit of an episode; the library's own is 500 or 1,000 steps."""
    start_level: int
    num_levels: int
    """Training draws its levels by the seeds start_level, ..., start_level + num_levels - 1; 0: by all."""
    expert_steps: list[int]
    """Fewest and most steps that an expert needs for a level."""
    every_level: bool
    """Whether training and evaluation take levels regardless of ``expert_steps``."""
    max_states: int
    """States that the search for an expert plan expands at most."""
    expert_completes: float
    """For verification: the fraction of experts' episodes in which a picture has to show the end."""
    early_frames: int
    """For verification: frames by which the end of an episode cannot be told on a picture."""
    image_level: int
    """Number of the level of the initial and goal images; ``expert_steps`` does not matter for it."""
    experts: str
    """Folder in which expert plans are kept between runs."""
    steps: int
    """Default training budget in environment steps, for every method."""

    suite = "procgen"
    demonstrations = random_episodes = None  # one for every seed

    def __post_init__(self) -> None:
        from vlmcar.env.procgen_games import GAMES

        if self.name not in GAMES:
            raise ConfigError(f"env.name={self.name} is none of {', '.join(GAMES)}")
        if self.distribution_mode not in _MODES[self.name]:
            raise ConfigError(
                f"env.distribution_mode={self.distribution_mode} is none of {self.name}'s: "
                f"{', '.join(_MODES[self.name])}"
            )
        limit = GAMES[self.name].time_limit
        if not 1 <= self.max_steps <= limit:
            raise ConfigError(
                f"env.max_steps={self.max_steps} must be from 1 to {limit}, where {self.name} ends by itself"
            )
        for name, least in (
            ("start_level", 0),
            ("num_levels", 0),
            ("max_states", 1),
            ("early_frames", 0),
            ("image_level", 0),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"env.{name}={getattr(self, name)} must be at least {least}")
        if (
            len(self.expert_steps) != 2
            or not 1 <= self.expert_steps[0] <= self.expert_steps[1] <= self.max_steps
        ):
            raise ConfigError(
                f"env.expert_steps={self.expert_steps} must be [fewest, most], most within max_steps={self.max_steps}"
            )
        if not self.num_levels and not self.every_level:
            raise ConfigError(
                "env.num_levels=0 trains on every level, for each of which an expert would be searched; add "
                "env.every_level=true"
            )
        if self.start_level + self.num_levels > _NEXT_CANDIDATE:
            raise ConfigError(
                f"env.start_level={self.start_level} and num_levels={self.num_levels} reach beyond {_NEXT_CANDIDATE}, "
                "where the levels that replace others begin"
            )

    @property
    def id(self) -> str:
        return f"{self.suite}-{self.name}"

    @property
    def moves(self) -> Moves:
        from vlmcar.env.procgen_games import GAMES, LEFT, RIGHT, STAY

        number = GAMES[self.name].actions.index  # the policy's number of one of Procgen's
        return Moves(number(STAY), (number(LEFT), number(RIGHT)), frozenset())

    def setting(self) -> Mapping[str, Any]:
        settings = asdict(self)
        for only_training in ("start_level", "num_levels", "every_level", "experts", "steps"):
            del settings[only_training]
        return settings

    @property
    def training_seeds(self) -> range | None:
        """The seeds of the levels that training draws from; ``None``: any."""
        return range(self.start_level, self.start_level + self.num_levels) if self.num_levels else None

    def images(self) -> tuple[Frame, Frame]:
        """The large view, uint8 (512, 512, 3), of the start and the end of an expert's episode."""
        start, actions = self.simulator.level(self.image_level), self._image_plan
        simulator = self.make_simulator(1, large=True)
        try:
            simulator.restore(0, start)
            initial = simulator.frame()
            simulator.last_step(start, actions)
            return initial, simulator.frame()
        finally:
            simulator.close()

    def frames(self) -> tuple[Frame, Frame]:
        """The moments of ``images`` as programs get them: uint8 (64, 64, 3)."""
        frames = self._replay_expert(self.image_level, self._image_plan).frames
        return frames[0], frames[-1]

    def expert(self, seed: int) -> Trajectory:
        """A completed episode, found by search over saved states.

        Raises:
            VlmcarError: none of the seed's candidates was solved.
        """
        return self._replay_expert(*self._demonstration(seed))

    def random(self, seed: int, max_steps: int) -> Trajectory:
        """Uniformly random actions, up to ``max_steps`` or the task's own time limit."""
        level = self.level(seed)
        actions = np.random.default_rng(seed).integers(len(self.simulator.game.actions), size=max_steps)
        return self.replay(level, actions, "random")

    def replay(self, level: int, actions: Sequence[int] | NDArray[np.int64], kind: str) -> Trajectory:
        """The episode that these actions lead to on the level of this number; it may end before they do."""
        frames, rewards, success = [], [], False
        for frame, reward, complete, _ in self._play(level, actions):
            frames.append(frame)
            rewards.append(reward)
            success = complete
        return Trajectory(
            frames=np.stack(frames),
            actions=np.asarray(actions[: len(rewards) - 1], dtype=np.int64),
            rewards=np.asarray(rewards[1:], dtype=np.float32),
            success=success,
            seed=level,
            kind=kind,
        )

    def truth(self, trajectory: Trajectory) -> Mapping[str, NDArray[np.bool_]]:
        from vlmcar.env.procgen_state import read
        from vlmcar.env.procgen_truth import predicates

        played = list(self._play(trajectory.seed, trajectory.actions, states=True))
        states = [read(state) for *_, state in played]
        return predicates(self.name, states, [complete for _, _, complete, _ in played])

    def level(self, seed: int) -> int:
        """The number of the level that ``seed`` draws, as ``Trajectory.seed`` and the library count levels."""
        return self._demonstration(seed)[0]

    def level_to_play(self, seed: int) -> int:
        """The same for training and evaluation."""
        return seed % _LEVELS if self.every_level else self.level(seed)

    def make_vec(
        self, num_envs: int, seeds: Sequence[int], frames: bool, auto_reset: bool, truth: bool = False
    ) -> Any:
        """Training or evaluation environments, see ``vlmcar.env.procgen_vector.ProcgenVecEnv``."""
        from vlmcar.env.procgen_vector import ProcgenVecEnv

        return ProcgenVecEnv(self, num_envs, seeds, frames, auto_reset, truth)

    def _play(
        self, level: int, actions: Sequence[int] | NDArray[np.int64], states: bool = False
    ) -> Iterator[tuple[Frame, float, bool, bytes]]:
        """Frame, reward, whether the level is complete and, if wanted, the saved state: at the start and after
        each action, until the episode ends."""
        simulator = self.simulator
        start = simulator.level(level)
        simulator.restore(0, start)
        alive, before = simulator.frame(), start
        yield alive, 0.0, False, start
        for number, action in enumerate(actions[: self.max_steps], start=1):
            simulator.act(np.array([action]))
            observed, rewards, ended, complete = simulator.observe()
            reward = float(rewards[0])
            if complete[0]:
                state = simulator.last_step(start, [int(a) for a in actions[:number]])
                if state is not None:
                    alive, before = simulator.frame(), state
            if ended[0]:
                yield alive, reward, bool(complete[0]), before
                return
            alive, before = observed[0], simulator.save(0) if states else b""
            yield alive, reward, False, before

    def _replay_expert(self, level: int, plan: list[int]) -> Trajectory:
        expert = self.replay(level, plan, "expert")
        if not expert.success:
            raise VlmcarError(
                f"{self.id}: the plan kept for level {level} does not complete it; remove {self._experts.file}"
            )
        return expert

    def _demonstration(self, seed: int) -> tuple[int, list[int]]:
        """The first of the seed's candidates that an expert completes, within ``expert_steps``, and the plan."""
        fewest, most = self.expert_steps
        for number in range(_MOST_CANDIDATES):
            level = (seed + number * _NEXT_CANDIDATE) % _LEVELS
            plan = self._experts.plan(level)
            if plan is not None and fewest <= len(plan) <= most:
                return level, plan
        raise VlmcarError(
            f"{self.id}: no expert for seed {seed}: of {_MOST_CANDIDATES} levels none was completed in "
            f"{fewest} to {most} steps; change env.expert_steps, env.max_steps or env.max_states"
        )

    @property
    def _image_plan(self) -> list[int]:
        plan: list[int] | None = self._experts.plan(self.image_level)
        if plan is None:
            raise VlmcarError(
                f"{self.id}: no expert completes env.image_level={self.image_level}; choose another"
            )
        return plan

    @cached_property
    def _experts(self) -> Any:
        from vlmcar.env.procgen_experts import Experts

        return Experts(self.experts, self._look, self.max_steps, self.max_states)

    @cached_property
    def simulator(self) -> Any:
        """A single copy, for trajectories, first states and last frames."""
        return self.make_simulator(1)

    def make_simulator(self, num: int, large: bool = False) -> Any:
        """A ``vlmcar.env.procgen_simulator.Simulator`` of this game and look."""
        from vlmcar.env.procgen_simulator import Simulator

        return Simulator(self._look, num, large)

    @property
    def _look(self) -> Any:
        from vlmcar.env.procgen_simulator import Look

        return Look(self.name, self.distribution_mode, self.backgrounds, self.all_themes)
