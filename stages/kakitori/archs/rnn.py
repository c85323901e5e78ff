"""Convolutions, then a bidirectional LSTM that reads their grid cell by cell, after CRNN (Shi, Bai
and Yao 2015), with a second head that spells the character's radicals by CTC (Graves et al. 2006).

Where it departs from CRNN: characters have parts below each other as well as beside each other, so
the grid keeps four rows and is read column by column; CTC spells what the character is made of, two
symbols at each step, and the class comes from all steps, each with a learned weight.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.blocks import FINE, convolution, encoder
from kakitori.learning.contract import Batch, Network, class_loss
from kakitori.learning.folding import folded
from kakitori.reading.characters.radicals import Component
from kakitori.running.params import Count, NotNegative

CHANNELS = (32, 64, 128, 256, 256)
ROWS, COLUMNS = 4, 4  # of cells that the LSTM reads, whatever the side of the image
CELLS = ROWS * COLUMNS
SYMBOLS = 2 * CELLS  # that CTC has room for: some characters have 25 parts
BLANK = 0  # CTC's class for a step that adds no radical
UNNAMED = "〓"  # a part without a name, as printers mark a character that they lack


class SpelledOutputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, D)
    radicals: torch.Tensor  # (SYMBOLS, B, 1 + R), logits of BLANK and of each radical in turn


class WrittenOut(nn.Module):
    """What a bidirectional LSTM of one layer gives for CELLS steps (CELLS, B, width), by products
    of matrices and sums."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.inner, self.recurrent = nn.ModuleList(), nn.ModuleList()
        for suffix in ("", "_reverse"):
            w, r, b, c = (
                getattr(lstm, f"{kind}_l0{suffix}")
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            for layers, weight in ((self.inner, w), (self.recurrent, r)):
                layers.append(nn.Linear(weight.shape[1], len(weight), bias=layers is self.inner))
                layers[-1].weight = nn.Parameter(weight.detach())
            self.inner[-1].bias = nn.Parameter((b + c).detach())

    def forward(self, steps: torch.Tensor) -> tuple[torch.Tensor, None]:
        directions = []
        for order, inner, recurrent in zip((1, -1), self.inner, self.recurrent, strict=True):
            hidden, memory, written = None, None, []
            for gates in inner(steps).split(1)[::order]:
                if hidden is not None:
                    gates = gates + recurrent(hidden)
                enter, keep, new, leave = gates.split(recurrent.in_features, 2)
                added = enter.sigmoid() * new.tanh()
                memory = added if memory is None else keep.sigmoid() * memory + added
                hidden = leave.sigmoid() * memory.tanh()
                written.append(hidden)
            directions.append(torch.cat(written[::order]))
        return torch.cat(directions, 2), None


class RNN(Network):
    """spellings : per class the numbers of its radicals in `radicals`, from 1.
    radicals : names of the R radicals.
    weight : of the radicals' loss, against 1 for that of the class.
    """

    def __init__(
        self, spellings: list[list[int]], radicals: list[str], hidden: int, weight: float
    ) -> None:
        super().__init__()
        self.radicals, self.weight = radicals, weight
        self.encoder = encoder(CHANNELS)[:FINE]
        self.cells = nn.Sequential(
            nn.AdaptiveMaxPool2d((ROWS, COLUMNS)), convolution(CHANNELS[3], CHANNELS[4])
        )
        self.lstm = nn.LSTM(CHANNELS[4], hidden, bidirectional=True)
        self.pool = nn.Parameter(torch.full((CELLS, 1, 2 * hidden), 1.0 / CELLS))
        self.norm: nn.Module = nn.BatchNorm1d(2 * hidden)
        self.classifier = nn.Linear(2 * hidden, len(spellings))
        self.speller = nn.Linear(2 * hidden, SYMBOLS // CELLS * (1 + len(radicals)))
        with torch.no_grad():
            # Nine symbols in ten are blank; while that is yet to learn it drowns all else.
            self.speller.bias[BLANK :: 1 + len(radicals)] = math.log(9 * len(radicals))
        rows = [torch.tensor(spelling) for spelling in spellings]
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        # Not persistent: they come from the table, not from training.
        self.register_buffer("spellings", padded, persistent=False)
        self.register_buffer("lengths", torch.tensor([len(r) for r in rows]), persistent=False)

    def forward(self, images: torch.Tensor) -> SpelledOutputs:
        grid = self.cells(self.encoder(images))
        steps = grid.permute(3, 2, 0, 1).reshape(CELLS, -1, CHANNELS[4])
        steps, _ = self.lstm(steps)  # (CELLS, B, 2 × hidden)
        features = self.norm((steps * self.pool).sum(0))
        spelled = self.speller(steps).unflatten(2, (SYMBOLS // CELLS, -1))
        radicals = spelled.transpose(1, 2).flatten(0, 1)
        return SpelledOutputs(self.classifier(features), features, radicals)

    def plain(self) -> "RNN":
        """An equal network whose LSTM is written out, for converters that have none."""
        net = folded(self)
        net.lstm = WrittenOut(net.lstm)
        return net

    def loss(self, outputs: SpelledOutputs, batch: Batch) -> torch.Tensor:
        return class_loss(outputs, batch) + self.weight * self._radical_loss(outputs, batch)

    def _radical_loss(self, outputs: SpelledOutputs, batch: Batch) -> torch.Tensor:
        """CTC per radical, the mean over the images that show one whole class."""
        labels = batch.labels.clamp(min=0)
        lengths = self.lengths[labels]
        read, wanted = outputs.radicals.float().log_softmax(-1), self.spellings[labels]
        if read.device.type == "cpu":
            full = torch.full_like(lengths, len(read))
            losses = F.ctc_loss(
                read, wanted, full, lengths, BLANK, reduction="none", zero_infinity=True
            )
        else:  # where torch's makes the host wait for the lengths
            losses = ctc(read, wanted, lengths)
        learned = batch.pure() & (batch.labels >= 0)
        return (losses / lengths * learned).sum() / learned.sum().clamp(min=1)

    def radicals_of(self, outputs: SpelledOutputs) -> list[list[str]]:
        """Per image its radicals in order: the likeliest in each place (Graves et al. 2006, best
        path), those that follow themselves and the blanks left out."""
        read = []
        for path in outputs.radicals.argmax(-1).T:
            numbers = torch.unique_consecutive(path).tolist()
            read.append([self.radicals[n - 1] for n in numbers if n != BLANK])
        return read


def ctc(read: torch.Tensor, wanted: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """What F.ctc_loss gives with `zero_infinity`, as sums over alignments (Graves et al. 2006,
    equations 6 to 8) that never look at a number: float (B,).

    read : log probabilities (T, B, 1 + R).
    wanted : int64 (B, L), of which the first `lengths`, int64 (B,), count.
    """
    never = -1e30
    path = F.pad(wanted[:, :, None], (1, 0), value=BLANK).flatten(1)
    path = F.pad(path, (0, 1), value=BLANK)  # a blank before and after each
    emitted = read.gather(2, path.expand(len(read), -1, -1))
    other = (path != BLANK) & (path != F.pad(path, (2, 0), value=BLANK)[:, :-2])
    leap = torch.where(other, 0.0, never)  # over the blank between two that differ
    reached = F.pad(emitted[0, :, :2], (0, path.shape[1] - 2), value=never)
    for step in emitted[1:]:
        from_before = F.pad(reached, (2, 0), value=never)
        ways = reached, from_before[:, 1:-1], from_before[:, :-2] + leap
        reached = torch.stack(ways).logsumexp(0) + step
    ends = torch.stack([2 * lengths - 1, 2 * lengths], 1)
    losses = -reached.gather(1, ends).logsumexp(1)
    return torch.where(losses < -never / 2, losses, 0.0)


def spelling(decomposition: str, radicals: Sequence[str]) -> list[str]:
    """The radicals of a row of the table, in order: the leaves of its tree, KRADFILE's components
    where it has none."""
    if not decomposition:
        return list(radicals)
    return [leaf.element or UNNAMED for leaf in Component.from_json(decomposition).leaves()]


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    hidden: Count = 192,
    radicals: NotNegative = 0.2,
) -> RNN:
    """The network for `classes`; images of any size from 16 pixels.

    hidden : units of the LSTM in each direction.
    radicals : weight of the radicals' loss, against 1 for that of the class.

    Raises ValueError for a class with more radicals than CTC has room for.
    """
    columns = (characters[name] for name in ("character", "decomposition", "radicals"))
    spelled = {c: spelling(tree, listed) for c, tree, listed in zip(*columns, strict=True)}
    for character in classes:
        own = spelled[character]
        # Between two of the same, CTC needs a blank.
        needed = len(own) + sum(a == b for a, b in itertools.pairwise(own))
        if not 1 <= needed <= SYMBOLS:
            raise ValueError(
                f"radicals: expected 1 to {SYMBOLS} a character (a repeated one counts twice), "
                f"found {needed} of {character}: {' '.join(own)}"
            )
    names = sorted({name for own in spelled.values() for name in own})
    numbers = {name: i for i, name in enumerate(names, 1)}
    return RNN([[numbers[name] for name in spelled[c]] for c in classes], names, hidden, radicals)
