"""A task that is no more than what was recorded of it: pictures, experts' episodes, and random ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from vlmcar.env.demonstrations import read
from vlmcar.program.check import read_image
from vlmcar.types import ConfigError, Frame, Frames, Moves, NotAvailable, Trajectory

Episodes = Sequence[Trajectory | Frames | str | Path] | str | Path
"""Trajectories, uint8 arrays (steps + 1, height, width, 3) RGB, 0-255, or recordings, of one episode or several each:
what `vlmcar.env.demonstrations` reads (folders of pictures, videos, npz files, ``minari:<dataset id>``)."""


class GivenTask:
    """What is known of a task in an environment that this library does not know; a ``Task``.

    Half of the experts' episodes and half of the random ones teach: what a program gets wrong in them is shown to the
    VLM. The others decide.

    Args:
        expert: two or more successful episodes, each up to the frame on which the task is done.
        random: episodes of random play, as long as an agent's at the start of training; may be empty, and then what
            random play is paid is not checked. Arrays and recordings are taken as failures; give a ``Trajectory``
            for one that succeeded by chance.
        initial: uint8 (height, width, 3) RGB, 0-255, or the path of a picture: the start, as the VLM is shown it;
            ``None``: the first frame of the first expert.
        goal: the task done; ``None``: the last frame of the first expert.
        name: names folders; letters, digits, - and _.

    Raises:
        ConfigError: an episode is none, there are too few, or frames are of several sizes.
    """

    suite = "given"
    steps = 0  # nothing can be trained in it
    moves = Moves(0, (0, 0), frozenset())  # any: `replay` says that there is nothing to act in
    training_seeds = None
    thresholds: Mapping[str, float] = {}

    def __init__(
        self,
        expert: Episodes,
        random: Episodes,
        initial: Frame | str | Path | None = None,
        goal: Frame | str | Path | None = None,
        name: str = "task",
    ) -> None:
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"name={name!r} may hold letters, digits, - and _ only: it names a folder")
        self.name = name
        self.experts = read_episodes(expert, "expert")
        self.randoms = read_episodes(random, "random")
        if len(self.experts) < 2:
            raise ConfigError(
                f"expert has {len(self.experts)} episode(s), and needs 2 or more: one half teaches, the other decides"
            )
        first = self.experts[0].frames
        self._initial, self._goal = _image(initial, first[0]), _image(goal, first[-1])
        shown = [
            self._initial,
            self._goal,
            *(episode.frames[0] for episode in (*self.experts, *self.randoms)),
        ]
        sizes = sorted({frame.shape[:2] for frame in shown})
        if len(sizes) > 1:
            said = ", ".join(f"{width} x {height}" for height, width in sizes)
            raise ConfigError(
                f"frames and pictures are of several sizes ({said}), and a program is written for one"
            )

    @property
    def id(self) -> str:
        return f"{self.suite}-{self.name}"

    @property
    def demonstrations(self) -> int:
        return len(self.experts)

    @property
    def random_episodes(self) -> int:
        return len(self.randoms)

    def setting(self) -> Mapping[str, Any]:
        return {"episodes": self._digest}

    @cached_property
    def _digest(self) -> str:
        """16 hex digits over everything that a program is verified on."""
        sha = hashlib.sha256()
        for episode in (*self.experts, *self.randoms):
            for array in (episode.frames, episode.actions, episode.rewards):
                sha.update(f"{episode.kind} {episode.success} {array.dtype} {array.shape}".encode())
                sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()[:16]

    def images(self) -> tuple[Frame, Frame]:
        return self._initial, self._goal

    def frames(self) -> tuple[Frame, Frame]:
        return self.images()

    def level_to_play(self, seed: int) -> int:
        return seed

    def expert(self, seed: int) -> Trajectory:
        return self.experts[seed % len(self.experts)]

    def random(self, seed: int, max_steps: int) -> Trajectory:  # noqa: ARG002  (as they were recorded)
        return self.randoms[seed % len(self.randoms)]

    def replay(self, level: int, actions: Sequence[Any] | NDArray[Any], kind: str) -> NoReturn:  # noqa: ARG002
        raise NotAvailable("there is no environment to act in, only recorded episodes")

    def make_vec(
        self,
        num_envs: int,  # noqa: ARG002
        seeds: Sequence[int],  # noqa: ARG002
        frames: bool,  # noqa: ARG002
        auto_reset: bool,  # noqa: ARG002
        truth: bool = False,  # noqa: ARG002
    ) -> NoReturn:
        raise NotAvailable("there is no environment to act in, only recorded episodes")

    def truth(self, trajectory: Trajectory) -> NoReturn:  # noqa: ARG002
        raise NotAvailable("nobody has written down this task's ground truth")


def read_episodes(episodes: Episodes, kind: str) -> list[Trajectory]:
    """Trajectories of this kind, numbered by their seeds.

    Raises:
        ConfigError: one of them is no episode.
        VlmcarError: a recording is broken.
    """
    if isinstance(episodes, (str, Path)):
        episodes = [episodes]
    taken: list[Trajectory] = []
    for number, given in enumerate(episodes):
        if isinstance(given, (str, Path)):
            found = [replace(one, success=one.success and kind == "expert") for one in read(str(given))]
        elif isinstance(given, Trajectory):
            found = [given]
        else:
            found = [_from_frames(given, kind)]
        for one in found:
            _check_frames(one.frames, f"{kind}[{number}]")
            if kind == "expert" and not one.success:
                raise ConfigError(
                    f"expert[{number}] has success=False: experts' episodes end with the task done"
                )
            taken.append(replace(one, seed=len(taken), kind=kind))
    return taken


def _from_frames(frames: Any, kind: str) -> Trajectory:
    frames = np.asarray(frames)
    steps = max(len(frames) - 1, 0) if frames.ndim else 0
    nothing = np.zeros((steps, 0), dtype=np.float32), np.zeros(steps, dtype=np.float32)
    return Trajectory(frames, *nothing, success=kind == "expert", seed=0, kind=kind)


def _check_frames(frames: NDArray[Any], which: str) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or len(frames) < 2:
        raise ConfigError(
            f"{which} is {frames.dtype} {frames.shape}, and an episode is uint8 (steps + 1, height, width, 3) RGB, "
            "0-255, of two frames or more"
        )


def _image(image: Frame | str | Path | None, otherwise: Frame) -> Frame:
    if image is None:
        return otherwise
    if isinstance(image, (str, Path)):
        return read_image(Path(image))
    if not (
        isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    ):
        raise ConfigError("initial and goal are uint8 (height, width, 3) RGB, 0-255, or paths of pictures")
    return image
