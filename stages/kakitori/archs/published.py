"""The published CNN as a baseline: depthwise-separable convolutions (Howard et al. 2017) in five
stages of 32 to 512 channels with a pooling after each but the last, channel attention on the last
three, global average pooling, one linear layer; 1.74 M parameters at 3,036 classes.

`archs.published.train` has its method: Adam, a rate of 0.001 throughout, batches of 64, 30 epochs.
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from kakitori.archs.blocks import SqueezeExcite, convolution
from kakitori.archs.contract import Network, Outputs
from kakitori.archs.folding import folded

CHANNELS = (32, 64, 128, 256, 512)
# The published size leaves the attention no room for the usual 16.
REDUCTION = 128


class Published(Network):
    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage, (before, after) in enumerate(itertools.pairwise((1, *CHANNELS))):
            layers.append(separable(before, after))
            if stage < 4:
                layers.append(nn.MaxPool2d(2))
            if stage >= 2:
                layers.append(SqueezeExcite(after, REDUCTION))
        self.encoder = nn.Sequential(*layers)
        self.classifier = nn.Linear(CHANNELS[-1], classes)

    def forward(self, images: torch.Tensor) -> Outputs:
        features = F.adaptive_avg_pool2d(self.encoder(images), 1).squeeze(3).squeeze(2)
        return Outputs(self.classifier(features), features)

    def deployed(self) -> "Published":
        """An equal network whose first pooling comes before the channels that it pools."""
        net = folded(self)
        net.encoder[0], net.encoder[1] = _pooled_first(net.encoder[0]), nn.Identity()
        return net


def separable(channels_in: int, channels: int) -> nn.Sequential:
    """Depthwise-separable convolution, one norm after both halves."""
    depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
    return nn.Sequential(depthwise, convolution(channels_in, channels, kernel=1))


def _pooled_first(stage: nn.Sequential) -> nn.Sequential:
    """The first separable convolution and the pooling behind it, which its 32 channels need not see
    at all: each is a multiple of one map and a shift, and so largest where that map is largest, or
    smallest where the multiple is negative."""
    depthwise, (pointwise, norm, _) = stage
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    multiple = pointwise.weight * scale[:, None, None, None]
    map_and_negative = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    channels = nn.Conv2d(2, len(multiple), 1)
    with torch.no_grad():
        map_and_negative.weight.copy_(torch.cat([depthwise.weight, -depthwise.weight]))
        channels.weight.copy_(torch.cat([multiple.relu(), (-multiple).relu()], 1))
        channels.bias.copy_(norm.bias - norm.running_mean * scale)
    return nn.Sequential(map_and_negative, nn.MaxPool2d(2), channels, nn.ReLU())


def build(classes: Sequence[str], characters: object, size: int) -> Published:
    """The network for `classes`; images of any size from 16 pixels."""
    return Published(len(classes))
