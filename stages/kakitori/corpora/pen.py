"""Pen strokes of whole files: fitted into the unit square, and drawn."""

import itertools
from collections.abc import Iterator

import numpy as np

from kakitori.corpora.source import CHUNK, Pen
from kakitori.reading.normalising import rendering
from kakitori.reading.normalising.images import Normalised, measured


def fitted(points: np.ndarray, strokes: np.ndarray, samples: np.ndarray) -> Pen:
    """Characters in any units as `Pen`: the longer side of each fills the unit square, centred.

    Parameters
    ----------
    points : (P, 2), x and y, y down; finite.
    strokes : int (K + 1,), the first point of each stroke. None is empty.
    samples : int (N + 1,), the first stroke of each sample. None is empty.
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    strokes, samples = np.asarray(strokes, np.int64), np.asarray(samples, np.int64)
    if len(samples) > 1:
        starts = strokes[samples[:-1]]
        low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
        longer = (high - low).max(1)
        longer[longer == 0] = 1  # a single dot
        count = np.diff(np.append(starts, len(points)))
        centre = np.repeat((low + high) / 2, count, axis=0)
        points = (points - centre) / np.repeat(longer, count)[:, None] + 0.5
    return Pen(points.astype(np.float32), strokes, samples)


def drawn(pen: Pen, size: int) -> Iterator[Normalised]:
    """The images of all samples, `size` pixels a side, some at a time: to the pixel those that a
    recogniser sees of such strokes."""
    for first in range(0, len(pen.samples) - 1, CHUNK):
        last = min(first + CHUNK, len(pen.samples) - 1)
        frames = np.stack([rendering.draw(strokes_of(pen, k)) for k in range(first, last)])
        yield measured(frames, size, framed=False)


def strokes_of(pen: Pen, sample: int) -> list[np.ndarray]:
    """The strokes of one sample, in the order in which they were drawn."""
    first, last = pen.samples[sample : sample + 2]
    bounds = pen.strokes[first : last + 1].tolist()
    return [pen.points[a:b] for a, b in itertools.pairwise(bounds)]
