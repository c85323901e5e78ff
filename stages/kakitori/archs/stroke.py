"""Which character, and which of its strokes are there: a multi-task network after Gyohten et al.
2020, a class head and a head of 32 sigmoids, one per stroke in writing order, on one encoder.

Where it departs from theirs. A stroke is only missing from a character that is meant: a 大 without
its first is a whole 人. So the second head is asked about a class: in training the one that was
meant, in `missing` the one that is given, otherwise the one that the first head names (the mean
over its probabilities would be a question about no character). And it knows a stroke by its course
in the table: it reads the grid along that course, and answers from what it sees there. What it
learns of one character's strokes so holds for all; an embedding per class, which has to learn from
the few partial images of that class, found next to nothing with two of each.

With `layers` it also says which stroke each pixel belongs to: pixels are compared with the same
courses (after MaskFormer, Cheng et al. 2021).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.errors import DataError
from kakitori.learning.blocks import CHANNELS, FINE, STEM, Head, encoder
from kakitori.learning.contract import NONE, Batch, Network, Stages, class_loss
from kakitori.learning.descriptions import courses_of
from kakitori.learning.folding import folded
from kakitori.learning.samples.table import named, without_strokes
from kakitori.reading.characters.strokes import MOST
from kakitori.running.params import Positive

POINTS = 6  # of a course
WIDTH = 64  # of what describes a place, a course, an answer
PIXEL = 16  # of what describes a pixel
ABSENT = -10.0  # logit of a stroke that the class does not have
NOBODY = -1  # where no class is meant


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, D)
    early: torch.Tensor  # (B, channels, S/4, S/4), what the second head looks at
    middle: torch.Tensor  # (B, channels, S/8, S/8), the same


class Judged(NamedTuple):
    presence: torch.Tensor  # (B, 32), logits: whether each stroke of a class is written
    courses: torch.Tensor  # (B, 32, POINTS, 2), where the table has them, in image sides


class Stroke(Network):
    def __init__(
        self,
        courses: Sequence[np.ndarray],
        size: int,
        presence: float,
        layers: bool,
        channels: Sequence[int] = CHANNELS,
    ) -> None:
        """courses : per class float (strokes, POINTS, 2), x and y in image sides."""
        super().__init__()
        self.presence = presence
        counts = torch.tensor([min(len(c), MOST) for c in courses])
        # A byte is fine enough for what is written by hand, and keeps exports small.
        table = torch.zeros(len(courses), MOST, POINTS, 2, dtype=torch.uint8)
        for row, course, count in zip(table, courses, counts, strict=True):
            row[:count] = torch.from_numpy(course[:count] * 255).round().clamp(0, 255)
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("courses", table, persistent=False)
        parts = encoder(channels)
        self.early, self.middle, self.late = parts[:4], parts[4:FINE], parts[FINE:]
        self.head = Head(channels[4], size // 16, len(courses))
        self.early_places = nn.Conv2d(channels[2], WIDTH, 1)
        self.middle_places = nn.Conv2d(channels[3], WIDTH, 1)
        self.course = _two_layers(2 * POINTS, WIDTH)
        self.along = nn.Linear(POINTS * WIDTH, WIDTH)
        self.overall = nn.Linear(channels[4], WIDTH)
        self.answer = nn.Linear(WIDTH, 1)
        self.pixels = None
        if layers:
            self.pixels = nn.Sequential(
                nn.Conv2d(WIDTH + 2, WIDTH, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(WIDTH, (PIXEL + 1) * STEM**2, 1),
            )
            self.pixel_course = _two_layers(2 * POINTS, PIXEL)

    def forward(self, images: torch.Tensor) -> Outputs:
        early = self.early(images)
        middle = self.middle(early)
        features, logits = self.head(self.late(middle))
        return Outputs(logits, features, early, middle)

    def judge(
        self,
        features: torch.Tensor,
        early: torch.Tensor,
        middle: torch.Tensor,
        classes: torch.Tensor,
    ) -> Judged:
        """What the images show of the strokes of `classes`, int64 (B,)."""
        presence = self._presence(features, self._places(early, middle), classes)
        return Judged(presence, self.courses[classes].float() / 255)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        loss = class_loss(outputs, batch)
        target, asked = self.targets(batch)
        _, features, early, middle = outputs
        # Channels last while rows are taken: the gradient keeps that order, a tenth of the step.
        grids = (g.permute(0, 2, 3, 1) for g in (early, middle))
        target, asked, labels, features, *grids = (
            _partial_and_as_many_whole(each, batch.partial)
            for each in (target, asked, batch.labels.clamp(min=0), features, *grids)
        )
        places = self._places(*(g.permute(0, 3, 1, 2).float() for g in grids))
        logits = self._presence(features.float(), places, labels)
        wrong = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        loss = loss + self.presence * (wrong * asked).sum() / asked.sum().clamp(min=1)
        if self.pixels is not None and batch.partial:
            pixel_logits = self._pixels(places[-batch.partial :], labels[-batch.partial :])
            known = asked[-batch.partial :, 0, None, None]
            numbers = batch.layers.long().masked_fill(~known, NONE)
            wrong = F.cross_entropy(pixel_logits, numbers, ignore_index=NONE, reduction="sum")
            loss = loss + wrong / (numbers > 0).sum().clamp(min=1)  # paper is soon learned
        return loss

    def targets(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Which strokes are written, float (B, 32): of whole characters all that the class has, of
        partial ones those that the batch says; and of which the loss asks, bool (B, 32): those of
        unmixed images of known classes, as far as the class has them."""
        real = self._real(batch.labels.clamp(min=0))
        target, known = real.float(), batch.labels >= 0
        if batch.partial:
            target = torch.cat([target[: -batch.partial], batch.presence.float()])
        if batch.share is not None:
            known = known & (batch.share == 0)
        return target, real & known[:, None]

    @torch.no_grad()
    def missing(self, images: torch.Tensor, meant: torch.Tensor) -> torch.Tensor:
        """Which strokes of the classes `meant`, int64 (B,), are not in the images, bool (B, 32)."""
        presence = self.judge(*self(images)[1:], meant).presence
        return self._real(meant) & (presence < 0)

    @torch.no_grad()
    def stroke_of_pixels(self, images: torch.Tensor, meant: torch.Tensor) -> torch.Tensor:
        """The number from 1 of the stroke of the classes `meant`, int64 (B,), that each pixel
        belongs to, 0 for paper, int64 (B, S, S); of a network built with `layers`."""
        outputs = self(images)
        return self._pixels(self._places(outputs.early, outputs.middle), meant).argmax(1)

    def staged(self) -> Stages:
        """Who asks only for the class does not wait for its strokes."""
        net = folded(self, norms=False)  # the second head reads the normed features
        return Stages(net, Judge(net), given={"meant": np.array([NOBODY])})

    @property
    def tells(self) -> dict[str, str]:
        return {"stroke_counts": " ".join(map(str, self.counts.tolist()))}

    def _real(self, classes: torch.Tensor) -> torch.Tensor:
        """Which of 32 strokes the classes have, bool (B, 32)."""
        return torch.arange(MOST, device=classes.device) < self.counts[classes][:, None]

    def _places(self, early: torch.Tensor, middle: torch.Tensor) -> torch.Tensor:
        """What describes each place of the finer grid, (B, WIDTH, S/4, S/4)."""
        around = F.interpolate(self.middle_places(middle), early.shape[-2:])
        return F.relu(self.early_places(early) + around)

    def _courses(self, classes: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        """Points of the strokes of `classes` from −1 to 1, (B, 32, POINTS, 2)."""
        return self.courses[classes].to(kind) / 127.5 - 1

    def _presence(
        self, features: torch.Tensor, places: torch.Tensor, classes: torch.Tensor
    ) -> torch.Tensor:
        """Logits (B, 32): whether the strokes of `classes` are written."""
        courses = self._courses(classes, places.dtype)
        at = courses.flatten(1, 2)[:, :, None]  # (B, 32 · POINTS, 1, 2)
        seen = F.grid_sample(places, at, align_corners=False).squeeze(3).mT
        seen = self.along(seen.reshape(len(classes), MOST, POINTS * WIDTH))
        wanted = self.course(courses.flatten(2))
        answer = self.answer(F.relu(seen + wanted + self.overall(features)[:, None]))
        return answer[..., 0].masked_fill(~self._real(classes), ABSENT)

    def _pixels(self, places: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Logits (B, 33, S, S): paper, or which stroke of `classes`."""
        # Alike strokes differ by where they are, which convolutions do not know (Liu et al. 2018).
        y, x = (torch.linspace(-1, 1, n, device=places.device) for n in places.shape[-2:])
        where = torch.stack(torch.meshgrid(x, y, indexing="xy")).expand(len(places), -1, -1, -1)
        pixels = F.pixel_shuffle(self.pixels(torch.cat([places, where], 1)), STEM)
        courses = self._courses(classes, places.dtype)
        wanted = self.pixel_course(courses.flatten(2))
        strokes = torch.einsum("bkc,bchw->bkhw", wanted, pixels[:, 1:])
        strokes = strokes.masked_fill(~self._real(classes)[..., None, None], ABSENT)
        return torch.cat([pixels[:, :1], strokes], 1)


class Judge(nn.Module):
    """The second head as the second stage of an export, asked of the classes `meant`, int64 (B,) or
    (1,), and where these are NOBODY of the likeliest."""

    def __init__(self, net: Stroke) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        logits: torch.Tensor,
        features: torch.Tensor,
        early: torch.Tensor,
        middle: torch.Tensor,
        meant: torch.Tensor,
    ) -> Judged:
        classes = torch.where(meant < 0, logits.argmax(1), meant)
        return self.net.judge(features, early, middle, classes)


def _partial_and_as_many_whole(rows: torch.Tensor, partial: int) -> torch.Tensor:
    """Those of the `partial` last images and of the first of the whole ones, as many, which are
    enough to learn what is there; all of a batch that has no partial ones."""
    whole = len(rows) - partial
    return torch.cat([rows[: min(whole, partial)], rows[whole:]]) if partial else rows


def _two_layers(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, WIDTH), nn.ReLU(inplace=True), nn.Linear(WIDTH, out))


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    presence: Positive = 0.5,
    layers: bool = False,
) -> Stroke:
    """The network for images of `size` pixels.

    presence : weight of the loss on strokes, beside 1 for that on classes.
    layers : also learn which stroke each pixel belongs to.

    Raises DataError for classes whose strokes nobody knows.
    """
    rows = characters.set_index("character").loc[list(classes)]
    if unknown := without_strokes(characters, classes):
        raise DataError(
            "data/characters.parquet: expected the strokes of every class, which model stroke "
            f"judges, found none of {named(unknown, len(classes))}; choose another model, or leave "
            "the corpora that hold them out of data.corpora"
        )
    courses = [courses_of(strokes, POINTS) for strokes in rows["strokes"]]
    return Stroke(courses, size, presence, layers)
