"""Convolutional network of the published shape: five stages, channel attention on the last three.

The stages have 32, 64, 128, 256 and 512 channels; global pooling and one linear layer follow.
`block` chooses what is inside a stage:

conv       plain 3×3 convolutions behind a space-to-depth stem, which does the work of the first
           stage on a quarter of the side: the most accuracy per second of training.
separable  depthwise-separable convolutions with a pooling after each stage but the last, as
           published.
"""

import copy
import itertools
from collections.abc import Sequence

import torch
from torch import nn

from kakitori.archs.blocks import SqueezeExcite, WeightedPool, convolution, separable
from kakitori.archs.contract import Batch, Outputs, class_loss

CHANNELS = (32, 64, 128, 256, 512)
STEM = 4  # pixels a side that space-to-depth folds into channels


class CNN(nn.Module):
    def __init__(
        self, features: nn.Sequential, pool: nn.Module, norm: nn.Module, classes: int
    ) -> None:
        super().__init__()
        self.features, self.pool, self.norm = features, pool, norm
        self.classifier = nn.Linear(CHANNELS[-1], classes)

    def forward(self, images: torch.Tensor) -> Outputs:
        return Outputs(self.classifier(self.norm(self.pool(self.features(images)))))

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        return class_loss(outputs, batch)

    def deployed(self) -> "CNN":
        """An equal network for export: the norm is folded into the classifier, the stem's
        space-to-depth and its convolution into one strided convolution on the image itself."""
        net = copy.deepcopy(self).eval()
        if isinstance(net.norm, nn.BatchNorm1d):
            scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
            shift = net.norm.bias - net.norm.running_mean * scale
            with torch.no_grad():
                net.classifier.bias += net.classifier.weight @ shift
                net.classifier.weight *= scale
            net.norm = nn.Identity()
        if isinstance(net.features[0], nn.PixelUnshuffle):
            r = net.features[0].downscale_factor
            folded = net.features[1][0]
            out, _, k, _ = folded.weight.shape
            strided = nn.Conv2d(1, out, k * r, r, k // 2 * r, bias=False)
            # Channel r·i + j of space-to-depth is the pixel (i, j) of each r × r cell.
            weight = folded.weight.view(out, r, r, k, k).permute(0, 3, 1, 4, 2)
            strided.weight = nn.Parameter(weight.reshape(out, 1, k * r, k * r).contiguous())
            net.features[1][0] = strided
            net.features[0] = nn.Identity()
        return net


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    block: str = "conv",
    reduction: int | None = None,
) -> CNN:
    """The network for images of `size` pixels; ValueError for an unknown block.

    reduction : of the channels inside the attention; by default 8, and 128 in the separable
        network, whose published 1.74 M parameters leave no room for more.
    """
    if reduction is not None and not (isinstance(reduction, int) and reduction >= 1):
        raise ValueError(f"reduction: expected a whole number from 1, found {reduction!r}")
    c1, c2, c3, c4, c5 = CHANNELS
    if block == "conv":
        reduction = reduction or 8
        features = nn.Sequential(
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
        # Pooled features are small; without a norm the classifier learns far more slowly.
        return CNN(features, WeightedPool(c5, size // 16), nn.BatchNorm1d(c5), len(classes))
    if block == "separable":
        layers: list[nn.Module] = []
        for stage, (before, after) in enumerate(itertools.pairwise((1, *CHANNELS))):
            layers.append(separable(before, after))
            if stage < 4:
                layers.append(nn.MaxPool2d(2))
            if stage >= 2:
                layers.append(SqueezeExcite(after, reduction or 128))
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return CNN(nn.Sequential(*layers), pool, nn.Identity(), len(classes))
    raise ValueError(f"block: expected conv or separable, found {block!r}")
