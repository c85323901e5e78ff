"""Connected parts of a picture's ink, and which of them are the character.

In whole numbers, as demo/parts.js has them. Needs NumPy alone.
"""

from typing import NamedTuple

import numpy as np

DOT = 40  # a part of the longer side: nothing so small is a character
SLICE = 5  # a part of the side: no neighbour reaches in further
SPECK = 40  # likewise, and no dot of a character either where it lies apart


def pen_of(mask: np.ndarray) -> int:
    """Width of strokes in pixels: ink over half its edge."""
    edge = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return 2 * np.count_nonzero(mask) // max(edge, 1)


class Parts(NamedTuple):
    """Connected parts of a mask: int (N,) each, edges as first and last-plus-one; and runs of
    pixels in rows (row, first, last plus one, part)."""

    area: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray
    runs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    def drawn(self, chosen: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """The parts that are `chosen`, bool (N,), as a mask."""
        of_chosen = chosen[self.runs[3]]
        row, first, last = (run[of_chosen] for run in self.runs[:3])
        # Paper and ink take turns.
        ends = np.zeros(2 * len(row) + 2, np.int64)
        ends[1:-1:2], ends[2:-1:2] = row * shape[1] + first, row * shape[1] + last
        ends[-1] = shape[0] * shape[1]
        is_ink = np.arange(len(ends) - 1) % 2 > 0
        return is_ink.repeat(ends[1:] - ends[:-1]).reshape(shape)


def parts_of(mask: np.ndarray) -> Parts:
    """Parts that touch, be it at corners; those that come first in rows come first."""
    height, width = mask.shape[0], mask.shape[1] + 2
    framed = np.zeros((height, width), bool)
    framed[:, 1:-1] = mask
    line = framed.ravel()
    start, end = np.flatnonzero(line[1:] != line[:-1]).reshape(-1, 2).T
    row = start // width
    first, last = start - row * width, end - row * width
    # Runs of the row above that touch each: in the order of rows both ends only grow.
    above = np.searchsorted(end, start - width)
    beyond = np.searchsorted(start, end - width, side="right")
    count = np.maximum(beyond - above, 0)
    b = np.repeat(np.arange(len(row)), count)
    a = np.arange(len(b)) - np.repeat(count.cumsum() - count, count) + np.repeat(above, count)
    root = np.arange(len(row))
    while len(a):
        low = np.minimum(root[a], root[b])
        before = root.copy()
        np.minimum.at(root, before[a], low)
        np.minimum.at(root, before[b], low)
        while (root[root] != root).any():
            root = root[root]
        if (root == before).all():
            break
    is_root = root == np.arange(len(row))
    part, number = (is_root.cumsum() - 1)[root], np.count_nonzero(is_root)

    def extreme(values: np.ndarray, of: np.ufunc, start: int) -> np.ndarray:
        out = np.full(number, start)
        of.at(out, part, values)
        return out

    return Parts(
        np.bincount(part, last - first, number).astype(np.int64),
        extreme(row, np.minimum, mask.shape[0]),
        extreme(row + 1, np.maximum, 0),
        extreme(first, np.minimum, mask.shape[1]),
        extreme(last, np.maximum, 0),
        (row, first, last, part),
    )


def main_parts(mask: np.ndarray, box: tuple[int, int, int, int] | None) -> np.ndarray:
    """The parts that are the character: no specks beside it, nothing that reaches in over the edge
    of the picture, nothing outside the box of its cell."""
    parts = parts_of(mask)
    if not len(parts.area):
        return mask
    longer = np.maximum(parts.bottom - parts.top, parts.right - parts.left)
    kept = np.ones(len(longer), bool)
    if box:
        top, bottom, left, right = box
        y, x = (parts.top + parts.bottom) // 2, (parts.left + parts.right) // 2
        out = max(bottom - top, right - left) // 10  # a stroke may miss its cell
        kept = (y > top - out) & (y < bottom + out) & (x > left - out) & (x < right + out)
    pen = pen_of(parts.drawn(3 * longer >= longer.max(), mask.shape))
    kept = _without_specks(parts, kept, pen, max(mask.shape))
    kept = _without_neighbours(parts, kept, *mask.shape)
    if not kept.any() or max(extent(parts, kept)[2:]) < max(max(mask.shape) // DOT, 3):
        return np.zeros_like(mask)
    return parts.drawn(kept, mask.shape)


def extent(parts: Parts, chosen: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, height and width of the parts that are chosen together."""
    top, left = int(parts.top[chosen].min()), int(parts.left[chosen].min())
    height, width = int(parts.bottom[chosen].max()) - top, int(parts.right[chosen].max()) - left
    return top, left, height, width


def _without_specks(parts: Parts, kept: np.ndarray, pen: int, side: int) -> np.ndarray:
    """No parts smaller than a touch of the pen, nor such as are hardly larger and lie apart."""
    longer = np.maximum(parts.bottom - parts.top, parts.right - parts.left)
    small = kept & (5 * longer < 4 * pen)
    doubtful = kept & ~small & (10 * longer <= 13 * pen) & (SPECK * longer <= side)
    rest = kept & ~small & ~doubtful
    if not rest.any():
        return kept & ~small if (kept & ~small).any() else kept
    top, left, height, width = extent(parts, rest)
    apart = max(height, width) // 20
    near = (parts.top < top + height + apart) & (parts.bottom > top - apart)
    near &= (parts.left < left + width + apart) & (parts.right > left - apart)
    return rest | (doubtful & near)


def _without_neighbours(parts: Parts, kept: np.ndarray, height: int, width: int) -> np.ndarray:
    """No parts that reach in over an edge of the picture, but not far, where the rest is a
    character by itself. One that is cut out closely reaches every edge with what belongs to it."""
    edges = (
        parts.top == 0, parts.bottom == height, parts.left == 0, parts.right == width,
    )  # fmt: skip
    reach = (
        SLICE * parts.bottom <= height, SLICE * (height - parts.top) <= height,
        SLICE * parts.right <= width, SLICE * (width - parts.left) <= width,
    )  # fmt: skip
    touching = kept & np.logical_or.reduce([e & r for e, r in zip(edges, reach, strict=True)])
    inner = kept & ~touching
    if not inner.any() or not touching.any():
        return kept
    top, left, tall, wide = extent(parts, inner)
    touched = sum(bool((kept & edge).any()) for edge in edges)
    least = 3 * max(height, width)
    if not (10 * min(tall, wide) >= least or (touched <= 2 and 10 * max(tall, wide) >= least)):
        return kept
    down = np.minimum(parts.bottom, top + tall) - np.maximum(parts.top, top)
    along = np.minimum(parts.right, left + wide) - np.maximum(parts.left, left)
    shared = np.maximum(down, 0) * np.maximum(along, 0)
    room = (parts.bottom - parts.top) * (parts.right - parts.left)
    small = 2 * parts.area <= parts.area[inner].sum()
    belonging = inner | (touching & ((4 * shared > room) | ~small))
    # What reaches three edges without the others is cut out closely, the others with it.
    reached = sum(bool((belonging & edge).any()) for edge in edges)
    return kept if reached >= 3 else belonging
