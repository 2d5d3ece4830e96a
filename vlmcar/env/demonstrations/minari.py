"""Episodes of a Minari dataset: its pictures, or pictures drawn anew by acting them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from vlmcar.env.demonstrations.recording import Recording, actions_of, rewards_of
from vlmcar.env.words import first_line
from vlmcar.types import ConfigError, Frame, VlmcarError

_SMALLEST = 32
"""Pixels: Minari keeps uint8 arrays as JPEG, and gives them back as pictures from this side length on."""
_SUCCESS = ("is_success", "success")
"""Infos that say, at an episode's last step, whether it was solved."""
_UNREADABLE = (ImportError, OSError, ValueError, KeyError, gymnasium.error.Error)
"""What Minari and h5py raise for a dataset that is broken, or in a format that is not supported here."""


def recordings(dataset_id: str) -> Iterator[Recording]:
    """All episodes of a dataset on this machine.

    Observations that are RGB pictures are the frames, as far as Minari's JPEG keeps them. Otherwise each episode is
    acted out in the dataset's environment, and compared with what was recorded.

    Raises:
        ConfigError: Minari or the dataset is not there.
        VlmcarError: the dataset is broken, or its episodes cannot be acted out.
    """
    dataset = _load(dataset_id)
    if _is_picture(dataset.observation_space):
        return (
            _recording(dataset, episode, dict(kept), episode.observations)
            for episode, kept in _episodes(dataset)
        )
    return _acted_out(dataset)


def _load(dataset_id: str) -> Any:
    try:
        import minari
    except ImportError as error:
        raise ConfigError("Minari datasets need one more package: pip install 'vlmcar[minari]'") from error
    try:
        return minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise ConfigError(
            f"the Minari dataset {dataset_id} is not on this machine: minari download {dataset_id}, or set "
            "MINARI_DATASETS_PATH to the folder that holds it"
        ) from error
    except _UNREADABLE as error:
        raise _broken(dataset_id, error) from error


def _broken(dataset_id: str, error: Exception) -> VlmcarError:
    return VlmcarError(
        f"the Minari dataset {dataset_id} cannot be read ({first_line(error)}): download or record it anew"
    )


def _episodes(dataset: Any) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Each episode with what is kept about it, such as its seed."""
    for index in dataset.episode_indices:
        try:
            (kept,) = dataset.storage.get_episode_metadata([index])
            (episode,) = dataset.iterate_episodes([index])
        except _UNREADABLE as error:
            raise _broken(dataset.id, error) from error
        yield episode, kept


def _recording(dataset: Any, episode: Any, kept: Mapping[str, Any], frames: Any) -> Recording:
    name = _name(dataset, episode)
    space, steps = dataset.action_space, len(episode.rewards)
    vectors = isinstance(space, spaces.Discrete) or (isinstance(space, spaces.Box) and len(space.shape) == 1)
    return Recording(
        name,
        frames,
        actions_of(episode.actions, steps, name) if vectors else None,
        rewards_of(episode.rewards, steps, name),
        success=all(
            np.asarray((episode.infos or {})[key])[-1] for key in _SUCCESS if key in (episode.infos or {})
        ),
        seed=kept.get("seed"),
    )


def _acted_out(dataset: Any) -> Iterator[Recording]:
    if dataset.env_spec is None:
        raise VlmcarError(
            f"the Minari dataset {dataset.id} keeps neither pictures nor its environment: record the frames, too"
        )
    try:
        env = dataset.recover_environment(render_mode="rgb_array")
    except (gymnasium.error.Error, ImportError, AttributeError, TypeError, ValueError) as error:
        raise VlmcarError(
            f"the environment of the Minari dataset {dataset.id}, {dataset.env_spec.id}, cannot be made here "
            f"({first_line(error)}): install what it comes from"
        ) from error
    with closing(env):
        if env.observation_space != dataset.observation_space:
            raise _unlike(dataset.id, "its observations are of another space than the environment's")
        for episode, kept in _episodes(dataset):
            yield _recording(dataset, episode, kept, _frames(dataset, env, episode, kept))


def _frames(dataset: Any, env: Any, episode: Any, kept: Mapping[str, Any]) -> Iterator[Frame]:
    """The frames that an episode's seed and actions lead to, while they lead to what was recorded."""
    name, space = _name(dataset, episode), dataset.observation_space
    if kept.get("seed") is None:
        raise _unlike(name, "its seed was not recorded")
    observation, _ = env.reset(seed=kept["seed"], options=kept.get("options"))
    for step in range(len(episode.rewards)):
        if not _same(space, _at(episode.observations, step), observation):
            raise _unlike(name, f"the observation before step {step + 1} is another one than was recorded")
        yield _drawn(env, name)
        observation, reward, terminated, _, _ = env.step(_at(episode.actions, step))
        if not _close(episode.rewards[step], reward) or terminated != episode.terminations[step]:
            raise _unlike(name, f"step {step + 1} leads to another reward or end than was recorded")
    if not _same(space, _at(episode.observations, len(episode.rewards)), observation):
        raise _unlike(name, "the last observation is another one than was recorded")
    yield _drawn(env, name)


def _unlike(name: str, why: str) -> VlmcarError:
    return VlmcarError(
        f"{name} cannot be acted out again ({why}): record its frames, as RGB observations or as npz files"
    )


def _drawn(env: Any, name: str) -> Frame:
    try:
        frame = env.render()
    except gymnasium.error.Error as error:
        raise VlmcarError(f"{name} cannot be drawn ({first_line(error)})") from error
    if (
        not isinstance(frame, np.ndarray)
        or frame.dtype != np.uint8
        or frame.ndim != 3
        or frame.shape[-1] != 3
    ):
        raise VlmcarError(f"{name} cannot be drawn: render() gives no uint8 (height, width, 3) array")
    return frame.copy()  # some environments draw into one array


def _at(values: Any, step: int) -> Any:
    """The entry of one step, of arrays that may lie in dicts and tuples."""
    if isinstance(values, dict):
        return {key: _at(value, step) for key, value in values.items()}
    if isinstance(values, tuple):
        return tuple(_at(value, step) for value in values)
    return values[step]


def _same(space: Any, recorded: Any, seen: Any) -> bool:
    """Whether two observations are equal, but for what Minari keeps as JPEG."""
    if isinstance(space, spaces.Dict):
        return all(_same(part, recorded[key], seen[key]) for key, part in space.spaces.items())
    if isinstance(space, spaces.Tuple):
        return all(map(_same, space.spaces, recorded, seen))
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3):
        return True
    if isinstance(space, spaces.Text):
        return recorded == seen
    return _close(recorded, seen)


def _close(recorded: Any, seen: Any) -> bool:
    """Equal, but for how another processor rounds."""
    return np.shape(recorded) == np.shape(seen) and bool(
        np.allclose(recorded, seen, rtol=1e-4, atol=1e-5, equal_nan=True)
    )


def _is_picture(space: Any) -> bool:
    return (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[-1] == 3
        and min(space.shape[:2]) >= _SMALLEST
    )


def _name(dataset: Any, episode: Any) -> str:
    return f"episode {episode.id} of the Minari dataset {dataset.id}"
