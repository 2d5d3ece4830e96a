"""The network that looks at pixels: small enough for a CPU, the same for every method."""

from __future__ import annotations

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class SmallCNN(BaseFeaturesExtractor):
    """Two convolutions and a linear layer: pictures to ``features`` numbers.

    The first convolution looks at blocks that do not overlap, so it costs a third of the usual stride of 4.
    Observation: uint8 (channels, height, width), scaled to [0, 1] by Stable-Baselines3.
    """

    def __init__(self, observation_space: spaces.Box, features: int) -> None:
        super().__init__(observation_space, features)
        self.convolutions = nn.Sequential(
            nn.Conv2d(observation_space.shape[0], 16, kernel_size=8, stride=8),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            flat = self.convolutions(torch.zeros(1, *observation_space.shape)).shape[1]
        self.linear = nn.Sequential(nn.Linear(flat, features), nn.ReLU())

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Float (batch, channels, height, width) to float (batch, features)."""
        return self.linear(self.convolutions(observations))
