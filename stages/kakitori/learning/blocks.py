"""Layers that architectures share."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.contract import Network, Outputs

STEM = 4  # pixels a side that space-to-depth folds into channels
SMALL = 8  # pixels a side up to which images are set side by side
ROWS = 4  # of images that are
CHANNELS = (32, 64, 128, 256, 512)  # of the five stages, as published


class Convolution(nn.Conv2d):
    """Convolution without bias, `same` padding. While it trains on a processor it sets small images
    side by side, blank columns between them, for the same numbers in half the time: oneDNN goes row
    by row, and rows of 4 pixels leave most of a tile of the matrix unit empty."""

    def __init__(self, channels_in: int, channels: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(channels_in, channels, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        small = -(-x.shape[3] // self.stride[1]) <= SMALL and self.kernel_size[0] == 3
        if not (self.training and x.device.type == "cpu" and small):
            return super().forward(x)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            x, weight = (t.to(torch.get_autocast_dtype("cpu")) for t in (x, weight))
        return _SideBySide.apply(x, weight, self.stride[0])


class _SideBySide(torch.autograd.Function):
    """A convolution of 3 × 3 whose images lie in a few wide ones, one beside the other."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: torch.Tensor, weight: torch.Tensor, stride: int
    ) -> torch.Tensor:
        ctx.stride, ctx.shape = stride, x.shape
        # A blank column at least, and strides keep in step.
        ctx.period = -(-x.shape[3] // stride) + 1
        wide = _beside(x, ctx.period * stride)
        ctx.save_for_backward(wide, weight)
        y = F.conv2d(wide, weight, stride=stride, padding=1)
        return _apart(y, len(x), ctx.period, ctx.period - 1)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        wide, weight = ctx.saved_tensors
        shape = [ctx.stride] * 2, [1, 1], [1, 1], False, [0], 1
        wanted = [*ctx.needs_input_grad[:2], False]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            _beside(gradient, ctx.period), wide, weight, None, *shape, wanted
        )
        count, _, _, width = ctx.shape
        if of_x is not None:
            of_x = _apart(of_x, count, ctx.period * ctx.stride, width)
        return of_x, of_weight, None


def _beside(x: torch.Tensor, period: int) -> torch.Tensor:
    """Images (N, C, H, W) as wide ones (R, C, H, N / R · period), each with blank columns after it;
    channels last in memory, as is what `_apart` gives back."""
    count, channels, height, width = x.shape
    rows = math.gcd(count, ROWS)
    wide = x.new_zeros(rows, height, count // rows, period, channels)
    images = x.permute(0, 2, 3, 1).reshape(rows, count // rows, height, width, channels)
    wide[:, :, :, :width] = images.transpose(1, 2)
    return wide.flatten(2, 3).permute(0, 3, 1, 2)


def _apart(wide: torch.Tensor, count: int, period: int, width: int) -> torch.Tensor:
    """The first `width` columns of each image, (N, C, H, width)."""
    y = wide.permute(0, 2, 3, 1).unflatten(2, (-1, period))[:, :, :, :width].transpose(1, 2)
    return y.reshape(count, *y.shape[2:]).contiguous().permute(0, 3, 1, 2)


def convolution(channels_in: int, channels: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch-norm (Ioffe and Szegedy 2015), ReLU; `same` padding."""
    return nn.Sequential(
        Convolution(channels_in, channels, kernel),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class SqueezeExcite(nn.Module):
    """Channel attention (Hu et al. 2018) with the hard sigmoid of MobileNetV3."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 2)  # a single one can be dead from the start
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:  # the same in the order of the memory: its gradients take half the time
            places = x.permute(0, 2, 3, 1).flatten(1, 2)
            gate = self._gate(places.mean(1)[:, :, None, None]).flatten(1)
            return (places * gate[:, None]).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
        return x * self._gate(F.adaptive_avg_pool2d(x, 1))

    def _gate(self, summary: torch.Tensor) -> torch.Tensor:
        return F.hardsigmoid(self.excite(F.relu(self.squeeze(summary))))


def encoder(channels: Sequence[int], reduction: int = 8) -> nn.Sequential:
    """Plain 3 × 3 convolutions in five stages behind a space-to-depth stem, which does the work of
    a first stage on a quarter of the side; channel attention on the last three.

    (B, 1, S, S) to (B, channels[3], S/8, S/8) after the first `FINE` layers and to
    (B, channels[4], S/16, S/16) after all.
    """
    c1, c2, c3, c4, c5 = channels
    return nn.Sequential(
        nn.PixelUnshuffle(STEM),
        convolution(STEM**2, c1),
        convolution(c1, c2),
        convolution(c2, c3),
        nn.MaxPool2d(2),
        SqueezeExcite(c3, reduction),
        convolution(c3, c4),
        convolution(c4, c4),
        nn.MaxPool2d(2),
        SqueezeExcite(c4, reduction),
        convolution(c4, c5),
        SqueezeExcite(c5, reduction),
    )


FINE = 8  # layers of `encoder` before its last pooling


class WeightedPool(nn.Module):
    """Global pooling with a learned weight per channel and place: where a part of a character
    stands matters (部, 陪), and the mean forgets it. Of a grid of another side than `side` the
    weights are interpolated."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, channels, side, side), 1.0 / side**2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, side = self.weight, self.weight.shape[-1]
        if x.shape[-1] != side:
            resized = F.interpolate(weight, x.shape[-2:], mode="bilinear", align_corners=False)
            weight = resized * (side / x.shape[-1]) ** 2
        if self.training:  # the same in the order of the memory: its gradients take half the time
            x, weight = (t.permute(0, 2, 3, 1).flatten(1, 2) for t in (x, weight))
            return (x * weight).sum(1)
        return (x * weight).sum((2, 3))


class Head(nn.Module):
    """From a grid (B, channels, side, side) to features (B, channels) and logits (B, classes):
    weighted pooling, batch-norm, dropout and one linear layer.

    Pooled features are small; without the norm the classifier learns far more slowly.

    rank : numbers between features and classes (Sainath et al. 2013): two thin matrices instead of
        a large one, which holds most of a small network's bytes; 0 for the large one.
    noise : deviation of a normal noise on the normed features in a training step, against features
        that only one writer has (Li et al. 2021, feature-space noise for domain generalisation).
    """

    def __init__(
        self,
        channels: int,
        side: int,
        classes: int,
        dropout: float = 0.0,
        noise: float = 0.0,
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.noise = noise
        self.pool = WeightedPool(channels, side)
        self.norm: nn.Module = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)
        self.reduce = nn.Linear(channels, rank) if rank else None
        self.classifier = nn.Linear(rank or channels, classes)

    def forward(self, grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.norm(self.pool(grid))
        seen = self.dropout(features)
        if self.training and self.noise:
            seen = seen + self.noise * torch.randn_like(seen)
        if self.reduce is not None:
            seen = self.reduce(seen)
        return features, self.classifier(seen)


class Classifier(Network):
    """An encoder, from images to a grid, and the head that reads it; it learns the class alone."""

    def __init__(self, encoder: nn.Module, head: Head) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, images: torch.Tensor) -> Outputs:
        features, logits = self.head(self.encoder(images))
        return Outputs(logits, features)
