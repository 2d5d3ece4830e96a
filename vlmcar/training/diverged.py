"""A training whose numbers have left the finite ones has no result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vlmcar.types import VlmcarError


def refuse_diverged(model: Any) -> None:
    """Of a policy with such weights every action is as good as another, and nothing else would say so.

    Raises:
        VlmcarError: a weight of the policy is infinite or no number.
    """
    import torch

    if not all(bool(torch.isfinite(weights).all()) for weights in model.policy.parameters()):
        raise VlmcarError(_message(model))


@contextmanager
def divergence_explained(model: Any) -> Iterator[None]:
    """Around learning: torch refuses to draw actions from probabilities that are none."""
    try:
        yield
    except ValueError as error:
        if not str(error).startswith("Expected parameter"):
            raise
        raise VlmcarError(_message(model)) from error


def _message(model: Any) -> str:
    return (
        f"the training diverged before step {model.num_timesteps:,}: the policy's weights are no finite numbers any "
        "more; take a lower algorithm.learning_rate (for pictures: cnn_learning_rate), or a lower reward weight"
    )
