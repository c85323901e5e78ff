"""What every corpus becomes before it is written down: samples, and what was left out of them."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from kakitori.reading.normalising.images import Normalised

if TYPE_CHECKING:
    from kakitori.corpora import archives

CHUNK = 256  # samples decoded at once: few enough to stay in the processor's cache


class Reject(NamedTuple):
    """A record that is known to be bad: where it stands, and why it was left out."""

    source: str
    offset: int  # bytes, or the number of the entry where a file has no offsets
    reason: str


class PassedOver(NamedTuple):
    """A file of a corpus that no sample came from, and why."""

    corpus: str
    file: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Pen:
    """Pen strokes of N samples in the order in which they were drawn.

    points : float32 (P, 2), x and y in the character's unit square, y down.
    strokes : int64 (K + 1,), the first point of each stroke.
    samples : int64 (N + 1,), the first stroke of each sample.
    """

    points: np.ndarray
    strokes: np.ndarray
    samples: np.ndarray


@dataclasses.dataclass
class Samples:
    """N samples of one source, in its order.

    codepoint : int32 (N,).
    writer_group : str (N,) object array, or one string for all; "" where the corpus does not say
        who wrote. Without the corpus's place (synthetic or raw).
    chunks : the images, some at a time, N in all.
    sheet : int32 (N,), or -1. quality : int16 (N,), or -1. is_model_sheet : bool (N,), or False.
    rejects : what was left out.
    errata : known defects of the corpus and how often they were seen.
    """

    codepoint: np.ndarray
    writer_group: np.ndarray | str
    chunks: Iterator[Normalised]
    sheet: np.ndarray | int = -1
    quality: np.ndarray | int = -1
    is_model_sheet: np.ndarray | bool = False
    rejects: list[Reject] = dataclasses.field(default_factory=list)
    errata: dict[str, int] = dataclasses.field(default_factory=dict)
    pen: Pen | None = None


class Source(Protocol):
    """One file of a corpus, or what stands for one: it becomes one shard.

    corpus : as data.corpora names it, `synthetic/ETL9G`.
    file : its name, as messages and shards give it.
    """

    corpus: str

    @property
    def file(self) -> str: ...

    def files(self) -> "list[archives.File]":
        """The files that it is made of."""
        ...

    def read(self, size: int) -> Samples:
        """The samples with images of `size` pixels a side; DataError for a damaged file."""
        ...
