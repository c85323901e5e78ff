"""Small vision transformer (Dosovitskiy et al. 2021): convolutions make an 8 × 8 grid of tokens of
a 64-pixel image (Xiao et al. 2021), pre-norm layers of self-attention follow.

Where it departs from the papers: a space-to-depth stem; no class token, but tokens that are widened
and pooled with a weight per place. The mean over them forgets places, and learns far more slowly.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from kakitori.learning.blocks import STEM, Head, convolution
from kakitori.learning.contract import Network, Outputs
from kakitori.running.params import Count

TOKEN = 2 * STEM  # pixels a side
FEATURES = 512
WIDER = 3  # how much wider the perceptrons are inside; the papers' 4 trains slower


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) over tokens (B, N, width).

    Written out: with torch's fused one a training step takes 40 % longer on a processor.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Shapes are numbers: converters lack what would compute them.
        count, width = int(x.shape[1]), self.out.in_features
        each = (
            part.reshape(-1, count, self.heads, width // self.heads).transpose(1, 2)
            for part in self.project(x).split(width, 2)
        )
        queries, keys, values = each  # (B, heads, N, width / heads) each
        queries = queries * (width // self.heads) ** -0.5
        attention = (queries @ keys.transpose(2, 3)).softmax(3)
        return self.out((attention @ values).transpose(1, 2).reshape(-1, count, width))


class Layer(nn.Module):
    """Attention and a perceptron, each after a norm and around it a way past, (B, N, width).

    drop : probability that a branch is left out for an image in a training step.
    """

    def __init__(self, width: int, heads: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.attention = nn.Sequential(nn.LayerNorm(width), Attention(width, heads))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, WIDER * width),
            nn.GELU(),
            nn.Linear(WIDER * width, width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self._sometimes(self.attention(x))
        return x + self._sometimes(self.perceptron(x))

    def _sometimes(self, branch: torch.Tensor) -> torch.Tensor:
        """Stochastic depth (Huang et al. 2016), right in the mean."""
        if not self.training or self.drop == 0:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop
        return branch * kept / (1 - self.drop)


class Places(nn.Module):
    """Add what a token's place means, learned, to a grid (B, width, side, side); interpolated for a
    grid of another side. (B, N, width), row by row."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, width, side, side))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        weight, shape = self.weight, tuple(map(int, grid.shape[-2:]))
        if shape != weight.shape[-2:]:
            weight = F.interpolate(weight, shape, mode="bilinear", align_corners=False)
        return (grid + weight).reshape(-1, weight.shape[1], shape[0] * shape[1]).transpose(1, 2)


class VisionTransformer(Network):
    def __init__(
        self, size: int, classes: int, width: int, heads: int, layers: int, drop: float
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(STEM),
            convolution(STEM**2, 64),
            convolution(64, 128),
            nn.MaxPool2d(2),
            convolution(128, width),
            nn.Conv2d(width, width, 1),
        )
        self.places = Places(width, size // TOKEN)
        drops = torch.linspace(0, drop, layers).tolist()
        self.layers = nn.Sequential(*[Layer(width, heads, d) for d in drops])
        # So that the branches together add no more than one would (Radford et al. 2019).
        for layer in self.layers:
            for last in (layer.attention[-1].out, layer.perceptron[-1]):
                last.weight.data /= (2 * layers) ** 0.5
        self.last = nn.LayerNorm(width)
        self.widen = convolution(width, FEATURES, 1)
        self.head = Head(FEATURES, size // TOKEN, classes)

    def forward(self, images: torch.Tensor) -> Outputs:
        grid = self.stem(images)
        tokens = self.last(self.layers(self.places(grid)))
        shape = [-1, *map(int, grid.shape[1:])]
        features, logits = self.head(self.widen(tokens.transpose(1, 2).reshape(shape)))
        return Outputs(logits, features)


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    width: Count = 192,
    heads: Count = 3,
    layers: Count = 4,
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> VisionTransformer:
    """The network for images of `size` pixels, a multiple of 8.

    width : numbers per token, shared out among the heads of the attention.
    layers : attention layers.
    stochastic_depth : probability that a branch of the last layer is left out for an image in a
        training step; rises from 0 in the first layer.
    """
    if width % heads:
        raise ValueError(f"heads: expected a divisor of the width, {width}, found {heads}")
    return VisionTransformer(size, len(classes), width, heads, layers, stochastic_depth)
