"""A gymnasium environment in the middle of an episode, saved and put into another one that was made the same way.

Pickling an environment as a whole is not it: many are ``gymnasium.utils.EzPickle``, whose pickle is one that was just
made, and those that have drawn a picture hold windows that cannot be pickled. So what is saved are the attributes of
the environment and of each wrapper around it, in one piece. Those that cannot be pickled (windows, clocks, functions)
stay in the other environment what it made for itself. Whether that is enough is nothing that one can see: `goes_on`
tries.
"""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import gymnasium
import numpy as np

BEFORE, AFTER = 12, 40
"""Steps that are tried before and after putting an environment's state into another one."""
_PLAIN = (bool, int, float, str, tuple, type(None))


def layers(env: gymnasium.Env) -> list[gymnasium.Env]:
    """The environment and what wraps it, the outermost wrapper first."""
    found = [env]
    while isinstance(found[-1], gymnasium.Wrapper):
        found.append(found[-1].env)
    return found


def saved(env: gymnasium.Env) -> bytes:
    """The attributes of all layers that can be pickled, generators included.

    Raises:
        TypeError: a layer has no attributes of its own.
    """
    stack = layers(env)
    aside = {
        id(value): (number, name)
        for number, layer in enumerate(stack)
        for name, value in vars(layer).items()
        if not _can_be_pickled(value, stack)
    }
    return _pickled([dict(vars(layer)) for layer in stack], stack, aside)


def put(state: bytes, env: gymnasium.Env) -> None:
    """Put what was `saved` into an environment that was made the same way, and had the same first episode begun."""
    stack = layers(env)
    attributes = _Unpickler(io.BytesIO(state), stack).load()
    before = [dict(vars(layer)) for layer in stack]
    for layer, values in zip(stack, attributes, strict=True):
        vars(layer).clear()
        vars(layer).update(values)
    _look_at_the_new(before, attributes, stack)


def goes_on(make_env: Callable[[], gymnasium.Env], draws: bool) -> bool:
    """Whether an environment into which another one's state was put steps on as the other one does.

    Two are made and played with random actions; everything that a judge, a policy or a learner gets is compared.

    Args:
        make_env: an environment; Python's and NumPy's generators are left as they were.
        draws: its pictures are looked at, too.
    """
    envs: list[gymnasium.Env] = []
    with _generators_left():
        try:
            for _ in range(2):
                envs.append(make_env())
                begin(envs[-1], 0, draws)
            return _same_from_here(envs[0], envs[1], draws)
        except Exception:  # what an environment raises that is not whole is without limit
            return False
        finally:
            for env in envs:
                _close(env)


def _same_from_here(one: gymnasium.Env, other: gymnasium.Env, draws: bool) -> bool:
    actions = one.action_space
    actions.seed(0)
    for env in (one, other):  # not to the same place
        for _ in range(BEFORE):
            if _step(env, actions.sample(), draws=False).ended:
                env.reset()
    put(saved(one), other)
    for number in range(AFTER):
        action, drawn = actions.sample(), draws and number in (0, AFTER - 1)
        expected, seen = _step(one, action, drawn), _step(other, action, drawn)
        if not _same(seen, expected):
            return False
        if (expected.ended or number == AFTER // 2) and not _same(other.reset()[0], one.reset()[0]):
            return False
    return True


def begin(env: gymnasium.Env, seed: int, draws: bool) -> None:
    """Let it make what it makes when it is first used, such as a camera that turns to where things are then."""
    env.reset(seed=seed)
    if draws:
        env.render()


def _look_at_the_new(
    before: list[dict[str, Any]], after: list[dict[str, Any]], stack: list[gymnasium.Env]
) -> None:
    """What an environment kept may hold what was replaced: a renderer, the state of the physics that it draws."""
    replaced, kept = dict[int, Any](), list[Any]()
    for old, new in zip(before, after, strict=True):
        for name in old.keys() & new.keys():
            if old[name] is new[name]:
                kept.append(old[name])
            elif not isinstance(old[name], _PLAIN):
                replaced[id(old[name])] = new[name]
    seen = {id(layer) for layer in stack}
    while kept:
        holder = kept.pop()
        inside = holder if isinstance(holder, dict) else getattr(holder, "__dict__", None)
        if id(holder) in seen or not isinstance(inside, dict) or isinstance(holder, ModuleType):
            continue
        seen.add(id(holder))
        for name, value in inside.items():
            if id(value) in replaced:
                inside[name] = replaced[id(value)]
            else:
                kept.append(value)


class _Step(NamedTuple):
    given: tuple[Any, ...]
    """Observation, reward and success."""
    ended: bool
    picture: Any


def _step(env: gymnasium.Env, action: Any, draws: bool) -> _Step:
    observation, reward, terminated, truncated, info = env.step(action)
    picture = np.array(env.render()) if draws else None
    return _Step((observation, float(reward), info.get("is_success")), bool(terminated or truncated), picture)


def _same(one: Any, other: Any) -> bool:
    try:
        np.testing.assert_equal(one, other)
    except AssertionError:
        return False
    return True


def _close(env: gymnasium.Env) -> None:
    try:
        env.close()
    except Exception:  # it may be broken by what was put into it
        return


@contextmanager
def _generators_left() -> Iterator[None]:
    """Trying must not change what is drawn in training."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


class _Pickler(pickle.Pickler):
    """Names the layers, and what is set aside, instead of pickling them."""

    def __init__(self, file: Any, stack: list[gymnasium.Env], aside: dict[int, tuple[int, str]]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.named: dict[int, tuple[int, str | None]] = {id(env): (n, None) for n, env in enumerate(stack)}
        self.named.update(aside)

    def persistent_id(self, obj: Any) -> tuple[int, str | None] | None:
        return self.named.get(id(obj))


class _Unpickler(pickle.Unpickler):
    """Takes the layers, and what was set aside, from another environment."""

    def __init__(self, file: Any, stack: list[gymnasium.Env]) -> None:
        super().__init__(file)
        self.stack = stack

    def persistent_load(self, pid: tuple[int, str | None]) -> Any:
        number, name = pid
        return self.stack[number] if name is None else vars(self.stack[number])[name]


def _pickled(what: Any, stack: list[gymnasium.Env], aside: dict[int, tuple[int, str]]) -> bytes:
    file = io.BytesIO()
    _Pickler(file, stack, aside).dump(what)
    return file.getvalue()


def _can_be_pickled(value: Any, stack: list[gymnasium.Env]) -> bool:
    if isinstance(value, bool | int | float | str | None):
        return True
    try:
        _pickled(value, stack, {})
    except Exception:  # what pickling somebody's object raises is without limit
        return False
    return True
