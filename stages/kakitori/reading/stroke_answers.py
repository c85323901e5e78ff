"""How a character was written, by what a model says of its strokes."""

from typing import NamedTuple

import numpy as np

from kakitori.reading import monitoring, placement

FAR = 0.06  # of the side: ink so far from where a stroke's edge should be is of another stroke
LEAST = 20  # pixels of such ink at 64 a side. Both were chosen on writers that are trained with


class Feedback(NamedTuple):
    """How a character was written.

    missing : numbers from 1, in writing order, of the strokes that are not there.
    presence : float64 (strokes,), how probable it is that each is there.
    extra : left, upper, right and lower edge of ink that is far from all strokes that are there, in
        sides of the normalised image, 0 to 1; None where there is none.
    """

    missing: list[int]
    presence: np.ndarray
    extra: tuple[float, float, float, float] | None


def judged(image: np.ndarray, logits: np.ndarray, courses: np.ndarray) -> Feedback:
    """Of a normalised image uint8 (S, S), logits (strokes,) that each stroke is there, and courses
    where the table has them, (strokes, P, 2)."""
    there = logits >= 0
    size = len(image)
    width = monitoring.signals(image[None], np.zeros(1))["stroke_width"][0] / size
    placed = placement.fitted(courses[there] if there.any() else courses, image)
    distance = placement.distances(placed, size).min(0)
    strange = (image >= placement.INK) & (distance > width / 2 + FAR)
    where = None
    if strange.sum() >= LEAST * (size / 64) ** 2:
        rows, columns = (np.flatnonzero(strange.any(axis)) for axis in (1, 0))
        edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        where = tuple(float(edge / size) for edge in edges)
    missing = [int(k) + 1 for k in np.flatnonzero(~there)]
    return Feedback(missing, 1 / (1 + np.exp(-logits)), where)


def decode(probabilities: np.ndarray, types: str) -> tuple[list[str], np.ndarray]:
    """What the probabilities of each step say, float (N, steps, T + 1), of T types and of the end.

    Returns
    -------
    Per row its symbols up to the end, the likeliest at each step; and float64 (N,) the probability
    that the network gave to just this sequence, its end included.
    """
    best = probabilities.argmax(2)
    steps = best.shape[1]
    ended = best == len(types)
    lengths = np.where(ended.any(1), ended.argmax(1), steps)
    symbols = np.array([*types, ""])[best]
    sequences = ["".join(row[:length]) for row, length in zip(symbols, lengths, strict=True)]
    counted = np.arange(steps) <= lengths[:, None]
    likeliest = probabilities.max(2).astype(np.float64)
    return sequences, np.where(counted, likeliest, 1.0).prod(1)
