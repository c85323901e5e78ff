"""Classes by their codes: HierCode (Zhang et al. 2024, arXiv 2403.13761).

The network says of every column of a codebook (radicals.py: a radical is there, stands at a
place) how much the image speaks for it, and a class scores the sum over the columns of its code. So
classes share their weights, the classifier costs a few numbers a class instead of a row of weights,
and a class that no training image showed is read by its code alone.

Where it departs from the paper. Similarity is not a cosine (with `prototypes` nearly: the class is
then a direction, that of the sum of its columns' vectors) but the log likelihood ratio of a code
whose columns are independent: what the image says beyond how common a column is. What no trained
class has, the image says nothing about, and an unknown class scores by the rest of its code. Where
there is no tree, KRADFILE's set of radicals is completed by what the strokes tell: how the
character falls into halves, and how many strokes each has. Every code goes down to the strokes,
and says how many there are of each type, so that fewer codes coincide and all are further apart.
Classes whose codes do coincide have a column of their own each, the first excepted, instead of
sharing those of the codebook.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.blocks import Head, encoder
from kakitori.learning.contract import Batch, Network, class_loss
from kakitori.learning.folding import folded
from kakitori.reading.characters.radicals import Component, codebook
from kakitori.reading.characters.strokes import halves
from kakitori.running.params import NotNegative

CHANNELS = (40, 80, 96, 192, 320)
SCALE = 1.0  # logarithm of what similarities to prototypes are multiplied by, to begin with
MOST = 6  # strokes of a type that are told apart


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, D)
    evidence: torch.Tensor  # (B, columns), log likelihood ratio of each


class Codes:
    """The codes of all characters of a table.

    columns : names of those columns that at least one trained class has.
    of : character → numbers of its columns, in order, but those that no trained class has.
    collisions : groups of characters that nothing tells apart, columns of a class's own excepted;
        those among them that are not trained cannot be read.
    """

    def __init__(self, classes: Sequence[str], characters: pd.DataFrame) -> None:
        names = list(characters["character"])
        book = codebook([_decomposition(row) for row in characters.itertuples()])
        own = [column[:1] == "#" and column[1:].isdigit() for column in book.columns]
        facts = {
            name: {book.columns[k] for k in np.flatnonzero(code) if not own[k]} | _counts(types)
            for name, code, types in zip(names, book.codes, characters["stroke_types"], strict=True)
        }
        known = set().union(*(facts[name] for name in classes))
        facts = {name: frozenset(columns & known) for name, columns in facts.items()}

        same: dict[frozenset[str], list[str]] = {}
        for name, columns in facts.items():
            same.setdefault(columns, []).append(name)
        self.collisions = tuple(tuple(group) for group in same.values() if len(group) > 1)
        trained = set(classes)
        for group in self.collisions:
            for name in [name for name in group if name in trained][1:]:
                facts[name] |= {f"#{name}"}
        self.columns = sorted(set().union(*(facts[name] for name in classes)))
        number = {column: k for k, column in enumerate(self.columns)}
        self.of = {name: sorted(number[f] for f in columns) for name, columns in facts.items()}

    def matrix(self, characters: Sequence[str]) -> torch.Tensor:
        """Float (characters, columns), 0 and 1."""
        codes = torch.zeros(len(characters), len(self.columns))
        for code, character in zip(codes, characters, strict=True):
            code[self.of[character]] = 1
        return codes


def _decomposition(row) -> Component | set[str]:
    if row.decomposition:
        return Component.from_json(row.decomposition)
    return {*row.radicals, *_layout(row)}


def _counts(types: Sequence[str]) -> set[str]:
    """How many strokes of each type there are."""
    return {f"{symbol}{min(count, MOST)}" for symbol, count in Counter(types).items()}


def _layout(row) -> set[str]:
    """What the strokes tell of a character's arrangement."""
    if not len(row.strokes):  # nobody knows them
        return set()
    sides = halves([np.reshape(stroke, (-1, 2)) for stroke in row.strokes])
    if max(sides) < 0:
        return {f"strokes:{len(sides)}"}
    sign, first = ("⿰", sides.count(0)) if max(sides) < 2 else ("⿱", sides.count(2))
    return {sign, f"{sign}0:{first}", f"{sign}1:{len(sides) - first}"}


class Dense(nn.Module):
    """Sums over the codes of classes, evidence (B, columns) to (B, C), by a matrix."""

    def __init__(self, codes: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes, persistent=False)

    def forward(self, evidence: torch.Tensor) -> torch.Tensor:
        return evidence @ self.codes.T


class Factors(nn.Module):
    """What these sums are multiplied by, (C,) or a number.

    prototypes : whether by the inverse length of the class's prototype, which is the sum of the
        vectors (columns, D) of its code, so that classes are compared as directions.
    """

    def __init__(self, prototypes: bool) -> None:
        super().__init__()
        self.prototypes = prototypes
        # Logarithm: columns are not independent.
        self.scale = nn.Parameter(torch.full((), SCALE if prototypes else 0.0))

    def of(self, codes: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        if not self.prototypes:
            return self.scale.exp()
        return self.scale.exp() / (codes @ vectors).float().norm(dim=1).clamp(min=1e-6)


class Sparse(nn.Module):
    """The same by the numbers of their columns, for files: a matrix would take most of the bytes.

    The last column of the evidence has to be zero.

    factors : what each sum is multiplied by, (C,), where it is not part of the evidence.
    """

    def __init__(self, codes: torch.Tensor, factors: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("factors", factors, persistent=False)
        rows = [row.nonzero()[:, 0] for row in codes]
        most = max(len(row) for row in rows)
        padded = [F.pad(row, (0, most - len(row)), value=codes.shape[1]) for row in rows]
        self.register_buffer("numbers", torch.stack(padded, 1).int(), persistent=False)

    def forward(self, evidence: torch.Tensor) -> torch.Tensor:
        # Looked up as an embedding is, since its numbers stay of 32 bits in a file.
        scores = F.embedding(self.numbers, evidence.T).sum(0).T
        return scores if self.factors is None else scores * self.factors


class HierCode(Network):
    def __init__(
        self,
        codes: Codes,
        classes: Sequence[str],
        size: int,
        bits: float,
        prototypes: bool,
        channels: Sequence[int] = CHANNELS,
    ) -> None:
        """bits : weight of the code's columns in the loss."""
        super().__init__()
        self.codes, self.bits = codes, bits
        matrix = codes.matrix(classes)
        self.encoder = encoder(channels)
        self.head = Head(channels[-1], size // 16, len(codes.columns))
        self.scores: nn.Module = Dense(matrix)
        self.factors: Factors | None = Factors(prototypes)
        self.fixed: torch.Tensor | None = None
        rare = 0.5 / len(classes)
        common = matrix.mean(0).clamp(rare, 1 - rare)
        self.register_buffer("prior", common.logit(), persistent=False)

    def train(self, mode: bool = True) -> "HierCode":
        super().train(mode)
        with torch.no_grad():  # while nothing learns they stay as they are
            self.fixed = None if mode or self.factors is None else self._factors()
        return self

    def _factors(self) -> torch.Tensor:
        return self.factors.of(self.scores.codes, self.head.classifier.weight)

    @property
    def collisions(self) -> tuple[tuple[str, ...], ...]:
        """Groups of the table's characters whose codes coincide."""
        return self.codes.collisions

    def forward(self, images: torch.Tensor) -> Outputs:
        features, evidence = self.head(self.encoder(images))
        logits = self.scores(evidence)
        if self.factors is not None:
            logits = logits * (self._factors() if self.fixed is None else self.fixed)
        return Outputs(logits, features, evidence)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        described = batch.pure() & (batch.labels >= 0)
        wrong = F.binary_cross_entropy_with_logits(
            outputs.evidence.float() + self.prior,
            self.scores.codes[batch.labels.clamp(min=0)],
            reduction="none",
        ).sum(1)
        bits = (wrong * described).sum() / described.sum().clamp(min=1)
        return class_loss(outputs, batch) + self.bits * bits

    def answering(self, characters: Sequence[str]) -> "HierCode":
        """A copy whose logits are those of `characters`, trained or not, by their codes alone.

        Raises ValueError for characters that the table does not have.
        """
        strange = [c for c in characters if c not in self.codes.of]
        if strange:
            raise ValueError(
                f"characters: expected those of the table, found {', '.join(strange[:9])}"
            )
        net = copy.deepcopy(self)
        net.scores.codes = self.codes.matrix(characters).to(self.scores.codes)
        return net.train(net.training)

    def deployed(self) -> "HierCode":
        """An equal network for export: codes are sparse, and the scale of the scores, where it is
        one for all, is part of the head."""
        net = folded(self)
        old = net.head.classifier
        net.head.classifier = nn.Linear(old.in_features, old.out_features + 1)
        with torch.no_grad():
            factors = self._factors()
            scale = 1.0 if self.factors.prototypes else factors
            net.head.classifier.weight.copy_(F.pad(old.weight * scale, (0, 0, 0, 1)))
            net.head.classifier.bias.copy_(F.pad(old.bias * scale, (0, 1)))
        net.scores = Sparse(self.scores.codes, factors if self.factors.prototypes else None)
        net.factors = None
        return net

    def plain(self) -> "HierCode":
        """The same with codes as the weights of a layer: converters have no table to look up in."""
        net = self.deployed()
        codes = F.pad(self.scores.codes, (0, 1))  # the last column of the evidence is zero
        if net.scores.factors is not None:
            codes = codes * net.scores.factors[:, None]
        net.scores = nn.Linear(codes.shape[1], len(codes), bias=False)
        net.scores.weight = nn.Parameter(codes)
        return net


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    bits: NotNegative = 0.1,
    prototypes: bool = False,
) -> HierCode:
    """The network for images of `size` pixels.

    bits : weight of the code's columns, each by itself, in the loss.
    prototypes : whether classes are compared as directions, their prototypes of length one.
    """
    return HierCode(Codes(classes, characters), classes, size, bits, prototypes)
