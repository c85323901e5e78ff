"""Rules and cells on the paper: long straight lines that are no strokes.

Lines are looked for nearly level, and in the picture on its side, nearly upright. In whole numbers,
as demo/rules.js has them. Needs NumPy alone.
"""

from typing import NamedTuple

import numpy as np

from kakitori.reading.normalising.ground import rimmed, spread, windows
from kakitori.reading.normalising.parts import DOT, pen_of

# In parts of the side.
THIN = 40  # at most so thick
LONG = 3  # at least so long
EDGE = 50  # so near to the edge is at it
SEEN = 12  # so much of it at least is to be seen in a row, beside the strokes that hide it
OUTER = 8  # so near to the edges lies the box of a cell; 国 has its margins
GAP = 2  # pixels of a line that may lack


class Line(NamedTuple):
    """A thin level line, or, of a picture on its side, an upright one.

    first, last : its columns. thickness : rows. left, middle, right : in tenths of a row, where its
    thirds lie.
    """

    first: int
    last: int
    thickness: int
    left: int
    middle: int
    right: int

    @property
    def length(self) -> int:
        return self.last + 1 - self.first

    def is_straight(self) -> bool:
        return abs(2 * self.middle - self.left - self.right) <= 15

    def height(self, sixths: np.ndarray | int) -> np.ndarray | int:
        """Where it lies, in tenths of a row, at so many sixths of a column from `first` on."""
        # The outer thirds' middles lie two thirds of its length apart.
        return self.left + (self.right - self.left) * (sixths - self.length) // (4 * self.length)

    def between(self, first: int, last: int) -> "Line":
        """The same line from one column to another."""
        start, length = 6 * (first - self.first), last + 1 - first
        left, right = self.height(start + length), self.height(start + 5 * length)
        middle = self.middle + (left + right - self.left - self.right) // 2
        return Line(first, last, self.thickness, left, middle, right)


class Courses(NamedTuple):
    """Where lines run: which columns each has, bool (N, W), and its first and last row by column,
    int64 (N, W), which go on where it has ended."""

    there: np.ndarray
    top: np.ndarray
    bottom: np.ndarray


class Rules(NamedTuple):
    """pixels : bool (H, W). box : top, bottom, left and right of a cell, or None."""

    pixels: np.ndarray
    box: tuple[int, int, int, int] | None


Lines = list[list[Line]]  # the level and the upright ones


def ruled(mask: np.ndarray) -> Rules:
    """Rules from edge to edge, or else the box of a cell and what lies across it."""
    sides = (mask, np.ascontiguousarray(mask.T))
    lines = [level_lines(side) for side in sides]
    chosen, box = [], None
    for side, side_lines in zip(sides, lines, strict=True):
        width = side.shape[1]
        near = max(width // EDGE, 2)
        across = [a for a in side_lines if a.first <= near and a.last >= width - 1 - near]
        if len(across) == 2 and _is_tied(side & ~drawn(side.shape, [across, []]), across):
            across = []
        chosen.append(across)
    if not any(chosen):
        chosen, box = _box(mask, lines)
    pixels = drawn(mask.shape, chosen) & mask
    other = mask & ~pixels
    if not extends(other) and max(map(len, chosen)) < 2:
        return Rules(np.zeros_like(mask), None)  # 一 from edge to edge
    crossing = np.zeros_like(mask)
    for part, crossed, rules in zip((other, other.T), (crossing, crossing.T), chosen, strict=True):
        if rules:
            crossed |= _crossing(part, rules)
    return Rules(pixels & ~crossing, box)


def level_lines(mask: np.ndarray) -> list[Line]:
    """Thin, long, nearly level lines, be they crossed by strokes."""
    height, width = mask.shape
    most = max(max(mask.shape) // THIN, 3)
    least = max(max(mask.shape) // LONG, 3)
    if width < least or height <= most + 1:
        return []
    thin = mask & ~_runs(mask, most + 1, 0)
    near = spread(mask, 2, 0)
    near = spread(spread(near, GAP, 1), GAP, 1, np.minimum, 1)
    thin &= _runs(near, least, 1)
    counts = thin.view(np.uint8).sum(1, dtype=np.uint32)
    # A line that rises leaves few of its pixels in each row, and strokes hide some.
    rows = np.convolve(counts, np.ones(5, int), "same") * SEEN >= width
    framed = np.concatenate([[False], rows, [False]])
    changes = np.flatnonzero(framed[1:] != framed[:-1]).tolist()
    lines = []
    for top, bottom in zip(changes[::2], changes[1::2], strict=True):
        inked = np.flatnonzero(counts[top:bottom])
        if not len(inked):
            continue
        top, bottom = top + int(inked[0]), top + int(inked[-1]) + 1
        line = _line(thin[top:bottom], mask[top:bottom], top)
        if line:
            lines.append(_extended(line, mask))
    return lines


def _runs(mask: np.ndarray, length: int, axis: int) -> np.ndarray:
    """The part of a mask that is in runs of at least `length` along an axis."""
    if mask.shape[axis] < length:
        return np.zeros_like(mask)
    whole = windows(mask, length, axis, np.minimum)
    rim = (length - 1, 0) if axis == 0 else (0, length - 1)
    return windows(rimmed(whole, *rim), length, axis, np.maximum)


def _line(thin: np.ndarray, mask: np.ndarray, top: int) -> Line | None:
    # How many pixels each column has, and the sum of their rows.
    rows = np.arange(top, top + len(thin))
    counts, sums = np.stack([np.ones_like(rows), rows]) @ thin
    inked = np.flatnonzero(counts)
    first, last = int(inked[0]), int(inked[-1])
    length = last + 1 - first
    covered = np.count_nonzero(mask[:, first : last + 1].any(0))
    if SEEN * len(inked) < length or 20 * covered < 17 * length:
        return None
    heights = []
    for third in range(3):
        part = slice(first + third * length // 3, first + (third + 1) * length // 3)
        pixels = int(counts[part].sum())
        heights.append(10 * int(sums[part].sum()) // pixels if pixels else None)
    # What a stroke hides is where the rest says.
    left, middle, right = heights
    known = next(h for h in (middle, left, right) if h is not None)
    left, right = (known if h is None else h for h in (left, right))
    middle = (left + right) // 2 if middle is None else middle
    some = np.sort(counts[inked])
    return Line(first, last, int(some[len(some) // 2]), left, middle, right)


def _extended(line: Line, mask: np.ndarray) -> Line:
    """As far as there is ink where it would go on, be it of strokes that hide it."""
    height, width = mask.shape
    if line.length == width:
        return line
    columns = np.arange(width)
    at = line.height(6 * (columns - line.first)) // 10
    half = line.thickness // 2 + 1
    rows = at + np.arange(-half, half + 1)[:, None]
    there = mask[rows.clip(0, height - 1), columns] & (rows >= 0) & (rows < height)
    there = there.any(0)
    before, after = there[: line.first + 1][::-1], there[line.last :]
    return line.between(line.first - _goes_on(before), line.last + _goes_on(after))


def _goes_on(there: np.ndarray) -> int:
    """How many places there is ink from the first one on, but for small gaps."""
    if len(there) < 2:
        return 0
    places = np.append(0, np.flatnonzero(there))
    ends = np.flatnonzero(np.diff(places) > GAP + 1)
    return int(places[ends[0]] if len(ends) else places[-1])


def drawn(shape: tuple[int, int], lines: Lines) -> np.ndarray:
    """The lines' pixels, and a pixel on either side."""
    mask = np.zeros(shape, bool)
    for part, parallels in zip((mask, mask.T), lines, strict=True):
        if parallels:
            courses = _courses(parallels, part.shape[1])
            part |= _bands(part.shape, courses, courses.there)
    return mask


def _courses(lines: list[Line], width: int) -> Courses:
    first, last, thickness, left, _, right = np.array(lines).T[..., None]
    columns, length = np.arange(width), last + 1 - first
    # As `Line.height`.
    height = left + (right - left) * (6 * (columns - first) - length) // (4 * length)
    half = 5 * thickness + 4
    there = (columns >= first) & (columns <= last)
    return Courses(there, -((half - height) // 10), (height + half) // 10)


def _bands(shape: tuple[int, int], courses: Courses, which: np.ndarray) -> np.ndarray:
    """What lies on lines, and a pixel on either side, in `which` columns of each, bool (N, W)."""
    height, width = shape
    top, bottom = courses.top - 1, courses.bottom + 1
    low = np.where(which, top, height).min(1)
    depth = max(int((np.where(which, bottom, -1).max(1) + 1 - low).max()), 0)
    rows = low[:, None] + np.arange(depth)
    bands = (rows[..., None] >= top[:, None]) & (rows[..., None] <= bottom[:, None])
    bands &= which[:, None]
    # With room above and below for what of a line lies outside the picture.
    mask = np.zeros((height + 2 * depth, width), bool)
    for first, band in zip((low + depth).clip(0, height + depth).tolist(), bands, strict=True):
        mask[first : first + depth] |= band
    return mask[depth : depth + height]


def _ends(mask: np.ndarray, courses: Courses, away: int = 2) -> np.ndarray:
    """By line and column whether there is ink just above and just below it, bool (2, N, W)."""
    height, width = mask.shape
    rows = np.stack([courses.top - away, courses.bottom + away])
    inside = (rows >= 0) & (rows < height) & courses.there
    return mask[np.clip(rows, 0, height - 1), np.arange(width)] & inside


def _crossing(other: np.ndarray, lines: list[Line]) -> np.ndarray:
    """Where strokes lie on lines: where one goes on on the other side, or where it is so thick
    beside the line that it is no rest of it."""
    courses = _courses(lines, other.shape[1])
    near, far = _ends(other, courses), _ends(other, courses, 3)
    both = near[0] & far[0] | near[1] & far[1]
    for thickness in {line.thickness for line in lines}:
        these = [line.thickness == thickness for line in lines]
        above, below = (spread(side[these], thickness // 2 + 1, 1) for side in near)
        both[these] |= above & below
    return _bands(other.shape, courses, both & courses.there)


def _is_tied(other: np.ndarray, lines: list[Line]) -> bool:
    """Whether strokes of the rest go from one line to another and end there, as in 工 and 日."""
    upper, lower = sorted(lines, key=lambda line: line.middle)
    if lower.middle - upper.middle < 10 * len(other) // 4:
        return False
    above, below = _ends(other, _courses([upper, lower], other.shape[1])).any(2)
    return bool(below[0] and above[1] and not above[0] and not below[1])


def extends(mask: np.ndarray) -> bool:
    """Whether what is left is more than crumbs."""
    if not mask.any():
        return False
    least = max(max(mask.shape) // DOT, 2)
    return any(int(np.ptp(np.flatnonzero(mask.any(axis)))) >= least for axis in (0, 1))


# --- cells --------------------------------------------------------------------------------------


def _box(mask: np.ndarray, lines: Lines) -> tuple[Lines, tuple[int, int, int, int] | None]:
    """The four lines of a cell around the rest of the ink, and thin ones from side to side of it:
    straight, at right angles, meeting at their ends, and near the picture's edges or thinner than
    the pen."""
    height, width = mask.shape
    nothing: tuple[Lines, None] = ([[], []], None)
    near = max(max(mask.shape) // EDGE, 3)
    best = _largest([[a for a in parallels if a.is_straight()] for parallels in lines], near)
    if best is None:
        return nothing
    a, b, c, d = best
    top, bottom, left, right = (line.middle // 10 for line in best)
    pairs = [[a, b], [c, d]]
    other = mask & ~drawn(mask.shape, pairs)
    inner = other[top : bottom + 1, left : right + 1]
    pen = pen_of(inner)
    thinner = 10 * max(line.thickness for line in best) <= 6 * pen
    if not extends(inner):
        return nothing
    if not thinner:
        outer = max(top, left, height - 1 - bottom, width - 1 - right) <= max(mask.shape) // OUTER
        tied = _is_tied(other, [a, b]) or _is_tied(other.T, [c, d])
        if not outer or tied or _beyond(best) > near:
            return nothing
    for parallels, pair, (first, last) in zip(
        lines, pairs, ((left, right), (top, bottom)), strict=True
    ):
        parallels = [x for x in parallels if x not in pair and 10 * x.thickness <= 6 * pen]
        pair += [x for x in parallels if x.first <= first + near and x.last >= last - near]
    return pairs, (top, bottom, left, right)


def _largest(lines: Lines, near: int) -> tuple[Line, Line, Line, Line] | None:
    """Upper, lower, left and right line of the largest box."""
    level, upright = lines
    best, size = None, 0
    for a in level:
        for b in level:
            if b.middle <= a.middle:
                continue
            for c in upright:
                for d in upright:
                    area = (b.middle - a.middle) * (d.middle - c.middle)
                    if area > size and _meet(a, b, c, d, near):
                        best, size = (a, b, c, d), area
    return best


def _corners(
    a: Line, b: Line, c: Line, d: Line
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """First ends of four lines and where they ought to be, in pixels and tenths; and last ends."""
    first = [(a.first, c.left), (b.first, c.right), (c.first, a.left), (d.first, a.right)]
    last = [(a.last, d.left), (b.last, d.right), (c.last, b.left), (d.last, b.right)]
    return first, last


def _meet(a: Line, b: Line, c: Line, d: Line, near: int) -> bool:
    """Whether upper, lower, left and right line reach each other, at right angles."""
    first, last = _corners(a, b, c, d)
    slopes = [(x.right - x.left) * 100 // x.length for x in (a, b)]
    slopes += [(x.left - x.right) * 100 // x.length for x in (c, d)]
    return (
        max(slopes) - min(slopes) <= 12
        and all(10 * end - at <= 10 * near for end, at in first)
        and all(at - 10 * end <= 10 * near for end, at in last)
    )


def _beyond(box: tuple[Line, Line, Line, Line]) -> int:
    """By how many pixels at most a line of a box goes on past its corner."""
    first, last = _corners(*box)
    return max(*(at // 10 - end for end, at in first), *(end - at // 10 for end, at in last))
