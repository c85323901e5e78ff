"""The published CNN as a baseline: five depthwise-separable convolutions (Howard et al. 2017) of 32
to 512 channels, four of them with a stride of 2, channel attention (Hu et al. 2018) behind the last
three, global average pooling and two linear layers; 3,863,655 parameters at 3,036 classes.

It is the network of scripts/train_cnn_model.py in github.com/paazmaya/tsujimoto, whose card says
15 MB and 97.18 % on ETL9G divided by samples. `archs.published.train` has its method: AdamW, a rate
that falls along a cosine from 0.001, batches of 64, 30 epochs, a little noise on the images.

What cannot be known: the card counts 1,735,527 parameters, which are exactly those of four blocks
up to 256 channels, no attention and a hidden layer of 512, and 7 MB; so the count is of an earlier
network, or the 15 MB of a later one. The last rate that the card tells, 2.54e-05, is the 28th of a
cosine over 30 epochs.
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.blocks import Convolution
from kakitori.learning.contract import Network, Outputs

CHANNELS = (32, 64, 128, 256, 512)
STRIDES = (2, 2, 2, 2, 1)
REDUCTIONS = (0, 0, 8, 16, 16)  # of the channels inside each block's attention; 0 for none
HIDDEN = 1024  # as the script has it for any number of classes up to 20,480


class Published(Network):
    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        shapes = zip(itertools.pairwise((1, *CHANNELS)), STRIDES, REDUCTIONS, strict=True)
        for (before, after), stride, reduction in shapes:
            layers.append(separable(before, after, stride))
            if reduction:
                layers.append(ChannelAttention(after, reduction))
        self.encoder = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(CHANNELS[-1], HIDDEN), nn.ReLU(), nn.Dropout(0.2)
        )
        self.classifier = nn.Linear(HIDDEN, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        for layer in (self.hidden[1], self.classifier):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, images: torch.Tensor) -> Outputs:
        pooled = F.adaptive_avg_pool2d(self.encoder(images), 1).squeeze(3).squeeze(2)
        features = self.hidden(pooled)
        return Outputs(self.classifier(features), features)


def separable(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    """Depthwise convolution and pointwise convolution, a norm and a ReLU behind each."""
    depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False)
    return nn.Sequential(
        depthwise,
        nn.BatchNorm2d(channels_in),
        nn.ReLU(inplace=True),
        Convolution(channels_in, channels, 1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class ChannelAttention(nn.Module):
    """Channel attention as in the paper, without biases."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.excite = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        summary = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(summary))))


def build(classes: Sequence[str], characters: object, size: int) -> Published:
    """The network for `classes`; images of any size from 16 pixels."""
    return Published(len(classes))
