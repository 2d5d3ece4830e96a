"""The same moments, seen a little differently: how brittle is a program?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from vlmcar.types import Frame, Task
from vlmcar.verification.trajectories import Kept

NOISE = 2
"""Most that a channel of a pixel is changed by, up or down."""
JPEG_QUALITY = 90

Distort = Callable[[Kept, int], Frame]
"""A trajectory and the number of a frame -> that frame, distorted."""


def distortions(task: Task) -> Mapping[str, Distort]:
    """All kinds by name; the last ones are the task's own, such as other tile sizes."""
    own = {name: _Replayed(variant) for name, variant in getattr(task, "variants", dict)().items()}
    return {"noise": noise, "jpeg": jpeg, **own}


def noise(trajectory: Kept, number: int) -> Frame:
    """Uniform noise, the same for equal frames."""
    frame = trajectory.frame(number)
    rng = np.random.default_rng(int(frame.sum(dtype=np.int64)))
    change = rng.integers(-NOISE, NOISE + 1, frame.shape)
    return np.clip(frame + change, 0, 255).astype(np.uint8)


def jpeg(trajectory: Kept, number: int) -> Frame:
    """Lossy compression, as pictures from the web have been through."""
    frame = cv2.cvtColor(trajectory.frame(number), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.ascontiguousarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


class _Replayed:
    """The episode as another version of the task shows it."""

    def __init__(self, variant: Task) -> None:
        self.variant = variant
        self.frames: dict[int, np.ndarray] = {}

    def __call__(self, trajectory: Kept, number: int) -> Frame:
        if trajectory.seed not in self.frames:
            actions = trajectory.trajectory.actions
            self.frames[trajectory.seed] = self.variant.replay(trajectory.seed, actions, "expert").frames
        frame: Frame = self.frames[trajectory.seed][number]
        return frame
