"""Everything that a training is besides its model, so that one that goes on is as one that was never stopped."""

from __future__ import annotations

import pickle
import random
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vlmcar.types import VlmcarError

ENTRY = "training.pkl"
"""In the checkpoint, beside what Stable-Baselines3 writes and reads."""
_TRANSITIONS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_NOISE = ("exploration_mat", "exploration_matrices")


class Checkpoint:
    """A model between two updates, with the environments, the reward's memory and all generators of that moment.

    Args:
        model: of Stable-Baselines3.
        rewarded: its ``vlmcar.reward.vector.RewardVecEnv``.
        bookkeeper: what it has counted since its last row.
    """

    def __init__(self, model: Any, rewarded: Any, bookkeeper: Any) -> None:
        self.model = model
        self.environments = _pickled(rewarded.state())
        self.state: dict[str, Any] = {
            "environments": self.environments,
            "bookkeeper": bookkeeper.state(),
            "generators": _generators(model),
            "replay": _replay(model),
            "noise": _noise(model),
        }

    @property
    def num_timesteps(self) -> int:
        return int(self.model.num_timesteps)

    def save(self, path: Path) -> None:
        """Write it; the environments are left out where they cannot be saved."""
        self.model.save(path)
        if self.environments is None:
            return
        with (
            zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open(ENTRY, "w", force_zip64=True) as file,
        ):
            pickle.dump(self.state, file, protocol=pickle.HIGHEST_PROTOCOL)


def has_environments(path: Path) -> bool:
    """Whether a training can go on from this checkpoint in the middle of its episodes."""
    with zipfile.ZipFile(path) as archive:
        return ENTRY in archive.namelist()


def read(path: Path) -> dict[str, Any] | None:
    """What `Checkpoint.save` wrote; ``None`` where the environments could not be saved.

    Raises:
        VlmcarError: it is broken, or cannot be read with the versions here.
    """
    if not has_environments(path):
        return None
    with _explained(path), zipfile.ZipFile(path) as archive, archive.open(ENTRY) as file:
        state: dict[str, Any] = pickle.load(file)
        file.read()  # to the end, where the checksum is compared
    return state


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What a checkpoint that does not fit can raise is without limit; the cause is kept."""
    try:
        yield
    except Exception as error:
        raise VlmcarError(
            f"{path} is broken, or was written by other versions of vlmcar or its packages, and cannot be gone on "
            f"from ({type(error).__name__}: {error}); delete {path.parent} to begin again"
        ) from error


def restore(path: Path, state: Mapping[str, Any], model: Any, rewarded: Any, bookkeeper: Any) -> None:
    """Put everything where it was; the generators last, since making the others may draw from them.

    A model that explores with ``use_sde`` draws its noise when a rollout begins, right before a checkpoint is kept: it
    will do so again, and the bookkeeper is asked to undo that.

    Raises:
        VlmcarError: what was read from ``path`` does not fit.
    """
    with _explained(path):
        rewarded.set_state(pickle.loads(state["environments"]))
        bookkeeper.set_state(state["bookkeeper"])
        if state["replay"]:
            _refill(model.replay_buffer, state["replay"])
        _set_generators(model, state["generators"])
        if state["noise"]:
            bookkeeper.at_first_rollout = partial(_set_noise, model, state["noise"], state["generators"])


def _pickled(environments: Any) -> bytes | None:
    """``None`` where they have no state, or hold what cannot be pickled."""
    if environments is None:
        return None
    try:
        return pickle.dumps(environments, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def _generators(model: Any) -> dict[str, Any]:
    import torch

    on_gpu = model.device.type == "cuda"
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  (Stable-Baselines3 draws from it)
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(model.device) if on_gpu else None,
        "actions": model.action_space.np_random.bit_generator.state,
    }


def _set_generators(model: Any, state: Mapping[str, Any]) -> None:
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and model.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], model.device)
    model.action_space.np_random.bit_generator.state = state["actions"]


def _noise(model: Any) -> dict[str, Any] | None:
    """What ``use_sde`` explores with until it draws anew, one per environment."""
    if not model.use_sde:
        return None
    distribution = _explores_by(model)
    return {
        name: getattr(distribution, name).detach().cpu() for name in _NOISE if hasattr(distribution, name)
    }


def _set_noise(model: Any, noise: Mapping[str, Any], generators: Mapping[str, Any]) -> None:
    for name, matrix in noise.items():
        setattr(_explores_by(model), name, matrix.to(model.device))
    _set_generators(model, generators)


def _explores_by(model: Any) -> Any:
    return (model.actor if hasattr(model, "actor") else model.policy).action_dist


def _replay(model: Any) -> dict[str, Any] | None:
    """The transitions of an off-policy model that has any."""
    buffer = getattr(model, "replay_buffer", None)
    if buffer is None:
        return None
    filled = buffer.buffer_size if buffer.full else buffer.pos
    arrays = {place: array[:filled] for place, array in _arrays(buffer)}
    return {"pos": buffer.pos, "full": buffer.full, "arrays": arrays}


def _refill(buffer: Any, replay: Mapping[str, Any]) -> None:
    buffer.pos, buffer.full = replay["pos"], replay["full"]
    for place, array in _arrays(buffer):
        filled = replay["arrays"][place]
        array[: len(filled)] = filled


def _arrays(buffer: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a replay buffer by name, one per key where observations are a ``Dict``."""
    for name in _TRANSITIONS:
        array = getattr(buffer, name)
        if isinstance(array, dict):
            yield from ((f"{name}.{key}", part) for key, part in array.items())
        else:
            yield name, array
