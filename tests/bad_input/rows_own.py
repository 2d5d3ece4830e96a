"""Mistakes about a person's own environment."""

from __future__ import annotations

import numpy as np

from tests.bad_input.running import Mistake, Place
from vlmcar.env.demonstrations import write_npz
from vlmcar.types import Trajectory

WALK = "env=gymnasium env.name=walk env.env_id=tests.env.own:walk env.max_episode_steps=20"
EXPERT = "env.experts.source=tests.env.own:to_the_right"
BY_INFO = "env.success.told_by=info env.success.key=there"
SMALL = "vlm=manual vlm.answered_by=nobody"


def row(wrong: str, command: str, *says: str, **more: object) -> Mistake:
    return Mistake("config", wrong, f"run.py {command}", says, **more)  # type: ignore[arg-type]


def demonstration(place: Place) -> None:
    """One recorded episode of another size."""
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    episode = Trajectory(frames, np.zeros((2, 0)), np.zeros(2), True, 0, "expert")
    write_npz(place.path / "demonstrations" / "0.npz", episode)
    write_npz(place.path / "demonstrations" / "1.npz", episode)


ROWS = (
    row(
        "an environment of one's own without its id",
        "env=gymnasium env.name=mine",
        "env.env_id has no default",
    ),
    row(
        "an environment that Gymnasium does not know",
        f"{WALK} env.env_id=MountanCar-v0 {EXPERT}",
        "env.env_id=MountanCar-v0",
        also="method=sparse",
    ),
    row(
        "a module that is not there",
        f"{WALK} env.env_id=my_envs:make {EXPERT}",
        "must be a module in this folder, or be installed",
        also="method=sparse",
    ),
    row(
        "an environment without a time limit",
        f"{WALK} env.max_episode_steps=null {EXPERT}",
        "env.max_episode_steps=1000",
        also="method=sparse",
    ),
    row(
        "success by a return that is not given",
        f"{WALK} {EXPERT} env.success.told_by=return",
        "env.success.at_least=...",
    ),
    row("success by what there is not", f"{WALK} {EXPERT} env.success.told_by=reward", "is none of"),
    row(
        "demonstrations that are not there",
        f"{WALK} env.experts.source=demos {BY_INFO}",
        "demos does not exist",
        also=SMALL,
    ),
    row(
        "a policy whose algorithm is not said",
        f"{WALK} env.experts.source=policy.zip {BY_INFO}",
        "algorithm must be one of",
        also=SMALL,
    ),
    row(
        "an expert that never succeeds",
        f"{WALK} env.experts.source=tests.env.own:stays {BY_INFO}",
        "succeeded in none of 10 episodes",
        status=1,
        also=SMALL,
    ),
    row(
        "demonstrations of another size",
        f"{WALK} env.experts.source={{place}}/demonstrations {BY_INFO} stage=generate",
        "bring both to one size by env.frame_size",
        also=SMALL,
        prepare=demonstration,
    ),
    row(
        "yamls beside a folder of results",
        "--config-dir {place} env=gymnasium",
        "keep yamls in a folder of their own",
        prepare=lambda place: (place.path / "results").mkdir(),
    ),
    row(
        "ground truth of one's own environment",
        f"{WALK} {EXPERT} {BY_INFO} method=oracle",
        "nobody has written down its ground truth",
    ),
)
