"""The one character in a picture: its ink without shadows, rules, cells, borders and neighbours.

Ground is told from ink by a closing (Serra 1982), which follows any shadow, soft or sharp, and
lets go of what is narrower than a quarter of the picture. What stands out of the ground is looked
at as lines and as connected parts. All in whole numbers, so that a page, which does the same in
demo/segmentation.js, comes to the same pixels. Needs NumPy and Pillow alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 256  # pixels at most of the picture in which things are looked for
REACH = 8  # a part of the longer side: half of what a closing fills
BLACK = 213  # of 255: contrast of full ink where none can be measured
LEAST = 16  # of 255: contrast of ink with its ground
DARKEST = 64  # of 255: darker ground does not lift the contrast of its ink any more
NOISE = 4  # deviations between neighbouring pixels that ink stands out by
FAINT = 8  # a part of full ink: what is looked at
DOT = 40  # a part of the longer side: nothing so small is a character
SPECK = 40  # likewise, and no dot of a character either where it lies apart

# Of lines, in parts of the side.
THIN = 40  # at most so thick
LONG = 3  # at least so long
EDGE = 50  # so near to the edge is at it
SEEN = 12  # so much of it at least is to be seen in a row, beside the strokes that hide it
OUTER = 8  # so near to the edges lies the box of a cell; 国 has its margins


def ink_of(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The character's part of a picture.

    Parameters
    ----------
    levels : uint8 (H, W), dark on light or light on dark, as `pictures.levels` gives.

    Returns
    -------
    Its ink uint8 (h, w), bright on 0, with a margin; where it is, bool (h, w), empty where the
    picture holds no character; and pixels of the whole picture.
    """
    factor = -(-max(levels.shape) // SIDE)
    small = np.asarray(Image.fromarray(levels).reduce(factor))
    noise = noise_of(small)
    smooth = averaged(small) if noise >= 2 else small
    if not is_dark(smooth):
        levels, smooth = 255 - levels, 255 - smooth
    least = max(LEAST, NOISE * noise * int(_GAIN[int(np.median(smooth))]) >> 8)
    ground = ground_of(smooth, least)
    ink = contrast(ground, smooth)
    kept, removed = character(ink, least)
    rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    if not len(rows):
        return np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool), levels.size
    # What `photos` cuts out lies within, its margin included.
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    margin = max(bottom - top, right - left) // 16 + 4
    top, left = max(top - margin, 0), max(left - margin, 0)
    cut = (slice(top, bottom + margin), slice(left, right + margin))
    area = tuple(slice(factor * s.start, factor * s.stop) for s in cut)
    levels = levels[area]

    def enlarged(part: np.ndarray) -> np.ndarray:
        height, width = levels.shape
        return part[cut].repeat(factor, 0)[:height].repeat(factor, 1)[:, :width]

    whole = contrast(enlarged(ground), levels)
    if removed.any():
        whole[enlarged(widened(removed, 1) & ~kept)] = 0
    return whole, enlarged(widened(kept, 1)), small.size * factor * factor


def noise_of(image: np.ndarray) -> int:
    """The median difference between neighbours in a row, which is about the deviation of noise."""
    if image.shape[1] < 2:
        return 0
    wide = image.astype(np.int16)
    differences = np.abs(wide[:, 1:] - wide[:, :-1]).ravel()
    return int(np.partition(differences, differences.size // 2)[differences.size // 2])


def averaged(image: np.ndarray) -> np.ndarray:
    """Means of 3 × 3 pixels, at the edges of those there are nearest, rounded down."""
    wide = np.pad(image, 1, mode="edge").astype(np.uint16)
    wide = wide[:-2] + wide[1:-1] + wide[2:]
    return ((wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]) // 9).astype(np.uint8)


# Octaves of brightness in 64ths, above a floor that keeps the noise of black out.
_OCTAVES = np.rint(64 * np.log2((np.arange(256) + 16) / 16)).astype(np.int64)


def is_dark(image: np.ndarray) -> bool:
    """Whether ink is darker than its ground: it takes less room, and so lies further from the mean
    (the third moment); where much is neither dark nor light, of octaves, since shadows divide."""
    values = np.asarray(Image.fromarray(image).reduce(4)).astype(np.int64)
    ranked = np.sort(values, axis=None)
    low, high = int(ranked[len(ranked) // 50]), int(ranked[-1 - len(ranked) // 50])
    between = (4 * values > 3 * low + high) & (4 * values < low + 3 * high)
    if 5 * between.sum() > values.size:
        values = _OCTAVES[values]
    return int(((values - values.sum() // values.size) ** 3).sum()) <= 0


def ground_of(image: np.ndarray, least: int) -> np.ndarray:
    """The paper without the writing, uint8 of the image's shape: the least of the greatest levels
    of the squares around each pixel.

    Squares may reach out of the picture, and then a shadow, a dark corner or a rim is ground there.
    What is as dark as the writing is not: a character may be cut out closely.
    """
    radius = max(max(image.shape) // REACH, 1)
    wide = np.pad(image, 2 * radius)
    for axis in (0, 1):
        wide = windows(wide, 2 * radius + 1, axis, np.maximum)
    inside = wide[radius:-radius, radius:-radius]
    for axis in (0, 1):
        wide = windows(wide, 2 * radius + 1, axis, np.minimum)
        inside = spread(inside, radius, axis, np.minimum, 255)
    full = full_ink(contrast(wide, image), least) or BLACK
    as_dark = 4 * contrast(inside, image).astype(np.int32) >= 3 * full
    return np.where(as_dark, inside, wide)


def spread(
    image: np.ndarray,
    radius: int,
    axis: int,
    extreme: Callable = np.maximum,
    outside: int = 0,
) -> np.ndarray:
    """The greatest or least of 2 · radius + 1 pixels along an axis, those `outside` included."""
    rim = [(0, 0), (0, 0)]
    rim[axis] = (radius, radius)
    return windows(np.pad(image, rim, constant_values=outside), 2 * radius + 1, axis, extreme)


def windows(image: np.ndarray, length: int, axis: int, extreme: Callable) -> np.ndarray:
    """The extreme of each `length` pixels along an axis, so many fewer; by doubling."""
    done = 1
    while done < length:
        step = min(done, length - done)
        image = (
            extreme(image[:-step], image[step:])
            if axis == 0
            else extreme(image[:, :-step], image[:, step:])
        )
        done += step
    return image


def widened(mask: np.ndarray, radius: int) -> np.ndarray:
    return spread(spread(mask, radius, 0), radius, 1)


_GAIN = 255 * 256 // np.maximum(np.arange(256), DARKEST)


def contrast(ground: np.ndarray, image: np.ndarray) -> np.ndarray:
    """How much darker than its ground each pixel is, as a share of the ground, of 255: so ink in a
    shadow is as dark as elsewhere."""
    darker = np.where(image < ground, ground - image, 0).astype(np.uint32)
    gain = _GAIN.astype(np.uint32)[ground]
    return ((darker * gain) >> 8).clip(0, 255).astype(np.uint8)


def full_ink(ink: np.ndarray, least: int) -> int:
    """What a quarter of the pixels of ink reach; 0 where there is none."""
    counts = np.bincount(ink.ravel(), minlength=256)
    counts[:least] = 0
    above = counts[::-1].cumsum()[::-1]
    if not above[0]:
        return 0
    return int(np.flatnonzero(4 * above >= above[0])[-1])


def character(ink: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels are of the character and which of something else, bool (H, W) each."""
    nothing = np.zeros(ink.shape, bool)
    full = full_ink(ink, least)
    mask = ink >= max(least, full // FAINT) if full else nothing
    rest = mask & ~border_strips(mask)
    rules = ruled(rest)
    rest &= ~rules.pixels
    kept = main_parts(rest, rules.box)
    return kept, mask & ~kept


# --- lines --------------------------------------------------------------------------------------


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

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last row of it by column, from `first` to `last`."""
        # The outer thirds' middles lie two thirds of its length apart.
        along = np.arange(self.length) * 6 - self.length
        height = self.left + (self.right - self.left) * along // (4 * self.length)
        half = 5 * self.thickness + 4
        return -((half - height) // 10), (height + half) // 10


class Rules(NamedTuple):
    """pixels : bool (H, W). box : top, bottom, left and right of a cell, or None."""

    pixels: np.ndarray
    box: tuple[int, int, int, int] | None


def border_strips(mask: np.ndarray) -> np.ndarray:
    """Dark strips along the picture's edges, as a scanner leaves them, bool (H, W). A character
    that is cut out closely has none: it reaches the other edge as well."""
    found, result = np.zeros_like(mask), np.zeros_like(mask)
    depths = []
    for turn in range(4):
        side = np.rot90(mask, turn)
        dark = 10 * side.sum(1) >= 9 * side.shape[1]
        depth = len(dark) if dark.all() else int(dark.argmin())
        depths.append(depth if depth <= len(dark) // REACH + 1 else 0)
    thin = max(max(mask.shape) // THIN, 3)
    if not any(depths) or all(depth > thin for depth in depths):
        return result
    for turn, depth in enumerate(depths):
        np.rot90(found, turn)[:depth] = True
    rest = mask & ~found
    if not rest.any():
        return result
    for turn, depth in enumerate(depths):
        side, opposite = np.rot90(rest, turn), depths[(turn + 2) % 4]
        tied = side[len(side) - 1 - opposite].any() and (not opposite or side[depth].any())
        if depth and not tied:
            np.rot90(result, turn)[:depth] = True
    return result & mask


def ruled(mask: np.ndarray) -> Rules:
    """Rules from edge to edge, or else the box of a cell."""
    sides = (mask, mask.T)
    lines = [level_lines(side) for side in sides]
    chosen, box = [], None
    for side, found in zip(sides, lines, strict=True):
        width = side.shape[1]
        near = max(width // EDGE, 2)
        across = [a for a in found if a.first <= near and a.last >= width - 1 - near]
        chosen.append([] if len(across) == 2 and _is_tied(side, across) else across)
    if not any(chosen):
        chosen, box = _box(mask, lines)
    pixels = np.zeros_like(mask)
    for part, found in zip((pixels, pixels.T), chosen, strict=True):
        for line in found:
            _draw(part, line)
    pixels &= mask
    if not _extends(mask & ~pixels) and max(map(len, chosen)) < 2:
        return Rules(np.zeros_like(mask), None)  # 一 from edge to edge
    crossing = np.zeros_like(mask)
    other = mask & ~pixels
    for part, crossed, found in zip((other, other.T), (crossing, crossing.T), chosen, strict=True):
        for line in found:
            _cross(part, line, crossed)
    return Rules(pixels & ~crossing, box)


def level_lines(mask: np.ndarray) -> list[Line]:
    """Thin, long, nearly level lines, be they crossed by strokes."""
    height, width = mask.shape
    most = max(max(mask.shape) // THIN, 3)
    least = max(max(mask.shape) // LONG, 3)
    if width < least or height <= most + 1:
        return []
    thin = mask & ~_runs(mask, most + 1, 0)
    near = spread(mask, 1, 0)
    near = spread(spread(near, 2, 1), 2, 1, np.minimum, 1)
    thin &= _runs(near, least, 1)
    rows = thin.sum(1) * SEEN >= width
    changes = np.flatnonzero(np.diff(np.pad(rows, 1).astype(np.int8))).tolist()
    found = []
    for top, bottom in zip(changes[::2], changes[1::2], strict=True):
        line = _line(thin[top:bottom], mask[top:bottom], top)
        if line:
            found.append(line)
    return found


def _runs(mask: np.ndarray, length: int, axis: int) -> np.ndarray:
    """The part of a mask that is in runs of at least `length` along an axis."""
    rim = [(0, 0), (0, 0)]
    rim[axis] = (length - 1, length - 1)
    if mask.shape[axis] < length:
        return np.zeros_like(mask)
    whole = windows(mask, length, axis, np.minimum)
    return windows(np.pad(whole, rim), length, axis, np.maximum)


def _line(thin: np.ndarray, mask: np.ndarray, top: int) -> Line | None:
    inked = np.flatnonzero(thin.any(0))
    first, last = int(inked[0]), int(inked[-1])
    length = last + 1 - first
    thin, mask = thin[:, first : last + 1], mask[:, first : last + 1]
    counts = thin.sum(0)
    if SEEN * (counts > 0).sum() < length or 20 * mask.any(0).sum() < 17 * length:
        return None
    sums = (thin * np.arange(top, top + len(thin))[:, None]).sum(0)
    heights = []
    for third in range(3):
        part = slice(third * length // 3, (third + 1) * length // 3)
        pixels = int(counts[part].sum())
        heights.append(10 * int(sums[part].sum()) // pixels if pixels else None)
    # What a stroke hides is where the rest says.
    left, middle, right = heights
    known = next(h for h in (middle, left, right) if h is not None)
    left, right = (known if h is None else h for h in (left, right))
    middle = (left + right) // 2 if middle is None else middle
    some = np.sort(counts[counts > 0])
    return Line(first, last, int(some[len(some) // 2]), left, middle, right)


def _draw(mask: np.ndarray, line: Line) -> None:
    """A line's pixels, and a pixel on either side."""
    tops, bottoms = line.rows()
    low, high = max(int(tops.min()) - 1, 0), min(int(bottoms.max()) + 2, len(mask))
    row = np.arange(low, high)[:, None]
    mask[low:high, line.first : line.last + 1] |= (row >= tops - 1) & (row <= bottoms + 1)


def _ends(mask: np.ndarray, line: Line) -> tuple[np.ndarray, np.ndarray]:
    """By column of a line whether there is ink just above and just below it."""
    tops, bottoms = line.rows()
    columns = np.arange(line.first, line.last + 1)
    sides = []
    for rows in (tops - 2, bottoms + 2):
        inside = (rows >= 0) & (rows < len(mask))
        sides.append(mask[np.clip(rows, 0, len(mask) - 1), columns] & inside)
    return sides[0], sides[1]


def _cross(other: np.ndarray, line: Line, crossing: np.ndarray) -> None:
    """Mark where a stroke goes on on the other side of a line."""
    above, below = _ends(other, line)
    if not (above.any() and below.any()):
        return
    reach = line.thickness // 2 + 1
    both = spread(above[None], reach, 1) & spread(below[None], reach, 1)
    tops, bottoms = line.rows()
    low, high = max(int(tops.min()) - 1, 0), min(int(bottoms.max()) + 2, len(other))
    row = np.arange(low, high)[:, None]
    inside = both & (row >= tops - 1) & (row <= bottoms + 1)
    crossing[low:high, line.first : line.last + 1] |= inside


def _is_tied(mask: np.ndarray, lines: list[Line]) -> bool:
    """Whether strokes go from one line to another and end there, as in 工 and 日."""
    upper, lower = sorted(lines, key=lambda line: line.middle)
    if lower.middle - upper.middle < 10 * len(mask) // 4:
        return False
    other = mask.copy()
    drawn = np.zeros_like(mask)
    for line in lines:
        _draw(drawn, line)
    other &= ~drawn
    (beyond, inside), (inside_too, beyond_too) = _ends(other, upper), _ends(other, lower)
    return bool(inside.any() and inside_too.any() and not beyond.any() and not beyond_too.any())


def _extends(mask: np.ndarray) -> bool:
    """Whether what is left is more than crumbs."""
    if not mask.any():
        return False
    least = max(max(mask.shape) // DOT, 2)
    return any(int(np.ptp(np.flatnonzero(mask.any(axis)))) >= least for axis in (0, 1))


def _box(
    mask: np.ndarray, lines: list[list[Line]]
) -> tuple[list[list[Line]], tuple[int, int, int, int] | None]:
    """The four lines of a cell around the rest of the ink: straight, at right angles, meeting at
    their ends, and near the picture's edges or thinner than the pen."""
    height, width = mask.shape
    level, upright = ([a for a in found if a.is_straight()] for found in lines)
    near = max(max(mask.shape) // EDGE, 3)

    def meets(a: Line, b: Line, c: Line, d: Line) -> bool:
        """Of upper, lower, left and right."""
        corners = (
            (a.first, c.left), (a.last, d.left), (b.first, c.right), (b.last, d.right),
            (c.first, a.left), (c.last, b.left), (d.first, a.right), (d.last, b.right),
        )  # fmt: skip
        slopes = [(x.right - x.left) * 100 // x.length for x in (a, b)]
        slopes += [(x.left - x.right) * 100 // x.length for x in (c, d)]
        return (
            all(abs(10 * end - at) <= 10 * near for end, at in corners)
            and max(slopes) - min(slopes) <= 12
        )

    best, size = None, 0
    for a in level:
        for b in level:
            for c in upright:
                for d in upright:
                    area = (b.middle - a.middle) * (d.middle - c.middle)
                    ordered = b.middle > a.middle and d.middle > c.middle
                    if ordered and area > size and meets(a, b, c, d):
                        best, size = (a, b, c, d), area
    if best is None:
        return [[], []], None
    a, b, c, d = best
    top, bottom, left, right = (line.middle // 10 for line in best)
    drawn = np.zeros_like(mask)
    for part, pair in ((drawn, (a, b)), (drawn.T, (c, d))):
        for line in pair:
            _draw(part, line)
    inner = (mask & ~drawn)[top : bottom + 1, left : right + 1]
    outer = max(top, left, height - 1 - bottom, width - 1 - right) <= max(mask.shape) // OUTER
    thickness = max(line.thickness for line in best)
    thinner = 10 * thickness <= 6 * pen_of(inner)
    if not (outer or thinner) or not _extends(inner):
        return [[], []], None
    if not thinner and (_is_tied(mask, [a, b]) or _is_tied(mask.T, [c, d])):
        return [[], []], None
    return [[a, b], [c, d]], (top, bottom, left, right)


def pen_of(mask: np.ndarray) -> int:
    """Width of strokes in pixels: ink over half its edge."""
    edge = int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())
    return 2 * int(mask.sum()) // max(edge, 1)


# --- connected parts ----------------------------------------------------------------------------


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
        row, first, last, _ = (run[chosen[self.runs[3]]] for run in self.runs)
        change = np.zeros((shape[0], shape[1] + 1), np.int8)
        change[row, first] += 1
        change[row, last] -= 1
        return change.cumsum(1, dtype=np.int8)[:, :-1].astype(bool)


def parts_of(mask: np.ndarray) -> Parts:
    """Parts that touch, be it at corners; those that come first in rows come first."""
    width = mask.shape[1] + 2
    change = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1]
    # Runs of the row above that touch each: in the order of rows both ends only grow.
    above = np.searchsorted(row * width + last, (row - 1) * width + first)
    beyond = np.searchsorted(row * width + first, (row - 1) * width + last, side="right")
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
    _, part = np.unique(root, return_inverse=True)
    number = int(part.max(initial=-1)) + 1

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
    if not kept.any() or max(_extent(parts, kept)[2:]) < max(max(mask.shape) // DOT, 3):
        return np.zeros_like(mask)
    return parts.drawn(kept, mask.shape)


def _extent(parts: Parts, chosen: np.ndarray) -> tuple[int, int, int, int]:
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
    top, left, height, width = _extent(parts, rest)
    apart = max(height, width) // 20
    near = (parts.top < top + height + apart) & (parts.bottom > top - apart)
    near &= (parts.left < left + width + apart) & (parts.right > left - apart)
    return rest | (doubtful & near)


def _without_neighbours(parts: Parts, kept: np.ndarray, height: int, width: int) -> np.ndarray:
    """No parts that reach in over an edge of the picture, where the rest is a character by itself.
    One that is cut out closely reaches every edge with what belongs to it."""
    edges = (
        parts.top == 0, parts.bottom == height, parts.left == 0, parts.right == width,
    )  # fmt: skip
    touching = kept & np.logical_or.reduce(edges)
    inner = kept & ~touching
    if not inner.any() or not touching.any():
        return kept
    top, left, tall, wide = _extent(parts, inner)
    touched = sum(bool((kept & edge).any()) for edge in edges)
    least = 3 * max(height, width)
    if not (10 * min(tall, wide) >= least or (touched <= 2 and 10 * max(tall, wide) >= least)):
        return kept
    down = np.minimum(parts.bottom, top + tall) - np.maximum(parts.top, top)
    along = np.minimum(parts.right, left + wide) - np.maximum(parts.left, left)
    shared = np.maximum(down, 0) * np.maximum(along, 0)
    room = (parts.bottom - parts.top) * (parts.right - parts.left)
    small = 2 * parts.area <= parts.area[inner].sum()
    return inner | (touching & ((4 * shared > room) | ~small))
