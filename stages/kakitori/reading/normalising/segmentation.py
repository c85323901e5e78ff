"""The one character in a picture: its ink without shadows, rules, cells, borders and neighbours.

What stands out of the ground (ground.py) is looked at as borders, as lines (rules.py) and as
connected parts (parts.py). All in whole numbers, so that a page, which does the same in
demo/segmentation.js, comes to the same pixels. Needs NumPy and Pillow alone.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from kakitori.reading.normalising import ground, parts
from kakitori.reading.normalising.rules import THIN, ruled

SIDE = 256  # pixels at most of the picture in which things are looked for
FAINT = 8  # a part of full ink: what is looked at
PALE = 3  # a part of full ink: more than a texture of the ground is
ROUGH = 4  # times as much as two fifths of the pixels stand out by is no texture
EVERY = 8  # a part of the longer side: a character beside a border is larger


class Found(NamedTuple):
    """dark : whether ink is darker than its ground. paper : the ground's levels, uint8 (H, W),
    inverted where it is not. kept, removed : which pixels are of the character, and which of
    something else, bool (H, W)."""

    dark: bool
    paper: np.ndarray
    kept: np.ndarray
    removed: np.ndarray


def find(image: np.ndarray) -> Found:
    """The character in a picture uint8 (H, W), of at most `SIDE` pixels."""
    noise = ground.noise_of(image)
    smooth = ground.averaged(image) if noise >= 2 else image
    dark = ground.is_dark(smooth)
    smooth = smooth if dark else 255 - smooth
    least = ground.least_contrast(smooth, noise)
    paper = ground.ground_of(smooth, least)
    return Found(dark, paper, *character(ground.contrast(paper, smooth), least))


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
    dark, paper, kept, removed = find(small)
    rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    if not len(rows):
        return np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool), levels.size
    # What `photos` cuts out lies within, its margin included.
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    margin = max(bottom - top, right - left) // 16 + 4
    top, left = max(top - margin, 0), max(left - margin, 0)
    cut = (slice(top, bottom + margin), slice(left, right + margin))
    area = tuple(slice(factor * s.start, factor * s.stop) for s in cut)
    levels = levels[area] if dark else 255 - levels[area]

    def enlarged(part: np.ndarray) -> np.ndarray:
        height, width = levels.shape
        return part[cut].repeat(factor, 1)[:, :width].repeat(factor, 0)[:height]

    if removed.any():  # on black nothing is ink
        paper = np.where(ground.widened(removed, 1) & ~kept, np.uint8(0), paper)
    whole = ground.contrast(enlarged(paper), levels)
    return whole, enlarged(ground.widened(kept, 1)), small.size * factor * factor


def character(ink: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels are of the character and which of something else, bool (H, W) each."""
    counts = ground.counts_of(ink)
    full = ground.full_ink(counts, least)
    rough = ROUGH * ground.ranked(counts, 2 * ink.size // 5)
    if rough > least:  # the ground has a texture
        full = ground.full_ink(counts, rough) or full
        least = min(rough, full // PALE)
    mask = ink >= max(least, full // FAINT) if full else np.zeros(ink.shape, bool)
    rest = mask & ~borders(mask)
    rules = ruled(rest)
    rest &= ~rules.pixels
    kept = parts.main_parts(rest, rules.box)
    return kept, mask & ~kept


# --- borders ------------------------------------------------------------------------------------


def borders(mask: np.ndarray) -> np.ndarray:
    """What lies along the picture's edges and is no character, bool (H, W): a frame, the table that
    the paper lies on, the dark strips that a scanner leaves."""
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    full = [10 * edge.sum() >= 9 * len(edge) for edge in edges]
    if not any(full):
        return np.zeros_like(mask)
    outer = _outer_parts(mask, full)
    return outer | _strips(mask & ~outer)


def _outer_parts(mask: np.ndarray, full: list[bool]) -> np.ndarray:
    """The parts along the edges that are `full`, upper, lower, left and right, where the rest is a
    character by itself, which does not reach the other edge as 三 does; bool (H, W)."""
    pieces = parts.parts_of(mask)
    height, width = mask.shape
    at = (pieces.top == 0, pieces.bottom == height, pieces.left == 0, pieces.right == width)
    if all(full):
        outer = np.logical_or.reduce(at)
    else:
        depths = (pieces.bottom, height - pieces.top, pieces.right, width - pieces.left)
        sides = (height, height, width, width)
        outer = np.zeros(len(pieces.area), bool)
        for here, depth, side, is_full in zip(at, depths, sides, full, strict=True):
            outer |= here & (5 * depth <= side) & is_full
    nothing = np.zeros_like(mask)
    if outer.all() or EVERY * max(parts.extent(pieces, ~outer)[2:]) < max(mask.shape):
        return nothing
    opposite = (at[1], at[0], at[3], at[2])
    if any(
        is_full and (there & ~outer).any() for there, is_full in zip(opposite, full, strict=True)
    ):
        return nothing
    return pieces.drawn(outer, mask.shape)


def _strips(mask: np.ndarray) -> np.ndarray:
    """Dark strips along the picture's edges. A character that is cut out closely has none: it
    reaches the other edge as well, or goes on from the strip, which is as thick as its strokes."""
    strips, result = np.zeros_like(mask), np.zeros_like(mask)
    depths = []
    for turn in range(4):
        side = np.rot90(mask, turn)
        dark = 10 * side.sum(1) >= 9 * side.shape[1]
        depth = len(dark) if dark.all() else int(dark.argmin())
        depths.append(depth if depth <= len(dark) // ground.REACH + 1 else 0)
    thin = max(max(mask.shape) // THIN, 3)
    if not any(depths) or all(depth > thin for depth in depths):
        return result
    for turn, depth in enumerate(depths):
        np.rot90(strips, turn)[:depth] = True
    rest = mask & ~strips
    if not rest.any():
        return result
    pen = parts.pen_of(rest)
    for turn, depth in enumerate(depths):
        side, opposite = np.rot90(rest, turn), depths[(turn + 2) % 4]
        tied = side[len(side) - 1 - opposite].any() and (not opposite or side[depth].any())
        tied |= 2 * abs(depth - pen) <= pen and side[depth].any()
        if depth and not tied:
            np.rot90(result, turn)[:depth] = True
    return result & mask
