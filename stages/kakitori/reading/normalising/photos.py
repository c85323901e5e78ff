"""Pictures of any kind as training images are: the polarity, the ground and the crop of a photo.

Needs NumPy and Pillow alone.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from kakitori.errors import DataError
from kakitori.reading.characters.framing import EXTENT, MAX_ENLARGEMENT
from kakitori.reading.normalising import ground, pictures, segmentation
from kakitori.reading.normalising.images import normalise, span

WORKING_SIDE = 112  # pixels: photos are reduced to this before they are cropped finely


def prepare(image: pictures.Source, size: int, frame: float | None = None) -> np.ndarray:
    """An image of one character as training images are: uint8 (size, size), 255 = ink; no ink at
    all where there is no character.

    frame : the side of the area that was there to write in, in pixels of the image. A character
        that fills little of it then stays small, as in training (っ beside つ); without it every
        one is enlarged.

    Takes a path, bytes, a file, a Pillow image or an array; any size, grey or colour, dark on light
    or light on dark, an uneven ground such as a photo's, rules, cells, borders and neighbours.
    Raises DataError for what is no image, and for a frame smaller than the ink.
    """
    if frame is not None and hasattr(image, "read"):
        image = image.read()  # it is read twice
    levels = pictures.levels(image)
    ink, there, pixels = segmentation.ink_of(levels)
    normalised = _normalised(_closely_cropped(ink, there, pixels), size)
    if frame is None or not normalised.any():
        return normalised
    left, top, right, bottom = _box(ink, there, pixels)
    longer = max(right - left, bottom - top) * pictures.side(image) / max(levels.shape)
    return within(normalised, longer, frame)


def within(normalised: np.ndarray, extent: float, frame: float) -> np.ndarray:
    """A normalised image uint8 (S, S) of ink whose longer side was `extent`, as small as training
    images show it whose frame had the side `frame`, of the same units.

    Raises DataError for a frame smaller than the ink, or none.
    """
    if not extent <= frame < float("inf"):
        raise DataError(
            f"frame: expected the side of the writing area, at least the ink's {extent:.4g}, found "
            f"{frame:.4g}"
        )
    size = len(normalised)
    side = max(round(size * MAX_ENLARGEMENT * extent / frame / EXTENT), 1)
    if side >= size:
        return normalised
    smaller = Image.fromarray(normalised).resize((side, side), Image.Resampling.BILINEAR)
    image = np.zeros_like(normalised)
    first = (size - side) // 2
    image[first : first + side, first : first + side] = np.asarray(smaller)
    return image


def prepare_ink(ink: np.ndarray, size: int) -> np.ndarray:
    """The same of ink uint8 (H, W), bright on 0, that nothing else lies beside, such as a drawing's
    by `rendering.draw`."""
    return _normalised(_closely_cropped(ink, ink > 0, ink.size), size)


def _normalised(ink: np.ndarray, size: int) -> np.ndarray:
    # A rim of clean paper: even an image of one pixel has edges to measure the paper by.
    return normalise(np.pad(ink, 2)[None], size, framed=False)[0]


def _closely_cropped(ink: np.ndarray, there: np.ndarray, pixels: int) -> np.ndarray:
    """The part with ink and a margin, reduced so that `normalise` only rescales a little.

    there : where the character is, bool (H, W). pixels : of the whole picture.
    """
    box = _box(ink, there, pixels)
    if box is None:
        return np.zeros_like(ink)
    left, top, right, bottom = box
    margin = int(max(bottom - top, right - left)) // 16 + 2
    ink = ink[
        max(top - margin, 0) : bottom + margin,
        max(left - margin, 0) : right + margin,
    ]
    factor = max(ink.shape) // WORKING_SIDE
    return np.asarray(Image.fromarray(ink).reduce(factor)) if factor > 1 else ink


def _box(ink: np.ndarray, there: np.ndarray, pixels: int) -> tuple[int, int, int, int] | None:
    """Left, upper, right and lower edge of the strong ink; None where there is none."""
    # Full ink is the darkest 200th of the pixels: fewer may be glints or dust.
    counts = np.bincount(ink[there], minlength=256)
    rank = counts.sum() - max(pixels // 200, 1)
    full = ground.ranked(counts, rank) if rank >= 0 else 0
    strong = (ink > int(max(0.4 * full, 16))) & there
    if not strong.any() or min(ink.shape) < 2:
        return None
    (top,), (bottom,) = span(strong.any(1)[None])
    (left,), (right,) = span(strong.any(0)[None])
    return int(left), int(top), int(right), int(bottom)


def frames(image: Path | bytes) -> int:
    """How many pages (TIFF) or frames (GIF, WebP, APNG) a picture has, of which `prepare` reads the
    first; 1 where it cannot be told."""
    try:
        file = io.BytesIO(image) if isinstance(image, bytes) else image
        with warnings.catch_warnings():  # as `levels` does
            warnings.simplefilter("ignore")
            with Image.open(file, formats=("TIFF", "GIF", "WEBP", "PNG")) as opened:
                return getattr(opened, "n_frames", 1)
    except Exception:  # Pillow's decoders raise a dozen kinds
        return 1
