"""The components of ``conf/``, for who has no command line: the same values, each written once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vlmcar.config import component
from vlmcar.installation import conf
from vlmcar.types import ConfigError

CONF = conf()


def default(
    group: str, choice: str, overrides: Mapping[str, Any] | None = None, env: Mapping[str, Any] | None = None
) -> Any:
    """The component of ``conf/<group>/<choice>.yaml``.

    Args:
        group: such as ``verification``.
        choice: such as ``default``.
        overrides: values instead of the file's: nested mappings, or keys with dots.
        env: what the file may take from a task, such as ``{"thresholds": {...}}``.

    Raises:
        ConfigError: there is no such file or setting, or a value is not allowed.
    """
    folder = CONF / group
    path = folder / f"{choice}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(one.stem for one in folder.glob("*.yaml")))
        raise ConfigError(f"{group}={choice} is no choice; there are: {there}")
    root = OmegaConf.create({group: OmegaConf.load(path), "env": dict(env or {})})
    root.algorithm = {"gamma": OmegaConf.load(CONF / "algorithm" / "ppo.yaml").gamma}
    for key, value in (overrides or {}).items():
        try:
            OmegaConf.update(root, f"{group}.{key}", value, merge=True, force_add=True)
        except OmegaConfBaseException as error:
            raise ConfigError(f"{group}.{key}={value}: {str(error).splitlines()[0]}") from None
    return component(group, root[group])
