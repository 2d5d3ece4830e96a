"""A training without finite weights ends with a line, and never with a result."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from vlmcar.training.diverged import divergence_explained, refuse_diverged
from vlmcar.types import VlmcarError


def model(*weights: float) -> SimpleNamespace:
    policy = SimpleNamespace(parameters=lambda: iter([torch.zeros(2), torch.tensor(weights)]))
    return SimpleNamespace(policy=policy, num_timesteps=2048)


def test_finite_weights_pass() -> None:
    refuse_diverged(model(1.0, -1e30))


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), float("-inf")])
def test_one_weight_is_enough(weight: float) -> None:
    with pytest.raises(VlmcarError, match=r"diverged before step 2,048.*lower algorithm.learning_rate"):
        refuse_diverged(model(1.0, weight))


def test_torch_is_explained_and_other_errors_are_not() -> None:
    with pytest.raises(ValueError, match="Expected parameter logits") as caught:
        torch.distributions.Categorical(logits=torch.tensor([float("nan")]))
    with pytest.raises(VlmcarError, match="diverged"), divergence_explained(model(1.0)):
        raise caught.value
    with pytest.raises(ValueError, match="another"), divergence_explained(model(1.0)):
        raise ValueError("another")
