"""The networks that look at pixels; the same one for every method."""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class _CNN(BaseFeaturesExtractor):
    """Convolutions and a linear layer: pictures to ``features`` numbers.

    Observation: uint8 (channels, height, width), scaled to [0, 1] by Stable-Baselines3.
    """

    def __init__(self, observation_space: spaces.Box, features: int) -> None:
        super().__init__(observation_space, features)
        self.convolutions = self.layers(observation_space.shape[0])
        with torch.no_grad():
            flat = self.convolutions(torch.zeros(1, *observation_space.shape)).shape[1]
        self.linear = nn.Sequential(nn.Linear(flat, features), nn.ReLU())

    def layers(self, channels: int) -> nn.Sequential:
        """Float (batch, channels, height, width) to float (batch, any number)."""
        raise NotImplementedError

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Float (batch, channels, height, width) to float (batch, features)."""
        return self.linear(self.convolutions(observations))


class SmallCNN(_CNN):
    """Two convolutions, for a CPU. The first looks at blocks that do not overlap, so it costs a third of the
    usual stride of 4."""

    def layers(self, channels: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(channels, 16, kernel_size=8, stride=8),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )


class ImpalaCNN(_CNN):
    """The 15 convolutions of IMPALA (Espeholt et al. 2018), which Procgen's paper uses; for a GPU."""

    def layers(self, channels: int) -> nn.Sequential:
        stages: list[nn.Module] = []
        for width in (16, 32, 32):
            stages += [
                nn.Conv2d(channels, width, kernel_size=3, padding=1),
                nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
                _Residual(width),
                _Residual(width),
            ]
            channels = width
        return nn.Sequential(*stages, nn.ReLU(), nn.Flatten())


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1),
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures + self.layers(pictures)


NETWORKS = {"small": SmallCNN, "impala": ImpalaCNN}
