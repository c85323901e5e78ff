"""Pen strokes as a picture, of a file, a page or a corpus, the same to the last level in Python and
in a page.

The page draws with the same few operations in the same order (sums, products, quotients and square
roots of doubles, which are the same everywhere), so that both feed the model the same tensor. Needs
NumPy alone.
"""

import itertools
from collections.abc import Sequence

import numpy as np

SIDE = 128  # pixels: twice what the model sees
ROOM = 104  # pixels that the longer side of a character fills; the rest is clean paper on all sides
PEN = SIDE / 24  # pixels of the pen's width: what a ball-point leaves on a field of a form


def draw(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Strokes as ink, uint8 (SIDE, SIDE), 255 = full ink on 0 = paper.

    A pixel's ink is how much of it lies within half the pen's width of the line, told from the
    distance between its middle and the nearest segment.

    Parameters
    ----------
    strokes : polylines (points, 2), x and y in any units, y down, finite. One point is a dot.
    """
    middles = np.arange(SIDE) + 0.5
    ink = np.zeros((SIDE, SIDE))
    for stroke in fitted(strokes):
        points = stroke.tolist()
        for (x0, y0), (x1, y1) in itertools.pairwise(points if len(points) > 1 else points * 2):
            # Further away than this there is no ink of the segment.
            left, right = _pixels(min(x0, x1), max(x0, x1))
            top, bottom = _pixels(min(y0, y1), max(y0, y1))
            x, y = middles[left:right] - x0, middles[top:bottom, None] - y0
            dx, dy = x1 - x0, y1 - y0
            length = dx * dx + dy * dy
            along = np.clip((x * dx + y * dy) / length, 0, 1) if length else 0.0
            away_x, away_y = x - along * dx, y - along * dy
            distance = np.sqrt(away_x * away_x + away_y * away_y)
            part = ink[top:bottom, left:right]
            np.maximum(part, np.clip(PEN / 2 + 0.5 - distance, 0, 1), out=part)
    return np.floor(255 * ink + 0.5).astype(np.uint8)


def has_lines(strokes: Sequence[np.ndarray]) -> bool:
    """Whether there is more than dots, which a pen leaves where it only touches."""
    return any(bool((np.ptp(stroke, axis=0) >= PEN / 2).any()) for stroke in fitted(strokes))


def fitted(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Strokes in pixels of the picture: the longer side fills ROOM, centred."""
    strokes = [np.asarray(stroke, np.float64) for stroke in strokes]
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    width, height = (high - low).tolist()
    longer = max(width, height) or 1.0  # a single dot
    return [(s - (low + high) / 2) / longer * ROOM + SIDE / 2 for s in strokes]


def extent(strokes: Sequence[np.ndarray], frame: float) -> float:
    """The longer side of strokes, and of the pen that draws them, in a writing area of this side;
    at most the area's where they just fill it."""
    points = np.concatenate([np.asarray(stroke, np.float64) for stroke in strokes])
    longer = float((points.max(0) - points.min(0)).max())
    return max(longer, min(longer + frame * PEN / SIDE, frame))


def _pixels(low: float, high: float) -> tuple[int, int]:
    """First and last-plus-one line that a pen between two places in pixels may reach."""
    return int(np.floor(low - PEN / 2 - 0.5)), int(np.ceil(high + PEN / 2 + 0.5))
