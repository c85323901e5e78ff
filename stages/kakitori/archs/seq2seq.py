"""Convolutions that read the class, and a decoder that writes the character down from their grid,
stroke type by stroke type: the captions of RAN (Zhang et al. 2018) with strokes for radicals, and
attention (Bahdanau et al. 2015). What it writes does not pass through the class, so it can put down
a character that it was never trained on.

Where it departs from them: what was seen does not flow back into where to look next. One GRU reads
what was written and looks; a second reads what the first saw and looks again. All steps of teacher
forcing are thus a few large products, which takes two thirds of the time and wrote no worse. Both
begin with what the class is told from (as Xu et al. 2015 begin with the mean over the grid), so
that the whole character is known from the first stroke on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.blocks import CHANNELS, FINE, Head, encoder
from kakitori.learning.contract import Batch, Network, Stages, class_loss
from kakitori.learning.folding import folded
from kakitori.reading.characters.strokes import TYPES
from kakitori.running.params import Count, NotNegative

END = len(TYPES)  # written after the last stroke, read before the first
SYMBOLS = len(TYPES) + 1
PADDING = -1

Tensors = tuple[torch.Tensor, ...]


class WrittenOutputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, D)
    grid: torch.Tensor  # (B, channels, S/8, S/8), what the decoder looks at


class Written(NamedTuple):
    sequence: torch.Tensor  # (B, steps, 28), see Writer


class Decoder(nn.Module):
    def __init__(self, channels: int, side: int, hidden: int, features: int) -> None:
        super().__init__()
        self.first = nn.Linear(features, 2 * hidden)
        nn.init.zeros_(self.first.weight)  # symbols are learned sooner than what they begin with
        # Attention does not know where a cell stands.
        self.place = nn.Parameter(0.1 * torch.randn(1, channels, side, side))
        self.cells = nn.Linear(channels, 4 * hidden, bias=False)  # on keys it would cancel out
        self.embedding = nn.Embedding(SYMBOLS, hidden)
        self.reader = nn.GRU(hidden, hidden, batch_first=True)
        self.writer = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.classifier = nn.Linear(2 * hidden, SYMBOLS)

    def cells_of(self, grid: torch.Tensor) -> Tensors:
        """Keys and values of the first look and of the second, each (B, cells, hidden)."""
        place = self.place
        if grid.shape[-1] != place.shape[-1]:
            place = F.interpolate(place, grid.shape[-2:], mode="bilinear", align_corners=False)
        placed = grid.flatten(2).mT + place.to(grid.dtype).flatten(2).mT
        return self.cells(placed).chunk(4, -1)

    def begin(self, features: torch.Tensor) -> Tensors:
        """The state of both GRUs, each (1, B, hidden), before anything is written."""
        reader, writer = self.first(features).tanh()[None].chunk(2, -1)
        return reader.contiguous(), writer.contiguous()

    def forward(
        self, previous: torch.Tensor, cells: Tensors, state: Tensors
    ) -> tuple[torch.Tensor, Tensors]:
        """Logits (B, T, 28) of what follows each of the symbols `previous`, int64 (B, T), and the
        state of both GRUs after them."""
        read, reader = self.reader(self.embedding(previous), state[0])
        seen = attend(read, *cells[:2])
        written, writer = self.writer(torch.cat([read, seen], -1), state[1])
        seen = attend(written, *cells[2:])
        return self.classifier(torch.cat([written, seen], -1)), (reader, writer)


def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017) with one head; (B, T, hidden)."""
    weights = (queries @ keys.mT * keys.shape[-1] ** -0.5).softmax(-1)
    return weights @ values


class Writer(nn.Module):
    """Writes down what was seen: probabilities (B, steps, 28) of TYPES and END, at each step after
    the likeliest at those before it; what follows the first END means nothing."""

    def __init__(self, decoder: Decoder, steps: int) -> None:
        super().__init__()
        self.decoder, self.steps = decoder, steps

    def forward(self, features: torch.Tensor, grid: torch.Tensor) -> Written:
        cells, state = self.decoder.cells_of(grid), self.decoder.begin(features)
        previous = torch.full((grid.shape[0], 1), END, device=grid.device)
        written = []
        for _ in range(self.steps):
            logits, state = self.decoder(previous, cells, state)
            written.append(logits.float().softmax(-1))
            previous = logits.argmax(-1)
        return Written(torch.cat(written, 1))


class Seq2Seq(Network):
    """sequences : per class its numbers in TYPES and END; none where nobody knows its strokes, of
        which what the pen drew is learned alone.
    steps : symbols that it writes at most; longer sequences are cut.
    weight : of the sequence's loss, against 1 for that of the class.

    `cut` is how many classes' sequences were cut.
    """

    learns_order = True
    tells = {"stroke_types": "".join(TYPES)}  # noqa: RUF012

    def __init__(
        self, size: int, sequences: list[list[int]], hidden: int, steps: int, weight: float
    ) -> None:
        super().__init__()
        self.steps, self.weight = steps, weight
        self.cut = sum(len(sequence) > steps for sequence in sequences)
        self.encoder = encoder(CHANNELS)
        self.head = Head(CHANNELS[-1], size // 16, len(sequences))
        self.decoder = Decoder(CHANNELS[3], size // 8, hidden, CHANNELS[-1])
        rows = [torch.tensor(sequence[:steps], dtype=torch.long) for sequence in sequences]
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)
        padded = F.pad(padded, (0, max(1 - padded.shape[1], 0)), value=PADDING)
        # Not persistent: they come from the table, not from training.
        self.register_buffer("sequences", padded, persistent=False)

    def forward(self, images: torch.Tensor) -> WrittenOutputs:
        grid = self.encoder[:FINE](images)
        features, logits = self.head(self.encoder[FINE:](grid))
        return WrittenOutputs(logits, features, grid)

    def loss(self, outputs: WrittenOutputs, batch: Batch) -> torch.Tensor:
        return class_loss(outputs, batch) + self.weight * self._sequence_loss(outputs, batch)

    def _sequence_loss(self, outputs: WrittenOutputs, batch: Batch) -> torch.Tensor:
        """Cross-entropy per symbol of what follows the right ones (teacher forcing), over the
        images that show one whole class."""
        wanted = self._wanted(batch)
        if wanted.device.type == "cpu":  # elsewhere, to learn their length, the host would wait
            wanted = wanted[:, : max(int((wanted != PADDING).sum(1).max()), 1)]
        previous = F.pad(wanted, (1, -1), value=END).masked_fill(wanted == PADDING, END)
        learned = batch.pure() & (batch.labels >= 0)
        wanted = wanted.masked_fill(~learned[:, None], PADDING)
        grid, features = outputs.grid, outputs.features
        half = grid.dtype == torch.bfloat16  # autocast ended with `forward`
        with torch.autocast(grid.device.type, torch.bfloat16, half):
            state = self.decoder.begin(features)
            logits, _ = self.decoder(previous, self.decoder.cells_of(grid), state)
        total = F.cross_entropy(
            logits.float().flatten(0, 1), wanted.flatten(), ignore_index=PADDING, reduction="sum"
        )
        return total / (wanted != PADDING).sum().clamp(min=1)

    def _wanted(self, batch: Batch) -> torch.Tensor:
        """What is to be written down, int64 (B, W): what the pen drew where it was seen, the
        sequence of the class elsewhere."""
        wanted = self.sequences[batch.labels.clamp(min=0)]
        if batch.written is None:
            return wanted
        drawn = F.pad(batch.written.long(), (0, 1), value=PADDING)
        count = (drawn != PADDING).sum(1, keepdim=True)
        drawn = drawn.scatter(1, count, END)[:, : self.steps]
        width = max(drawn.shape[1], wanted.shape[1])
        drawn, wanted = (
            F.pad(each, (0, width - each.shape[1]), value=PADDING) for each in (drawn, wanted)
        )
        return torch.where(count > 0, drawn, wanted)

    def staged(self) -> Stages:
        """Who asks only for the class does not wait for the writer."""
        net = folded(self, norms=False)  # which reads the normed features
        return Stages(net, Writer(net.decoder, self.steps))


def build(
    classes: Sequence[str],
    characters: pd.DataFrame,
    size: int,
    hidden: Count = 128,
    steps: Count = 32,
    sequence: NotNegative = 0.3,
) -> Seq2Seq:
    """The network for images of `size` pixels.

    hidden : units of the decoder's GRUs.
    steps : symbols that it writes at most, the end among them.
    sequence : weight of the sequence's loss, against 1 for that of the class.
    """
    numbers = {symbol: i for i, symbol in enumerate(TYPES)}
    written = characters.set_index("character")["stroke_types"].loc[list(classes)]
    sequences = [
        [*(numbers[symbol] for symbol in types), END] if len(types) else [] for types in written
    ]
    return Seq2Seq(size, sequences, hidden, steps, sequence)
