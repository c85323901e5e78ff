"""Convolutional network of the published shape: five stages of 32, 64, 128, 256 and 512 channels,
channel attention on the last three, global pooling and one linear layer.

Where it departs from the published one (archs/published.py): plain instead of depthwise-separable
convolutions behind a space-to-depth stem, which is the most accuracy per second of training, and a
pooling that knows places.
"""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from kakitori.archs.blocks import Head, encoder, fold_norm, fold_stem
from kakitori.archs.contract import Batch, Outputs, class_loss

CHANNELS = (32, 64, 128, 256, 512)


class CNN(nn.Module):
    def __init__(
        self, size: int, classes: int, reduction: int, dropout: float, noise: float
    ) -> None:
        super().__init__()
        self.encoder = encoder(CHANNELS, reduction)
        self.head = Head(CHANNELS[-1], size // 16, classes, dropout, noise)

    def forward(self, images: torch.Tensor) -> Outputs:
        features, logits = self.head(self.encoder(images))
        return Outputs(logits, features)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        return class_loss(outputs, batch)

    def deployed(self) -> "CNN":
        """An equal network for export: the norm is folded into the classifier, the stem into one
        strided convolution."""
        net = copy.deepcopy(self).eval()
        fold_norm(net.head.norm, net.head.classifier)
        net.head.norm = nn.Identity()
        fold_stem(net.encoder)
        return net


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    reduction: int = 8,
    dropout: float = 0.0,
    noise: float = 0.0,
) -> CNN:
    """The network for images of `size` pixels.

    reduction : of the channels inside the attention.
    dropout : share of the features that the classifier does not see in a training step.
    noise : deviation of the normal noise on them in a training step, against their own of 1.
    """
    if not (isinstance(reduction, int) and reduction >= 1):
        raise ValueError(f"reduction: expected a whole number from 1, found {reduction!r}")
    return CNN(size, len(classes), reduction, dropout, noise)
