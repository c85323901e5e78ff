"""Coarse to fine, with an early exit: most images are answered by the first half of the network.

Classes are put into groups of one size whose members share radicals. In the middle of the network
a small head says which group it is and, at a low rank, which class; the second half chooses among
all classes anew, but starts from the group: its logit of a class is the fine one plus the log
probability of the class's group (coarse and fine as in HD-CNN, Yan et al. 2015). Where the first
head is sure its answer stands, and an export leaves out the rest (BranchyNet, Teerapittayanon et
al. 2016).

Where it departs from them: the groups come from the table, not from a trained network's mistakes;
the fine logits are one linear layer over all classes and not one per group, so that a wrong group
can be put right; confidence is the top probability and not the entropy.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from kakitori.learning import contract
from kakitori.learning.blocks import CHANNELS, FINE, Head, encoder
from kakitori.learning.contract import Batch, Network, Stages, class_loss
from kakitori.learning.folding import folded
from kakitori.running.params import Count, Positive, Share

EXIT = FINE - 1  # layers of the encoder before the first head: two fifths of its work


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C); outside of training those of `quick` where these are sure
    features: torch.Tensor  # (B, D)
    quick: torch.Tensor  # (B, C), logits of the first head
    coarse: torch.Tensor  # (B, C), log probability of each class's group


class Handed(NamedTuple):
    """What the first stage answers, and what the rest goes on from."""

    quick: torch.Tensor  # (B, C)
    coarse: torch.Tensor  # (B, C)
    grid: torch.Tensor  # (B, channels[3], S/8, S/8)


class First(nn.Module):
    """Images (B, 1, S, S) to `Handed`."""

    def __init__(self, size: int, group: torch.Tensor, rank: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.layers = encoder(channels)[:EXIT]
        self.sizes = [int(group.max()) + 1, rank]
        self.head = Head(channels[3], size // 8, sum(self.sizes))
        self.classifier = nn.Linear(rank, len(group))
        # Kept with the weights: another machine's arithmetic may put a class elsewhere.
        self.register_buffer("group", group)

    def forward(self, images: torch.Tensor) -> Handed:
        grid = self.layers(images)
        _, looked = self.head(grid)
        groups, narrow = looked.split(self.sizes, 1)
        coarse = groups.log_softmax(1).index_select(1, self.group)
        return Handed(coarse + self.classifier(narrow), coarse, grid)


class Rest(nn.Module):
    """What `First` hands on, to logits and features."""

    def __init__(self, size: int, classes: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.layers = encoder(channels)[EXIT:]
        self.head = Head(channels[4], size // 16, classes)

    def forward(self, coarse: torch.Tensor, grid: torch.Tensor) -> contract.Outputs:
        features, fine = self.head(self.layers(grid))
        return contract.Outputs(coarse + fine, features)


class Cascade(Network):
    def __init__(
        self,
        group: np.ndarray,
        size: int,
        rank: int,
        threshold: float,
        weights: tuple[float, float],
        channels: Sequence[int] = CHANNELS,
    ) -> None:
        """group : int64 (C,), the group of each class, from 0.
        weights : of the quick answer and of the group in the loss.
        """
        super().__init__()
        self.first = First(size, torch.tensor(group), rank, channels)
        self.rest = Rest(size, len(group), channels)
        self.threshold, self.weights = threshold, weights

    def forward(self, images: torch.Tensor) -> Outputs:
        quick, coarse, grid = self.first(images)
        logits, features = self.rest(coarse, grid)
        if not self.training:
            sure = quick.softmax(1).amax(1, keepdim=True) >= self.threshold
            logits = torch.where(sure, quick, logits)
        return Outputs(logits, features, quick, coarse)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        # Unsmoothed: probabilities that decide who goes on must mean what they say.
        plain = batch._replace(label_smoothing=0.0)
        quick, coarse = (
            class_loss(outputs._replace(logits=logits), plain)
            # Over classes: that of the groups and a constant, since these are of one size.
            for logits in (outputs.quick, outputs.coarse)
        )
        return class_loss(outputs, batch) + self.weights[0] * quick + self.weights[1] * coarse

    def staged(self) -> Stages:
        return Stages(folded(self.first), folded(self.rest), self.threshold)

    def plain(self) -> nn.Module:
        """The same answers without a branch, which converters do not take: both halves always run,
        and whether the first is sure is 0 or 1 by arithmetic."""
        return Both(folded(self.first), folded(self.rest), self.threshold)


class Both(nn.Module):
    """A cascade's two halves as one, by sums and products alone."""

    def __init__(self, first: First, rest: Rest, threshold: float) -> None:
        super().__init__()
        self.first, self.rest, self.threshold = first, rest, threshold
        self.register_buffer("spread", F.one_hot(first.group).T.float())  # instead of a look-up

    def forward(self, images: torch.Tensor) -> contract.Outputs:
        grid = self.first.layers(images)
        _, looked = self.first.head(grid)
        groups, narrow = looked.split(self.first.sizes, 1)
        coarse = (groups - log_sum(groups)) @ self.spread
        quick = coarse + self.first.classifier(narrow)
        logits, features = self.rest(coarse, grid)
        # 0 below the threshold, even in the last digit of a float32.
        above = ((quick.softmax(1) - self.threshold) * 2.0**24 + 1).clamp(0, 1)
        sure = above.sum(1, keepdim=True).clamp(0, 1)
        return contract.Outputs(sure * quick + (1 - sure) * logits, features)


def log_sum(x: torch.Tensor) -> torch.Tensor:
    """The logarithm of the sum of exponentials, (B, N) to (B, 1), two halves at a time."""
    while (count := int(x.shape[1])) > 1:
        half, other, *odd = x.split([count // 2, count // 2, 1][: 2 + count % 2], 1)
        x = torch.cat([half + F.softplus(other - half), *odd], 1)
    return x


def groups_of(radicals: Sequence[Sequence[str]], count: int) -> np.ndarray:
    """Groups of characters that share radicals, int64 (C,), from 0; their sizes differ by one at
    most.

    Characters are halved along the direction in which their sets of radicals differ most, and the
    halves again (principal direction divisive partitioning, Boley 1998).
    """
    columns = {radical: k for k, radical in enumerate(sorted(set().union(*radicals)))}
    codes = np.zeros((len(radicals), len(columns)))
    for code, parts in zip(codes, radicals, strict=True):
        code[[columns[radical] for radical in parts]] = 1
    group = np.zeros(len(radicals), np.int64)

    def divide(members: np.ndarray, first: int, count: int) -> None:
        group[members] = first
        if count == 1:
            return
        centred = codes[members] - codes[members].mean(0)
        direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
        direction *= np.sign(direction[np.abs(direction).argmax()])
        # Rounded, so that equal characters stay in their order whatever the arithmetic.
        order = members[np.argsort((centred @ direction).round(6), kind="stable")]
        cut = round(len(members) * (count // 2) / count)
        divide(order[:cut], first, count // 2)
        divide(order[cut:], first + count // 2, count - count // 2)

    divide(np.arange(len(radicals)), 0, count)
    return group


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    groups: Annotated[int, Field(ge=2)] = 64,
    rank: Count = 64,
    threshold: Share = 0.9,
    quick: Positive = 0.5,
    coarse: Positive = 0.25,
) -> Cascade:
    """The network for images of `size` pixels.

    groups : how many the classes are put into, at most one for each.
    rank : of the first head's own answer.
    threshold : how probable the first head's best answer has to be to stand, 0 to 1.
    quick, coarse : weights of the first head's classes and of the groups in the loss.
    """
    radicals = characters.set_index("character").loc[list(classes), "radicals"]
    group = groups_of(list(radicals), min(groups, len(classes)))
    return Cascade(group, size, rank, threshold, (quick, coarse))
