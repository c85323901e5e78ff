"""Pen strokes of whole files: fitted into the unit square, and drawn."""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from kakitori.corpora.source import CHUNK, Pen
from kakitori.reading.normalising.images import Normalised, measured

WIDTH = 1 / 24  # of the frame's side: what a ball-point leaves on a field of a form
_SHIFT = 4  # bits below a pixel in which OpenCV takes coordinates


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


def draw(strokes: list[np.ndarray], side: int) -> np.ndarray:
    """One character's strokes, each (n, 2) in the unit square, as ink uint8 (side, side).

    A stroke of one point is a dot.
    """
    frame = np.zeros((side, side), np.uint8)
    width = max(round(side * WIDTH), 1)
    margin = width / 2 + 2  # room for half a pen and for the paper's edge
    scale = 2**_SHIFT * (side - 1 - 2 * margin)
    for stroke in strokes:
        fixed = np.rint(stroke * scale + 2**_SHIFT * margin).astype(np.int32)
        if len(fixed) == 1:
            fixed = np.repeat(fixed, 2, axis=0)  # OpenCV draws no line of one point
        cv2.polylines(frame, [fixed], False, 255, width, cv2.LINE_AA, _SHIFT)
    return frame


def drawn(pen: Pen, size: int) -> Iterator[Normalised]:
    """The images of all samples, `size` pixels a side, some at a time."""
    for first in range(0, len(pen.samples) - 1, CHUNK):
        last = min(first + CHUNK, len(pen.samples) - 1)
        frames = np.stack([draw(strokes_of(pen, k), 2 * size) for k in range(first, last)])
        yield measured(frames, size, framed=False, resize=cv2.resize)


def strokes_of(pen: Pen, sample: int) -> list[np.ndarray]:
    """The strokes of one sample, in the order in which they were drawn."""
    first, last = pen.samples[sample : sample + 2]
    bounds = pen.strokes[first : last + 1].tolist()
    return [pen.points[a:b] for a, b in itertools.pairwise(bounds)]
