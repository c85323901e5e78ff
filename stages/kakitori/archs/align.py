"""Images and descriptions of characters in one space: an image shows the character whose
description is nearest to it, one that was trained or another. After Hi-GITA (Zhu et al. 2025, arXiv
2505.24837): encoders of several granularities on both sides, aligned by contrast at each.

A character's description are its strokes, each of a type and with a course, and its components,
each with a name and a box (learning/descriptions.py). Image and description meet at three levels:
strokes, which the image shows on a finer grid too, radicals, and the whole.

Where it departs from Hi-GITA. Strokes and components are sets with places, read by deep sets
(Zaheer et al. 2017), instead of sequences by transformers: where a part stands need not be guessed
from an order. And an image is contrasted with the descriptions of all classes, not of its batch.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import torch
from torch import nn

from kakitori.learning import descriptions
from kakitori.learning.blocks import CHANNELS, FINE, WeightedPool, encoder
from kakitori.learning.contract import Batch, Encoder, Network, class_loss
from kakitori.learning.descriptions import POINTS, UNKNOWN, Description, Tokens
from kakitori.learning.folding import folded
from kakitori.reading.characters.strokes import TYPES
from kakitori.running.params import Count, NotNegative

LEVELS = 3  # strokes, radicals, the whole
NAME = 48  # numbers that stand for the type of a stroke or the name of a component
HIDDEN = 128
BUMPS = 8  # that say where on an axis something is
MOST = 64  # strokes, and components, that the text encoder's file takes
COMMON = 3  # classes that have a component, from which on its name is learned
SCALE = 2.3  # logarithm of what cosines are multiplied by, to begin with


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, LEVELS × width), for each level a vector as long as its scale
    classes: torch.Tensor  # (C, LEVELS × width), unit vectors of each level


class TokenSet(nn.Module):
    """Sets of strokes or components as vectors, (count, HIDDEN)."""

    def __init__(self, names: int, coordinates: int) -> None:
        super().__init__()
        self.names = nn.Embedding(1 + names, NAME)
        self.token = nn.Sequential(
            nn.Linear(NAME + BUMPS * coordinates, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
        )
        self.norm = nn.LayerNorm(HIDDEN)
        self.register_buffer("centres", torch.linspace(0, 1, BUMPS), persistent=False)

    def each(self, names: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """(…), (…, coordinates) to (…, HIDDEN)."""
        from_centres = (places[..., None] - self.centres) * BUMPS
        bumps = torch.exp(-(from_centres**2) / 2).flatten(-2)
        return self.token(torch.cat([self.names(names), bumps], -1)).float()

    def forward(
        self, names: torch.Tensor, places: torch.Tensor, of: torch.Tensor, count: int
    ) -> torch.Tensor:
        each = self.each(names, places)
        return self.norm(each.new_zeros(count, HIDDEN).index_add(0, of, each))


class TextEncoder(nn.Module):
    """Descriptions as unit vectors of each level, (count, LEVELS × width)."""

    def __init__(self, names: int, width: int) -> None:
        super().__init__()
        self.strokes = TokenSet(len(TYPES), 2 * POINTS)
        self.components = TokenSet(names, 4)
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Linear(seen, 2 * HIDDEN), nn.ReLU(inplace=True), nn.Linear(2 * HIDDEN, width)
            )
            for seen in (HIDDEN, HIDDEN, 2 * HIDDEN)
        )

    def forward(
        self, strokes: Sequence[torch.Tensor], components: Sequence[torch.Tensor], count: int
    ) -> torch.Tensor:
        return self.met(self.strokes(*strokes, count), self.components(*components, count))

    def met(self, strokes: torch.Tensor, components: torch.Tensor) -> torch.Tensor:
        seen = strokes, components, torch.cat([strokes, components], 1)
        return _units(level(each) for level, each in zip(self.levels, seen, strict=True))


class Padded(nn.Module):
    """The text encoder as a file: of descriptions (N, MOST tokens), padded by the number 0, to
    (N, LEVELS × width)."""

    def __init__(self, text: TextEncoder) -> None:
        super().__init__()
        self.text = text

    def forward(
        self,
        types: torch.Tensor,
        courses: torch.Tensor,
        components: torch.Tensor,
        boxes: torch.Tensor,
    ) -> torch.Tensor:
        sums = []
        for tokens, names, places in (
            (self.text.strokes, types, courses),
            (self.text.components, components, boxes),
        ):
            each = tokens.each(names, places) * (names > 0)[..., None]
            sums.append(tokens.norm(each.sum(1)))
        return self.text.met(*sums)


class Scaled(nn.Module):
    """The image encoder as a file: images (B, 1, S, S) to (B, LEVELS × width), whose products with
    the vectors of descriptions are the logits."""

    def __init__(self, image: nn.Module, lengths: torch.Tensor) -> None:
        super().__init__()
        self.image = image
        self.register_buffer("lengths", lengths)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.image(images) * self.lengths


class Level(nn.Module):
    """What an image says at one level, (B, width)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm: nn.Module = nn.BatchNorm1d(channels)
        self.classifier = nn.Linear(channels, width)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.norm(pooled))


class ImageEncoder(nn.Module):
    """Images (B, 1, S, S) as unit vectors of each level, (B, LEVELS × width)."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        layers = encoder(CHANNELS)
        self.fine, self.coarse = layers[:FINE], layers[FINE:]
        self.fine_pool = WeightedPool(CHANNELS[3], size // 8)
        self.pool = WeightedPool(CHANNELS[4], size // 16)
        seen = CHANNELS[3] + CHANNELS[4], CHANNELS[4], CHANNELS[4]
        self.levels = nn.ModuleList(Level(each, width) for each in seen)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        fine = self.fine(images)
        whole = self.pool(self.coarse(fine))
        seen = torch.cat([self.fine_pool(fine), whole], 1), whole, whole
        return _units(level(each) for level, each in zip(self.levels, seen, strict=True))


class Align(Network):
    def __init__(
        self,
        known: Mapping[str, Description],
        classes: Sequence[str],
        size: int,
        width: int,
        levels: float,
    ) -> None:
        """known : what characters are made of, the classes and others that may be asked for."""
        super().__init__()
        self.known, self.size, self.width, self.weight = known, size, width, levels
        counts = Counter(name for c in classes for name in set(known[c].names))
        names = sorted(name for name, count in counts.items() if count >= COMMON)
        self.numbers = {name: k for k, name in enumerate(names, UNKNOWN + 1)}
        self.image = ImageEncoder(size, width)
        self.text = TextEncoder(UNKNOWN + len(names), width)
        self.scales = nn.Parameter(torch.full((LEVELS,), SCALE))
        self._describe(classes)

    def _describe(self, classes: Sequence[str]) -> None:
        """Let these be the classes."""
        self.count = len(classes)
        of = [self.known[character] for character in classes]
        strokes, components = (
            descriptions.strokes_of(of),
            descriptions.components_of(of, self.numbers),
        )
        for name, tokens in (("strokes", strokes), ("components", components)):
            for field, array in tokens._asdict().items():
                # Not persistent: they come from the table, not from training.
                tensor = torch.from_numpy(array).to(self.scales.device)
                self.register_buffer(f"{name}_{field}", tensor, persistent=False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Align":
        super().train(mode)
        with torch.no_grad():  # while nothing learns, the classes stay where they are
            self.placed = None if mode else self._classes()
        return self

    def _classes(self) -> torch.Tensor:
        """The classes' descriptions as vectors, (C, LEVELS × width)."""
        tokens = (
            [getattr(self, f"{name}_{field}") for field in Tokens._fields]
            for name in ("strokes", "components")
        )
        return self.text(*tokens, self.count)

    def _lengths(self) -> torch.Tensor:
        return self.scales.exp().repeat_interleave(self.width)

    def forward(self, images: torch.Tensor) -> Outputs:
        classes = self._classes() if self.placed is None else self.placed
        features = self.image(images) * self._lengths()
        return Outputs(features @ classes.T, features, classes)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        """Cross-entropy over the classes, of all levels together and of each alone."""
        loss = class_loss(outputs, batch)
        levels = (each.split(self.width, 1) for each in (outputs.features, outputs.classes))
        for seen, classes in zip(*levels, strict=True):
            loss = loss + self.weight * class_loss(outputs._replace(logits=seen @ classes.T), batch)
        return loss

    def answering(self, characters: Sequence[str]) -> "Align":
        """A copy whose logits are those of `characters`, trained or not, by their descriptions.

        Raises ValueError for characters that the table does not have.
        """
        if strange := [c for c in characters if c not in self.known]:
            raise ValueError(
                f"characters: expected those of the table, found {', '.join(strange[:9])}"
            )
        net = copy.deepcopy(self)
        net._describe(characters)
        return net

    def encoders(self) -> dict[str, Encoder]:
        """Both sides by themselves. A stroke's course is its POINTS points, x and y, a component's
        box two corners, in sides of a normalised image."""
        metadata = {"types": " ".join(TYPES), "components": " ".join(["", *self.numbers])}
        examples = {
            "types": torch.ones(2, MOST, dtype=torch.int64),
            "courses": torch.zeros(2, MOST, 2 * POINTS),
            "components": torch.ones(2, MOST, dtype=torch.int64),
            "boxes": torch.zeros(2, MOST, 4),
        }
        image = Scaled(folded(self.image), self._lengths().detach())
        return {
            "image": Encoder(image, {"input": torch.zeros(2, 1, self.size, self.size)}, {}),
            "text": Encoder(Padded(self.text), examples, metadata),
        }

    def deployed(self) -> nn.Module:
        """An equal network for export: the descriptions are the weights of a layer."""
        with torch.no_grad():
            return Deployed(folded(self.image), self._classes() * self._lengths())


class Deployed(nn.Module):
    def __init__(self, image: nn.Module, weight: torch.Tensor) -> None:
        super().__init__()
        self.image = image
        self.classifier = nn.Linear(weight.shape[1], len(weight), bias=False)
        self.classifier.weight = nn.Parameter(weight)

    def forward(self, images: torch.Tensor) -> Outputs:
        features = self.image(images)
        return Outputs(self.classifier(features), features, self.classifier.weight)


def _units(levels: Iterable[torch.Tensor]) -> torch.Tensor:
    """The vectors of each level at a length of one, side by side; by operators that converters of
    other runtimes know."""
    # A cast, even to what it is, becomes an operator.
    vectors = [each if each.dtype == torch.float32 else each.float() for each in levels]
    lengths = [(each * each).sum(1, keepdim=True).sqrt().clamp(min=1e-6) for each in vectors]
    return torch.cat([v / length for v, length in zip(vectors, lengths, strict=True)], 1)


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    width: Count = 128,
    levels: NotNegative = 0.3,
) -> Align:
    """The network for images of `size` pixels.

    width : numbers of a vector of each level.
    levels : weight of each level alone in the loss, against 1 for all together.
    """
    return Align(descriptions.described(characters), classes, size, width, levels)
