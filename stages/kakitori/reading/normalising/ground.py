"""Paper and writing told apart: how much darker than its ground each pixel of a picture is.

The ground is a closing (Serra 1982), which follows any shadow, soft or sharp, and lets go of what
is narrower than a quarter of the picture. All in whole numbers, so that a page, which does the same
in demo/ground.js, comes to the same pixels. Needs NumPy and Pillow alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided
from PIL import Image

REACH = 8  # a part of the longer side: half of what a closing fills
BLACK = 213  # of 255: contrast of full ink where none can be measured
LEAST = 16  # of 255: contrast of ink with its ground
DARKEST = 64  # of 255: darker ground does not lift the contrast of its ink any more
NOISE = 4  # deviations between neighbouring pixels that ink stands out by
RIM = 6  # a part of the side: so much of it on either side a table may take beside the paper
LINE = 2  # pixels of FINE: no thicker is a light line around light writing
FINE = 64  # pixels at least of the picture in which polarity is looked for


def noise_of(image: np.ndarray) -> int:
    """The median difference between neighbours in a row, which is about the deviation of noise."""
    if image.shape[1] < 2:
        return 0
    left, right = image[:, :-1], image[:, 1:]
    differences = np.maximum(left, right) - np.minimum(left, right)
    return ranked(counts_of(differences), differences.size // 2)


def counts_of(levels: np.ndarray) -> np.ndarray:
    """How many pixels of levels uint8 (H, W) have each, int64 (256,); Pillow counts in a third of
    `np.bincount`'s time."""
    return np.array(Image.fromarray(levels).histogram())


def ranked(counts: np.ndarray, rank: int) -> int:
    """The level, 0 to 255, that so many others are no greater than, of how many have each. Of few
    different values a partition takes ten times as long."""
    return int(counts.cumsum().searchsorted(rank, "right"))


def averaged(image: np.ndarray) -> np.ndarray:
    """Means of 3 × 3 pixels, at the edges of those there are nearest, rounded down."""
    wide = np.pad(image, 1, mode="edge").astype(np.uint16)
    wide = wide[:-2] + wide[1:-1] + wide[2:]
    return ((wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]) // 9).astype(np.uint8)


# --- polarity -----------------------------------------------------------------------------------

_BRIGHTNESS = np.arange(256)
# Its octaves in 64ths, above a floor that keeps the noise of black out.
_OCTAVES = np.rint(64 * np.log2((_BRIGHTNESS + 16) / 16)).astype(np.int64)


def is_dark(image: np.ndarray) -> bool:
    """Whether ink is darker than its ground: it takes less room, and so lies further from the mean
    (the third moment); where much is neither dark nor light, of octaves, since shadows divide.
    Where both take about as much, as in a character that is cut out closely, the ground is what the
    picture's edges show, unless three are strokes as in 田, or, where they are of two minds, what
    has the larger squares."""
    small = np.asarray(Image.fromarray(image).reduce(min(max(max(image.shape) // FINE, 1), 4)))
    low, high, shaded = _levels(small)
    dark = 2 * small.astype(np.int16) < low + high
    if all(_full(dark)) and (within := _paper_within(dark)):
        small, dark = small[within], dark[within]
        low, high, shaded = _levels(small)
    counts, values = counts_of(small), _OCTAVES if shaded else _BRIGHTNESS
    away = values - int(counts @ values) // small.size
    second, third = int(counts @ away**2), int(counts @ away**3)
    if not shaded and 2 * third**2 * small.size < second**3:  # skewness below 0.7
        votes = sum(2 * int(edge.sum()) > len(edge) for edge in _edges(dark))
        if votes in (0, 4):
            return not votes
        if votes == 2:
            return largest_square(dark) < largest_square(~dark)
        full = sum(_full(dark)), sum(_full(~dark))
        if 3 not in full or sum(full) == 4:
            return votes < 2
    return third <= 0


def _edges(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return mask[0], mask[-1], mask[:, 0], mask[:, -1]


def _full(mask: np.ndarray) -> list[bool]:
    """Whether all but a tenth of the upper, lower, left and right edge is of a mask."""
    return [bool(10 * edge.sum() >= 9 * len(edge)) for edge in _edges(mask)]


def _paper_within(dark: np.ndarray) -> tuple[slice, slice] | None:
    """What lies within a frame, or on a table around it: within the rows and columns along the
    edges of which half is dark. None where no light paper begins there, which leaves a third of the
    picture light, but light writing."""
    if 3 * int(dark.sum()) > 2 * dark.size:
        return None
    slices = []
    for lines in (dark, dark.T):
        most = len(lines) // RIM
        many = (2 * lines.sum(1) >= lines.shape[1]).tolist()
        first = (*many[:most], False).index(False)
        last = (*many[::-1][:most], False).index(False)
        if most in (first, last):
            return None
        slices.append(slice(first, len(lines) - last))
    paper = dark[slices[0], slices[1]][LINE:-LINE, LINE:-LINE]
    if not paper.size or any(3 * edge.sum() > len(edge) for edge in _edges(paper)):
        return None
    return slices[0], slices[1]


def _levels(image: np.ndarray) -> tuple[int, int, bool]:
    """What a fiftieth of the pixels are darker and lighter than, and whether many lie between."""
    counts, few = counts_of(image), image.size // 50
    low, high = ranked(counts, few), ranked(counts, image.size - 1 - few)
    between = counts[(3 * low + high) // 4 + 1 : -(-(low + 3 * high) // 4)]
    return low, high, bool(5 * between.sum() > image.size)


def largest_square(mask: np.ndarray) -> int:
    """The side in pixels of the largest square that is all of a mask, 0 where it is empty."""
    side = 0
    while mask.any():
        side += 1
        if min(mask.shape) < 2:
            break
        mask = mask[1:] & mask[:-1]
        mask = mask[:, 1:] & mask[:, :-1]
    return side


# --- the ground ---------------------------------------------------------------------------------


def ground_of(image: np.ndarray, least: int) -> np.ndarray:
    """The paper without the writing, uint8 of the image's shape: the least of the greatest levels
    of the squares around each pixel.

    Squares may reach out of the picture, and then a shadow, a dark corner or a rim is ground there.
    What is as dark as the writing is not: a character may be cut out closely.
    """
    radius = max(max(image.shape) // REACH, 1)
    wide = rimmed(image, 2 * radius, 2 * radius)
    for axis in (0, 1):
        wide = windows(wide, 2 * radius + 1, axis, np.maximum)
    inside = wide[radius:-radius, radius:-radius]
    for axis in (0, 1):
        wide = windows(wide, 2 * radius + 1, axis, np.minimum)
        inside = spread(inside, radius, axis, np.minimum, 255)
    full = full_ink(counts_of(contrast(wide, image)), least) or BLACK
    darker = contrast(inside, image)
    as_dark = widened(darker >= -(-3 * full // 4), 2) & (darker >= -(-full // 2))
    return np.where(as_dark, inside, wide)


def _contrasts() -> np.ndarray:
    ground, level = np.mgrid[:256, :256]
    darker = np.maximum(ground - level, 0) * (255 * 256 // np.maximum(ground, DARKEST))
    return np.minimum(darker >> 8, 255).astype(np.uint8).ravel()


_CONTRASTS = _contrasts()  # at 256 · ground + level


def contrast(ground: np.ndarray, image: np.ndarray) -> np.ndarray:
    """How much darker than its ground each pixel is, as a share of the ground, of 255: so ink in a
    shadow is as dark as elsewhere."""
    return _CONTRASTS.take(ground.astype(np.uint16) << 8 | image)


def least_contrast(image: np.ndarray, noise: int) -> int:
    """What ink stands out by at least, above a noise."""
    counts = counts_of(image)
    middle = (ranked(counts, (image.size - 1) // 2) + ranked(counts, image.size // 2)) // 2
    return max(LEAST, NOISE * noise * (255 * 256 // max(middle, DARKEST)) >> 8)


def full_ink(counts: np.ndarray, least: int) -> int:
    """What a quarter of the pixels of ink reach, of how many have each level; 0 where there is
    none."""
    counts = counts.copy()
    counts[:least] = 0
    above = counts[::-1].cumsum()
    return 255 - int((4 * above).searchsorted(above[-1])) if above[-1] else 0


# --- squares around pixels ----------------------------------------------------------------------


def rimmed(image: np.ndarray, rows: int, columns: int, value: int = 0) -> np.ndarray:
    """With so many rows and columns of a value on either side."""
    height, width = image.shape
    wide = np.full((height + 2 * rows, width + 2 * columns), value, image.dtype)
    wide[rows : rows + height, columns : columns + width] = image
    return wide


def spread(
    image: np.ndarray,
    radius: int,
    axis: int,
    extreme: Callable = np.maximum,
    outside: int = 0,
) -> np.ndarray:
    """The greatest or least of 2 · radius + 1 pixels along an axis, those `outside` included."""
    wide = rimmed(image, *((radius, 0) if axis == 0 else (0, radius)), outside)
    return windows(wide, 2 * radius + 1, axis, extreme)


def windows(image: np.ndarray, length: int, axis: int, extreme: Callable) -> np.ndarray:
    """The extreme of each `length` pixels along an axis, so many fewer; by doubling. Along rows
    all pixels are one, since NumPy is slow along short ones: what goes over a row's end is cut off.
    """
    height, width = image.shape
    line, done = image if axis == 0 else image.reshape(-1), 1
    while done < length:
        step = min(done, length - done)
        line = extreme(line[:-step], line[step:])
        done += step
    if axis == 0:
        return line
    size = line.itemsize
    return as_strided(line, (height, width + 1 - length), (width * size, size))


def widened(mask: np.ndarray, radius: int) -> np.ndarray:
    return spread(spread(mask, radius, 0), radius, 1)
