"""Capsules (Sabour et al. 2017): every place of a small convolutional grid is a primary capsule,
every radical of KRADFILE a capsule above, whose length says whether the radical is there and whose
direction how it is written and where; one linear layer reads the characters off all of them.
Capsules are of radicals alone, none of characters, and nothing reconstructs the image.

Where it departs from the paper, so that 250 capsules above 64 places cost as much as a convolution:

- A vote depends on what a primary capsule holds and where it is (coordinate addition, as in Hinton
  et al. 2018), through one matrix per radical for all places. A sum of votes is then the vote of a
  sum, and no vote is ever formed: 266 × 64 couplings an image instead of eight times as many votes.
- Couplings begin with what each radical expects of its parts, learned (the self-routing of Hahn et
  al. 2019); agreement with the pose of the round before adds to that, by a learned gain. On small
  tasks the expectation did nearly all of the work, and agreement alone was hardly better than none.
- Radicals of one class alone, such as kana, have no capsule of their own; what tells those apart is
  left to a few capsules that nothing supervises.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.blocks import CHANNELS, FINE, encoder
from kakitori.learning.contract import Batch, Network, class_loss
from kakitori.running.params import Count, NotNegative

WIDTH = 32  # of what a primary capsule holds
FREE = 16  # capsules without a radical
PRESENT, AWAY = 0.9, 0.1  # lengths that the margin loss asks for
PATIENCE = 0.5  # weight of radicals that are not there, of which there are many


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, D)
    radicals: torch.Tensor  # (B, R), lengths in [0, 1): whether each of `names` is there


class Routing(nn.Module):
    """From primary capsules (B, places, width) to poses (B, capsules, pose) of at most length 1.

    iterations : how often poses are computed; at 1 every primary capsule counts as much for all.
    """

    def __init__(self, width: int, capsules: int, pose: int, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self.vote = nn.Parameter(torch.randn(capsules, width, pose) * width**-0.5)
        self.expected = nn.Parameter(torch.randn(capsules, width) * width**-0.5)
        self.gain = nn.Parameter(torch.zeros(capsules, 1))

    def forward(self, primary: torch.Tensor) -> torch.Tensor:
        # Products of matrices alone, which all converters know; capsules first, (J, B, …).
        fits = primary @ self.expected.T
        routed = primary.mean(1)[None]  # of uniform couplings
        for _ in range(self.iterations - 1):
            sought = self._poses(routed) @ (self.vote * self.gain[..., None]).transpose(1, 2)
            agreement = fits + primary @ sought.permute(1, 2, 0)
            # A mean, for sums of small numbers.
            coupling = agreement.softmax(2) * (len(self.vote) / int(primary.shape[1]))
            routed = (coupling.transpose(1, 2) @ primary).transpose(0, 1)
        return self._poses(routed).transpose(0, 1)

    def _poses(self, routed: torch.Tensor) -> torch.Tensor:
        return squash(routed @ self.vote)


class Capsules(Network):
    exported = ("logits", "radicals")

    def __init__(
        self,
        encoder: nn.Module,
        channels: int,
        radicals: np.ndarray,
        iterations: int,
        pose: int,
        weight: float,
    ) -> None:
        """encoder : (B, 1, S, S) to (B, channels, h, w).
        radicals : bool (C, R), which radicals each class has.
        """
        super().__init__()
        classes, count = radicals.shape
        self.weight = weight
        self.register_buffer("has", torch.from_numpy(radicals).float(), persistent=False)
        self.encoder = encoder
        self.primary = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH)
        )
        self.routing = Routing(WIDTH + 3, count + FREE, pose, iterations)
        self.norm: nn.Module = nn.BatchNorm1d((count + FREE) * pose)
        self.classifier = nn.Linear((count + FREE) * pose, classes)

    def forward(self, images: torch.Tensor) -> Outputs:
        grid = self.primary(self.encoder(images))
        y, x = (torch.linspace(-1, 1, int(n), device=grid.device) for n in grid.shape[-2:])
        where = torch.stack([*torch.meshgrid(x, y, indexing="xy"), torch.ones_like(x * y[:, None])])
        # For every image: added to nothing, since not all converters know how to expand.
        where = where.to(grid.dtype) + 0 * grid[:, :3]
        places = torch.cat([grid, where], 1).reshape(-1, WIDTH + 3, len(x) * len(y))
        poses = self.routing(places.transpose(1, 2))
        features = self.norm(poses.reshape(-1, self.classifier.in_features))
        lengths = poses[:, : self.has.shape[1]].float().square().sum(2).add(1e-8).sqrt()
        return Outputs(self.classifier(features), features, lengths)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        known = batch.pure() & (batch.labels >= 0)
        has = self.has[batch.labels.clamp(min=0)]
        short = F.relu(PRESENT - outputs.radicals).square()
        long = F.relu(outputs.radicals - AWAY).square()
        margin = (has * short + PATIENCE * (1 - has) * long).sum(1)
        margin = (margin * known).sum() / known.sum().clamp(min=1)
        return class_loss(outputs, batch) + self.weight * margin


def squash(poses: torch.Tensor) -> torch.Tensor:
    """Vectors of the same directions and of lengths n² / (1 + n²)."""
    square = poses.square().sum(-1, keepdim=True)
    return poses * (square + 1e-8).sqrt() / (1 + square)


def vocabulary(radicals: Sequence[Sequence[str]]) -> list[str]:
    """The radicals that two classes or more have, by code point; `radicals` is a list per class."""
    counts = pd.Series([r for own in radicals for r in set(own)], dtype=str).value_counts()
    return sorted(counts.index[counts >= 2])


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    iterations: Count = 2,
    pose: Count = 8,
    radicals: NotNegative = 1.0,
) -> Capsules:
    """The network for images of any size from 16 pixels.

    iterations : rounds of routing; 1 leaves it out.
    pose : numbers that describe how a radical is written.
    radicals : weight of the margin loss on radicals, beside 1 for that on classes.
    """
    lists = characters.set_index("character").loc[list(classes), "radicals"]
    names = vocabulary(lists)
    has = np.array([[name in own for name in names] for own in lists], bool)
    has = has.reshape(len(lists), len(names))  # among kana alone none is shared
    net = Capsules(encoder(CHANNELS)[:FINE], CHANNELS[3], has, iterations, pose, radicals)
    net.names = names
    return net
