"""Pen strokes from a file. Needs NumPy alone."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kakitori.errors import DataError
from kakitori.reading.normalising.tree import composed

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
