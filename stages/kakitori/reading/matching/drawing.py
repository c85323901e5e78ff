"""Pen strokes from a file, and as a picture for `prepare`, the same to the last level in Python and
in a page.

The page draws with the same few operations in the same order (sums, products, quotients and square
roots of doubles, which are the same everywhere), so that both feed the model the same tensor. Needs
NumPy alone.
"""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kakitori.errors import DataError
from kakitori.reading.normalising.tree import composed

SIDE = 128  # pixels: twice what the model sees
ROOM = 104  # pixels that the longer side of a character fills; the rest is clean paper on all sides
PEN = SIDE / 24  # pixels of the pen's width: what a ball-point leaves on a field of a form
FURTHEST = 1e9  # of a coordinate, so that differences stay exact enough
# A character of JIS X 0208 has at most 30 strokes, the largest of all 84; matching grows with the
# square of theirs, and takes half a second of so many.
MOST_STROKES = 100
MOST_POINTS = 20_000  # of a drawing: a minute and a half of a tablet's 200 points a second


class Drawing(NamedTuple):
    """Pen strokes, float64 (points, 2) each, and the character that was meant or None."""

    strokes: list[np.ndarray]
    character: str | None


def read(path: Path) -> list[Drawing]:
    """The drawings of a JSON file: an object, or a list of objects, with `strokes`, lists of points
    [x, y] in any units, y down, in the order of drawing, and `character` where it is known.

    Raises DataError for a file that is missing or holds anything else, and for a drawing of more
    than MOST_STROKES or MOST_POINTS.
    """
    drawings = read_each(path)
    for drawing in drawings:
        if isinstance(drawing, DataError):
            raise drawing
    return drawings


def read_each(path: Path) -> list[Drawing | DataError]:
    """The same, with what is wrong in place of each drawing that cannot be read, or of the file."""
    try:
        return _read_each(path)
    except DataError as error:
        return [error]


def _read_each(path: Path) -> list[Drawing | DataError]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: expected pen strokes as JSON, found {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected pen strokes as JSON, found: {error}") from None
    several = isinstance(content, list)
    drawings = content if several else [content]
    if not drawings:
        raise DataError(f"{path}: expected a drawing or more, found an empty list")
    outcomes: list[Drawing | DataError] = []
    for k, drawing in enumerate(drawings, 1):
        try:
            outcomes.append(_drawing(drawing, f"{path}: drawing {k}" if several else f"{path}"))
        except DataError as error:
            outcomes.append(error)
    return outcomes


def _drawing(content: object, where: str) -> Drawing:
    strokes = content.get("strokes") if isinstance(content, dict) else None
    if not isinstance(strokes, list) or not strokes:
        raise DataError(
            f'{where}: expected {{"strokes": [[[x, y], …], …]}}, found {_short(content)}'
        )
    character = content.get("character")
    if isinstance(character, str):
        character = composed(character)
    if character is not None and not (isinstance(character, str) and len(character) == 1):
        raise DataError(f"{where}: expected one character, found {_short(character)}")
    if len(strokes) > MOST_STROKES:
        raise DataError(
            f"{where}: expected the strokes of one character, at most {MOST_STROKES}, found "
            f"{len(strokes):,}"
        )
    polylines = [_stroke(s, f"{where}: stroke {k}") for k, s in enumerate(strokes, 1)]
    if (points := sum(map(len, polylines))) > MOST_POINTS:
        raise DataError(
            f"{where}: expected the points of one character, at most {MOST_POINTS:,}, found "
            f"{points:,}"
        )
    return Drawing(polylines, character)


def _stroke(content: object, where: str) -> np.ndarray:
    try:
        points = np.array(content)
    except ValueError:  # rows of different lengths
        points = np.empty(0)
    if points.dtype.kind not in "iuf" or points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"{where}: expected points [x, y], found {_short(content)}")
    if not (np.abs(points) <= FURTHEST).all():
        raise DataError(f"{where}: expected finite numbers up to {FURTHEST:.0e}, found others")
    return points.astype(np.float64)


def _short(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


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
