"""Errors of the machine are said in one line; what may be a bug keeps its traceback."""

from __future__ import annotations

import errno
import os

import pytest
import yaml
from hydra.errors import MissingConfigException

from vlmcar.outside import explained, explained_errors
from vlmcar.types import ConfigError, VlmcarError


def os_error(number: int, name: str | None = "a/file") -> OSError:
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (os_error(errno.ENOSPC), "a/file: No space left on device: make room"),
        (os_error(errno.EFBIG, None), "File too large: make room"),
        (os_error(errno.EACCES), "a/file: Permission denied: check that this path"),
        (OSError("could not write a/picture.png"), "could not write a/picture.png"),
        (
            MemoryError("Unable to allocate 3 PiB\nfor an array"),
            "not enough memory (Unable to allocate 3 PiB)",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to"), "not enough memory"),
        (
            ModuleNotFoundError("No module named 'procgen.sub'", name="procgen.sub"),
            "the package procgen cannot be",
        ),
    ],
)
def test_what_a_user_can_act_on(error: BaseException, words: str) -> None:
    with pytest.raises(VlmcarError) as caught, explained_errors():
        raise error
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error  # for HYDRA_FULL_ERROR=1


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ImportError("cannot import name 'x'", name="vlmcar.types"),
        ImportError("cannot import name 'x'"),
        MissingConfigException("Could not find 'env/x'"),  # an OSError, too; Hydra's say comes later
    ],
)
def test_what_may_be_a_bug_passes_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, explained_errors():
        raise error
    assert caught.value is error


def test_a_broken_yaml_says_where() -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.safe_load("a: 1\nb: [1\n")
    better = explained(caught.value)
    assert isinstance(better, ConfigError)
    assert "line 3, column 1 is not yaml" in str(better)
