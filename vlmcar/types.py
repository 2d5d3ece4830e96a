"""The nouns every other module speaks: frames, tasks, programs, verdicts and judges.

Nothing here does work. Shapes are written the same way everywhere:
``frame: uint8 (height, width, 3) RGB, 0-255``; a leading ``batch`` or ``num_envs`` axis is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vlmcar.errors import ConfigError as ConfigError  # with every other noun, in one place
from vlmcar.errors import NoReply as NoReply
from vlmcar.errors import NotAvailable as NotAvailable
from vlmcar.errors import Refused as Refused
from vlmcar.errors import Stopped as Stopped
from vlmcar.errors import Truncated as Truncated
from vlmcar.errors import VlmcarError as VlmcarError
from vlmcar.verdict import Check as Check
from vlmcar.verdict import Verdict as Verdict

Frame: TypeAlias = NDArray[np.uint8]
"""uint8 (height, width, 3) RGB, 0-255."""

Frames: TypeAlias = NDArray[np.uint8]
"""uint8 (batch, height, width, 3) RGB, 0-255."""

Truth: TypeAlias = Mapping[str, NDArray[np.bool_]]
"""Ground truth, bool (batch,) per predicate: for measuring, and for judges that are called simulated."""


@dataclass(frozen=True)
class Trajectory:
    """One episode as a judge would see it, the true last frame included."""

    frames: Frames
    """uint8 (steps + 1, height, width, 3) RGB, 0-255."""
    actions: NDArray[Any]
    """int64 (steps,), or float32 (steps, dimensions) of a Box; (steps, 0) where they are not known."""
    rewards: NDArray[np.float32]
    """float32 (steps,): the environment's own reward."""
    success: bool
    seed: int
    kind: str
    """``expert``, ``random``, ``policy``, ..."""


class Moves(NamedTuple):
    """What a task's actions are good for: enough to act out policies that might exploit a reward.

    An action is an ``int``, or a tuple of floats for a Box.
    """

    idle: Any
    """Does nothing; ``None``: not known."""
    back_and_forth: tuple[Any, Any] | None
    """Two that undo one another, such as turning left and right; ``None``: not known."""
    interactions: frozenset[int]
    """Those that change something in the world other than the agent's place: taking, dropping, opening."""


@dataclass(frozen=True)
class SubTask:
    name: str
    """snake_case; also the name of the function that judges it."""
    description: str
    """One sentence."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation with a VLM."""

    role: str
    """``system``, ``user`` or ``assistant``."""
    text: str
    images: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What a VLM answered. ``None`` means unknown, never zero."""

    text: str
    model: str
    """Who answered; for a recording, its stated provenance."""
    seconds: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    """US dollars."""


@dataclass(frozen=True)
class Decisions:
    """Answers to yes-or-no questions about pictures, and what they took."""

    probabilities: NDArray[np.float64]
    """float64 (batch, num_questions): P(yes) in [0, 1]; NaN where the answer was neither yes nor no."""
    model: str
    calls: float
    """Requests sent, or forward passes run; where it is a share of a batch, a fraction."""
    seconds: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    """US dollars; ``None``: unknown."""
    refused: int = 0
    """Views of which the VLM declined to say anything; their probabilities are NaN."""
    truncated: int = 0
    """Views whose answer was cut at the token limit; their probabilities are NaN."""


@runtime_checkable
class VLM(Protocol):
    """A vision-language model, or whatever stands in for one."""

    name: str
    """Used in paths and csv files; the same word as ``vlm=<name>``."""
    cache: bool
    """Whether an answer is kept on disk and given again to an equal request."""
    record: bool
    """Whether the conversation that made a program is kept for ``vlm=offline`` to replay."""

    def identity(self, images: Sequence[Frame]) -> Mapping[str, Any]:
        """All that can change its replies about these images, and nothing else: a key of programs and the cache."""

    def reply(self, messages: Sequence[Message]) -> Reply:
        """Answer the conversation so far; its last message is the user's.

        Raises:
            NoReply: and its kinds ``Refused`` and ``Truncated``.
        """


@runtime_checkable
class Decider(Protocol):
    """A VLM that also answers yes-or-no questions about pictures."""

    def decision_identity(self) -> Mapping[str, Any]:
        """All that can change a decision besides views and questions, and nothing else: a key of the cache."""

    def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
        """Ask every question about every view.

        Args:
            views: (batch): pictures that are shown together, in order; each uint8 (height, width, 3) RGB.
            questions: (num_questions): whole sentences that can be answered with yes or no.

        Raises:
            NoReply: no answer at all. An answer that is neither yes nor no is none: it is NaN.
        """


@dataclass(frozen=True)
class Program:
    """The generated module: one function per sub-task, judged by nothing but two frames."""

    subtasks: tuple[SubTask, ...]
    source: str = field(repr=False)
    frame_size: tuple[int, int] | None = field(default=None, compare=False)
    """(height, width) in pixels of the frames that it was verified on; ``None``: not known."""

    @property
    def hash(self) -> str:
        """First 12 hex digits of the SHA-256 of the sub-task names and the source."""
        text = "\n".join([*(s.name for s in self.subtasks), self.source])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class Picture(Protocol):
    """A frame that is drawn when somebody has to look at it."""

    key: bytes
    """Within one process, frames with equal keys are equal."""
    shape: tuple[int, int, int]
    """(height, width, 3)"""

    def draw_all(self, pictures: Sequence[Any], out: Frames) -> None:
        """Draw pictures of this kind into uint8 (pictures, height, width, 3)."""


class Shown(Protocol):
    """Frames side by side, not drawn yet."""

    @property
    def keys(self) -> Sequence[bytes]:
        """Of `picture`, one per frame."""

    def picture(self, i: int) -> Picture:
        """One of them."""


@runtime_checkable
class Judge(Protocol):
    """Looks at frames and says how far each sub-task is.

    Pure: the same frames give the same answer. Memory of what was already done lives in the reward.
    """

    num_subtasks: int

    def progress(self, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        """Progress of each sub-task on each frame.

        Args:
            initial: uint8 (batch, height, width, 3) RGB, 0-255: the first frame of each episode.
            frames: uint8 (batch, height, width, 3) RGB, 0-255.

        Returns:
            float32 (batch, num_subtasks) in [0, 1]; a sub-task is done at 1.

        Raises:
            VlmcarError: when there is no answer. An error is never an answer.
        """

    def close(self) -> None:
        """Release processes and memory; safe to call twice."""


@runtime_checkable
class TruthJudge(Protocol):
    """A judge that is told ground truth. It stands in for a VLM, and is called simulated wherever it appears."""

    num_subtasks: int

    def progress_given(self, initial: Frames, frames: Frames, truth: Truth) -> NDArray[np.float32]:
        """As ``Judge.progress``, with what is so on ``frames``: bool (batch,) per predicate of the task."""

    def close(self) -> None:
        """Safe to call twice."""


class JudgedBy(NamedTuple):
    """Who judges under a method, as paths, csv files, legends and pages say it."""

    vlm: str
    """Part of the run's path: a VLM's name, a simulated judge's with its rates, or ``none``."""
    judge: str
    """``programs``, ``VLM queries``, ``simulated (...)`` or ``none``."""
    rates: tuple[float, float] | None = None
    """False positives and false negatives of a simulated judge, which is told ground truth."""


@dataclass(frozen=True)
class Material:
    """What a method may make its judge of; what it does not ask for is not there."""

    vlm: Any
    """A ``VLM``, and a ``Decider`` where the backend is one."""
    sandbox: Any
    prompts: str
    """Version of the prompts."""
    subtasks: tuple[SubTask, ...] = ()
    program: Program | None = None
    truths: Mapping[str, str] = field(default_factory=dict)
    """Sub-task -> ground-truth expression; empty unless the judge is simulated."""
    ledger: Any = None
    """A ``vlmcar.vlm.ledger.Ledger`` with what this run has spent before, if it was resumed."""


class Method(Protocol):
    """Where the reward comes from; all that differs between two curves."""

    name: str
    env_reward: float
    """Weight of the environment's own reward."""
    needs: str
    """``nothing``, ``subtasks`` (the VLM's list of them), or ``program`` (generated and verified)."""
    asks_vlm: bool
    """Whether the VLM, or what stands in for it, judges frames during training."""
    ask_every: int
    """Steps of an episode between two looks of the judge; its last frame is always judged."""

    def judged_by(self, vlm: VLM) -> JudgedBy:
        """Who judges, if the config names this VLM.

        Raises:
            ConfigError: this VLM cannot judge.
        """

    def judge(self, material: Material) -> Judge | TruthJudge | None:
        """The judge whose answers become reward, or ``None`` for the environment's reward alone."""


class Task(Protocol):
    """One goal in one environment."""

    suite: str
    name: str
    steps: int
    """Default training budget in environment steps."""
    moves: Moves

    @property
    def id(self) -> str:
        """``<suite>-<name>``, used in paths and csv files."""

    def setting(self) -> Mapping[str, Any]:
        """What decides which trajectories experts and random play give, JSON: a program is verified for it."""

    @property
    def training_seeds(self) -> range | None:
        """The seeds of the levels that training draws from; ``None``: it draws from all there are."""

    @property
    def demonstrations(self) -> int | None:
        """How many episodes of experts there are; ``None``: one for every seed."""

    @property
    def random_episodes(self) -> int | None:
        """How many episodes of random play there are; ``None``: one for every seed."""

    def images(self) -> tuple[Frame, Frame]:
        """The initial and the goal image that the VLM is shown, from one episode."""

    def frames(self) -> tuple[Frame, Frame]:
        """The same two moments as programs get them; they may be smaller."""

    def level_to_play(self, seed: int) -> int:
        """The level that evaluation plays for ``seed``, as ``Trajectory.seed`` names it."""

    def expert(self, seed: int) -> Trajectory:
        """A successful episode from the level drawn by ``seed``.

        Of limited ``demonstrations``, number ``seed`` (counted round).
        """

    def random(self, seed: int, max_steps: int) -> Trajectory:
        """An episode of uniformly random actions on the level drawn by ``seed``; if limited, as with experts."""

    def replay(self, level: int, actions: Sequence[Any] | NDArray[Any], kind: str) -> Trajectory:
        """The episode that these actions lead to on a level (``level_to_play``, ``Trajectory.seed``).

        Raises:
            NotAvailable: the same actions lead elsewhere each time, or there is nothing to act in.
        """

    def make_vec(
        self, num_envs: int, seeds: Sequence[int], frames: bool, auto_reset: bool, truth: bool = False
    ) -> Any:
        """A ``vlmcar.env.vector.FrameVecEnv`` (or one like it).

        Args:
            num_envs: how many episodes run side by side.
            seeds: with ``auto_reset``, of the generators that draw training levels; without, of the levels.
            frames: ``False`` skips all rendering for the judge.
            auto_reset: ``False`` plays one episode each.
            truth: show ground truth, too; for a ``TruthJudge`` only.
        """

    def truth(self, trajectory: Trajectory) -> Mapping[str, NDArray[np.bool_]]:
        """Ground truth by replaying the actions in the simulator: bool (steps + 1,) per predicate.

        For *measuring* accuracy only; generation, verification and VLM-CaR's reward never call it.

        Raises:
            NotAvailable: nobody has written down this task's.
        """
