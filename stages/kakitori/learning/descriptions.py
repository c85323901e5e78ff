"""What characters are made of, as sets: their strokes, each of a type and with a course, and their
components, each with a name and a box, where a normalised image (reading/normalising/images.py)
shows them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kakitori.reading.characters.framing import EXTENT, MAX_ENLARGEMENT
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import TYPES, resample

POINTS = 3  # of a course: first, middle, last
FINE = 4  # steps from one of them to the next in which boxes are measured
ANYWHERE = ((0.0, 0.0), (1.0, 1.0))  # the box of a component whose strokes nobody knows
UNKNOWN = 1  # the number of a component without one of its own


class Description(NamedTuple):
    """
    types : per stroke its symbol of strokes.TYPES.
    courses : float (strokes, POINTS, 2), x and y in image sides.
    names : per component, from large to small, its name; the character itself is none.
    boxes : float (components, 2, 2), upper left and lower right corner.
    """

    types: tuple[str, ...]
    courses: np.ndarray
    names: tuple[str, ...]
    boxes: np.ndarray


class Tokens(NamedTuple):
    """The strokes, or the components, of several characters one after the other.

    names : int64 (T,), numbers of stroke types from 1, or of components from UNKNOWN.
    places : float32 (T, coordinates), courses or boxes.
    of : int64 (T,), numbers of the characters.
    """

    names: np.ndarray
    places: np.ndarray
    of: np.ndarray


def courses_of(strokes: Sequence[Sequence[float]], points: int) -> np.ndarray:
    """Courses of flat polylines x, y, x, y, …: moved and scaled to where a normalised image shows
    them, (strokes, points, 2) in image sides."""
    courses = np.stack([resample(np.reshape(s, (-1, 2)), points) for s in strokes])
    low, high = courses.min((0, 1)), courses.max((0, 1))
    scale = min(EXTENT / max((high - low).max(), 1e-6), MAX_ENLARGEMENT)
    return (courses - (low + high) / 2) * scale + 0.5


def described(characters: pd.DataFrame) -> dict[str, Description]:
    """Every character of the table."""
    columns = ("character", "strokes", "stroke_types", "decomposition", "radicals")
    rows = zip(*(characters[name] for name in columns), strict=True)
    return {character: _described(*row) for character, *row in rows}


def _described(
    strokes: Sequence, types: Sequence[str], decomposition: str, radicals: Sequence[str]
) -> Description:
    fine = np.zeros((0, FINE * (POINTS - 1) + 1, 2))  # of strokes that nobody knows
    if len(strokes):
        fine = courses_of(strokes, fine.shape[1])
    parts = [(name, ()) for name in radicals]  # KRADFILE's
    if decomposition:
        parts = [
            (part.element, part.strokes) for part in Component.from_json(decomposition).below()
        ]
        parts = [(name, own) for name, own in parts if name and name not in TYPES]
    boxes = np.zeros((len(parts), 2, 2))
    for box, (_, own) in zip(boxes, parts, strict=True):
        box[:] = [fine[list(own)].min((0, 1)), fine[list(own)].max((0, 1))] if own else ANYWHERE
    return Description(tuple(types), fine[:, ::FINE], tuple(name for name, _ in parts), boxes)


def strokes_of(characters: Sequence[Description]) -> Tokens:
    numbers = {name: number for number, name in enumerate(TYPES, 1)}
    return _tokens([([numbers[t] for t in c.types], c.courses) for c in characters], 2 * POINTS)


def components_of(characters: Sequence[Description], numbers: Mapping[str, int]) -> Tokens:
    """numbers : of those that have one of their own, from UNKNOWN + 1."""
    own = [([numbers.get(name, UNKNOWN) for name in c.names], c.boxes) for c in characters]
    return _tokens(own, 4)


def _tokens(characters: Sequence[tuple[list[int], np.ndarray]], coordinates: int) -> Tokens:
    counts = [len(names) for names, _ in characters]
    return Tokens(
        np.concatenate([np.array(names, np.int64) for names, _ in characters]),
        np.concatenate([p.reshape(-1, coordinates) for _, p in characters]).astype(np.float32),
        np.repeat(np.arange(len(counts)), counts),
    )
