"""A compact network shaped for whole numbers, trained with its rounding (Jacob et al. 2018).

Everything in it is a convolution, a ReLU or a pooling, which INT8 runs without a way back to
floating point; attention, whose multiplications break that path, is left out. `train.qat` of
`archs.integral` rounds weights and activations in the last part of training (learning/qat.py), so
that the INT8 export loses next to nothing.

Where it departs from the paper: the ranges of activations are running extremes instead of running
means of them, and batch-norms are folded at export alone, which per-channel scales allow.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from kakitori.learning.blocks import STEM, Classifier, Head, convolution
from kakitori.learning.folding import folded


class Squeeze(nn.Module):
    """(B, C, 1, 1) to (B, C), by an operator that all converters take."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.squeeze(3).squeeze(2)


class Integral(Classifier):
    def __init__(self, size: int, classes: int, width: int) -> None:
        c1, c2, c3, c4 = width // 4, width // 2, 3 * width // 4, width
        encoder = nn.Sequential(
            nn.PixelUnshuffle(STEM),
            convolution(STEM**2, c1),
            convolution(c1, c2),
            convolution(c2, c2),
            nn.MaxPool2d(2),
            convolution(c2, c3),
            convolution(c3, c3),
            nn.MaxPool2d(2),
            convolution(c3, c4),
        )
        super().__init__(encoder, Head(c4, size // 16, classes))

    def deployed(self) -> "Integral":
        """An equal network for export, whose pooling is the depthwise convolution that it amounts
        to."""
        net = folded(self)
        weight = net.head.pool.weight.detach().transpose(0, 1)
        channels, _, side, _ = weight.shape
        pool = nn.Conv2d(channels, channels, side, groups=channels, bias=False)
        pool.weight = nn.Parameter(weight.contiguous())
        net.head.pool = nn.Sequential(pool, Squeeze())
        return net


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    width: Annotated[int, Field(ge=16, multiple_of=16)] = 256,
) -> Integral:
    """The network for images of `size` pixels.

    width : channels of the last stage; the earlier ones have a quarter, half and three quarters.
    """
    return Integral(size, len(classes), width)
