"""Pictures of any kind as training images are: the polarity, the ground and the crop of a photo.

Needs NumPy and Pillow alone.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kakitori.corpora.images import normalise, span
from kakitori.errors import DataError

WORKING_SIDE = 112  # pixels: photos are reduced to this before they are cropped finely
MAX_PIXELS = 100_000_000


def prepare(image: str | Path | Image.Image, size: int) -> np.ndarray:
    """An image of one character as training images are: uint8 (size, size), 255 = ink.

    Takes any size, grey or colour, dark on light or light on dark, and an uneven ground such as a
    photo's. Raises DataError for a file that is no image.
    """
    if not isinstance(image, Image.Image):
        try:
            with Image.open(image) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise DataError(
                        f"{image}: expected at most {MAX_PIXELS:,} pixels, found "
                        f"{file.width} x {file.height}"
                    )
                file.draft("L", (1024, 1024))  # JPEG decodes straight to about this size
                file.load()
                opened = ImageOps.exif_transpose(file)
        except DataError:
            raise
        except Exception as error:  # Pillow's decoders raise a dozen kinds, SyntaxError among them
            raise DataError(f"{image}: expected an image, found: {error}") from None
        image = opened
    ink = _closely_cropped(_ink(image))
    # A rim of clean paper: even an image of one pixel has edges to measure the paper by.
    return normalise(np.pad(np.asarray(ink), 2)[None], size, framed=False)[0]


def _ink(image: Image.Image) -> Image.Image:
    """Grey image with ink bright on a dark, even ground."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # What is drawn on nothing is drawn on white, unless it is white itself.
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        opaque = np.asarray(alpha) > 127
        grey = np.asarray(image.convert("L"))
        ground = 0 if opaque.any() and grey[opaque].mean() > 200 and not opaque.all() else 255
        canvas = Image.new("RGBA", image.size, (ground,) * 3 + (255,))
        image = Image.alpha_composite(canvas, image)
    grey = _grey(image)
    longest = max(grey.size)
    if longest > 512:
        grey = grey.reduce(longest // 512 + (longest % 512 > 0))
    levels = np.asarray(grey).astype(np.float32)
    ground = np.asarray(_ground(grey)).astype(np.float32)
    difference = levels - ground
    # Ink is the side of the ground on which the strong deviations lie.
    dark = np.clip(-difference, 0, None)
    light = np.clip(difference, 0, None)
    ink = dark if (dark**2).sum() >= (light**2).sum() else light
    return Image.fromarray(np.clip(ink, 0, 255).astype(np.uint8))


def _grey(image: Image.Image) -> Image.Image:
    """8-bit grey of any mode. Where 255 is not white (16 bits, floats), the range is stretched."""
    if image.mode.startswith(("I", "F")):
        levels = np.nan_to_num(np.asarray(image).astype(np.float64))
        low, high = levels.min(), levels.max()
        return Image.fromarray((255 * (levels - low) / max(high - low, 1e-12)).astype(np.uint8))
    if image.mode not in ("1", "L", "P", "RGB"):
        image = image.convert("RGB") if image.mode != "LAB" else image.getchannel("L")
    return image.convert("L")


def _ground(grey: Image.Image) -> Image.Image:
    """The paper without the writing: a plane fitted to the pixels near the frame's border level.

    Shadows on a photo are nearly even over one character; a plane follows them and, unlike a
    large blur, leaves thick strokes alone.
    """
    levels = np.asarray(grey).astype(np.float64)
    height, width = levels.shape
    y, x = np.mgrid[0:height, 0:width]
    edge = max(min(height, width) // 16, 1)
    border = np.ones(levels.shape, bool)
    border[edge : height - edge, edge : width - edge] = False
    terms = np.stack([np.ones_like(x), x / width, y / height], -1).astype(np.float64)
    a, b = terms[border], levels[border]
    most = np.median(levels)
    if abs(np.median(b) - most) > 0.4 * np.ptp(levels):
        # Cropped so tightly that its rim is ink (国, 口): most of the picture is paper still.
        return Image.new("L", grey.size, int(most))
    keep = np.abs(b - np.median(b)) <= max(3 * np.median(np.abs(b - np.median(b))), 12)
    for _ in range(3):  # strokes that reach the border are outliers to the paper
        plane, *_ = np.linalg.lstsq(a[keep], b[keep], rcond=None)
        residual = np.abs(b - a @ plane)
        keep = residual <= max(2.5 * np.median(residual), 6)
    return Image.fromarray(np.clip(terms @ plane, 0, 255).astype(np.uint8))


def _closely_cropped(ink: Image.Image) -> Image.Image:
    """The part with ink and a margin, reduced so that `normalise` only rescales a little."""
    levels = np.asarray(ink)
    # Full ink is the darkest 200th of the pixels: fewer may be glints or dust.
    rank = max(levels.size // 200, 1)
    full = np.partition(levels.ravel(), -rank)[-rank]
    strong = levels > max(0.4 * full, 16)
    if not strong.any() or min(levels.shape) < 2:
        return ink
    (top,), (bottom,) = span(strong.any(1)[None])
    (left,), (right,) = span(strong.any(0)[None])
    margin = int(max(bottom - top, right - left)) // 16 + 2
    box = (left - margin, top - margin, right + margin, bottom + margin)
    width, height = ink.size
    ink = ink.crop((max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)))
    factor = max(ink.size) // WORKING_SIDE
    return ink.reduce(factor) if factor > 1 else ink


def frames(image: Path | bytes) -> int:
    """How many pages (TIFF) or frames (GIF, WebP, APNG) a picture has, of which `prepare` reads the
    first; 1 where it cannot be told."""
    try:
        file = io.BytesIO(image) if isinstance(image, bytes) else image
        with Image.open(file, formats=("TIFF", "GIF", "WEBP", "PNG")) as opened:
            return getattr(opened, "n_frames", 1)
    except Exception:  # as many kinds as above
        return 1
