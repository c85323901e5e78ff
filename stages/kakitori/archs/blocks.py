"""Layers that architectures share."""

import torch
import torch.nn.functional as F
from torch import nn


def convolution(channels_in: int, channels: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch-norm (Ioffe and Szegedy 2015), ReLU; `same` padding."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def separable(channels_in: int, channels: int) -> nn.Sequential:
    """Depthwise-separable convolution (Howard et al. 2017), one norm after both halves."""
    depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
    return nn.Sequential(depthwise, convolution(channels_in, channels, kernel=1))


class SqueezeExcite(nn.Module):
    """Channel attention (Hu et al. 2018) with the hard sigmoid of MobileNetV3."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 2)  # a single one can be dead from the start
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summary = F.adaptive_avg_pool2d(x, 1)
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(summary))))


class WeightedPool(nn.Module):
    """Global pooling with a learned weight per channel and place: where a part of a character
    stands matters (部, 陪), and the mean forgets it."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, channels, side, side), 1.0 / side**2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight).sum((2, 3))
