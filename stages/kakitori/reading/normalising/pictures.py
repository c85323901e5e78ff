"""One door for pictures: a path, bytes, a file, a Pillow image or an array, as 8-bit levels.

All forms go through the same checks and give the same levels. Needs NumPy and Pillow alone.
"""

import io
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kakitori.errors import DataError, is_shortage
from kakitori.reading.normalising.ground import counts_of, ranked

Source = str | Path | bytes | BinaryIO | Image.Image | np.ndarray

# What a file may be, whatever its name says: Pillow knows more, among them EPS, which is a program.
_WANTED = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
Image.init()
KINDS = tuple(kind for kind in _WANTED if kind in Image.OPEN)
MAX_PIXELS = 100_000_000
MAX_BYTES = 2**28  # of the pixels as Pillow holds them; 67 megapixels in colour
LINE = 16  # bytes that a line takes besides: a picture may be one pixel wide
LONGEST = 512  # pixels of a side: more tell nothing about one character
STRIP = 1024  # lines that are worked on at a time
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # else 4 a pixel
# Of a picture on nothing: from this alpha on a pixel is what it says, from that share of such
# pixels and that range of their levels on they are a card with writing, and no writing themselves.
SOLID, CARD_SHARE, CARD_RANGE = 250, 0.2, 64
# Colour is looked at where grey has little to tell: so much more, and at least so much of 255.
COLOUR_GAIN, COLOUR_LEAST = 2.5, 32


def levels(source: Source) -> np.ndarray:
    """A picture as levels uint8 (H, W), its longer side at most LONGEST, upright by its EXIF.

    Grey where that tells the writing from its ground, else the difference of colours that does.
    Where 255 is not white (16 bits, floats), the range is stretched. What is drawn on nothing is
    drawn on white, unless it is white itself.

    Raises DataError, which names the picture, for one that cannot be read or is too large;
    MemoryError and OSError where the system lacks memory or file handles.
    """
    name = _name(source)
    try:
        with warnings.catch_warnings():  # of tags that are no matter, and of sizes that we check
            warnings.simplefilter("ignore")
            return _read(source)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except UnidentifiedImageError:
        raise DataError(
            f"{name}: expected an image, found no {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        ) from None
    except Exception as error:  # Pillow's decoders raise a dozen kinds, SyntaxError among them
        if is_shortage(error):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: expected an image, found: {reason}") from None


def _read(source: Source) -> np.ndarray:
    if isinstance(source, np.ndarray):
        return _levels(_of_array(source))
    if isinstance(source, Image.Image) and not _undecoded_jpeg(source):
        return _levels(_opened(source))
    with Image.open(_file(source), formats=KINDS) as image:
        return _levels(_opened(image))


def side(source: Source) -> int:
    """The longer side of a picture that `levels` reads, in its own pixels; not of a stream, which
    can be read but once."""
    if isinstance(source, np.ndarray):
        return max(source.shape[:2])
    if isinstance(source, Image.Image):
        return max(source.size)
    with Image.open(_file(source), formats=KINDS) as image:
        return max(image.size)


def _name(source: Source) -> str:
    """What an error calls it: in a line, and never its content."""
    if isinstance(source, str | os.PathLike):
        return str(source) or "''"
    if isinstance(source, bytes):
        return f"{len(source):,} bytes"
    if isinstance(source, np.ndarray):
        return f"array {source.dtype} {source.shape}"
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or "image"
    if hasattr(source, "read"):
        name = getattr(source, "name", "")
        return name if name and isinstance(name, str) else "file"
    raise DataError(
        "expected an image: a path, bytes, a file, a Pillow image or a NumPy array; found "
        f"{type(source).__name__}"
    )


def _undecoded_jpeg(image: Image.Image) -> bool:
    """Such is decoded to a smaller size, and that should not happen to the caller's."""
    return bool(image.format in ("JPEG", "MPO") and getattr(image, "tile", None) and image.fp)


def _file(source: Source) -> str | Path | BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, Image.Image):
        place = source.fp.tell()
        source.fp.seek(0)
        content = source.fp.read()
        source.fp.seek(place)
        return io.BytesIO(content)
    return source


def _opened(image: Image.Image) -> Image.Image:
    """Checked before it is decoded, and turned as its EXIF says."""
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"expected at most {MAX_PIXELS:,} pixels, found {image.width} x {image.height}"
        )
    image.draft(image.mode, (1024, 1024))  # JPEG decodes straight to about this size
    width, height = image.size
    if not width * height:
        raise DataError(f"expected a picture with pixels, found {width} x {height}")
    needed = height * (width * BYTES.get(image.mode, 4) + LINE)
    if needed > MAX_BYTES:
        raise DataError(
            f"expected at most {MAX_BYTES:,} bytes of pixels, found {width} x {height} pixels of "
            f"{image.mode}: {needed:,}"
        )
    image.load()
    turned = image.getexif().get(0x0112, 1) not in (0, 1)
    return ImageOps.exif_transpose(image) if turned else image


def _of_array(array: np.ndarray) -> Image.Image:
    """(H, W), or with 1 to 4 channels (grey, grey and alpha, RGB, RGBA) last or first."""
    if array.ndim == 3 and array.shape[2] > 4 and array.shape[0] <= 4:
        array = np.moveaxis(array, 0, 2)
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or not array.size or channels > 4 or array.dtype.kind not in "biuf":
        raise DataError("expected numbers (height, width) or (height, width, 1 to 4 channels)")
    if array.shape[0] * array.shape[1] > MAX_PIXELS or array.nbytes > 8 * MAX_BYTES:
        raise DataError(f"expected at most {MAX_PIXELS:,} pixels")
    array = array.reshape(*array.shape[:2], channels)
    if channels in (2, 4) and array.dtype != np.uint8:
        colours, alpha = _stretched(array[..., :-1]), array[..., -1:]
        full = {"b": 1, "u": np.iinfo(alpha.dtype).max if alpha.dtype.kind == "u" else 255}.get(
            alpha.dtype.kind, 1 if alpha.max() <= 1 else 255
        )
        alpha = np.clip(np.nan_to_num(255.0 * alpha / full), 0, 255).astype(np.uint8)
        array = np.concatenate([colours, alpha], 2)
    else:
        array = _stretched(array)
    mode = ("L", "LA", "RGB", "RGBA")[channels - 1]
    return Image.fromarray(array[..., 0] if channels == 1 else np.ascontiguousarray(array), mode)


def _stretched(numbers: np.ndarray) -> np.ndarray:
    """Numbers of any kind as uint8. Where 255 is not white, paper and ink are what all but a
    two-thousandth lies between: a hot pixel, or an infinite one, sets no scale."""
    if numbers.dtype == np.uint8:
        return numbers
    if numbers.dtype == bool:
        return numbers * np.uint8(255)
    if numbers.dtype.kind in "iu" and numbers.min() >= 0 and numbers.max() <= 255:
        return numbers.astype(np.uint8)
    numbers = numbers.astype(np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        known = numbers[finite]
        middle = np.median(known) if known.size else 0.0
        numbers = np.where(finite, numbers, np.float32(middle))
    few = min(max(numbers.size // 2000, 4), (numbers.size - 1) // 2)
    flat = numbers.ravel()
    low, high = np.partition(flat, [few, flat.size - 1 - few])[[few, flat.size - 1 - few]]
    spread = max(float(high) - float(low), 1e-12)
    return (255 * np.clip((numbers - low) / spread, 0, 1)).astype(np.uint8)


def _levels(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_stretched(np.asarray(image)))
    if image.mode == "LAB":
        image = image.getchannel("L")
    factor = -(-max(image.size) // LONGEST)
    seen_through = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if not seen_through and image.mode in ("1", "L"):
        return np.asarray(_reduced(image.convert("L"), factor))
    strips = list(_strips(image, "RGBA" if seen_through else "RGB", factor))
    change = _on_ground(strips) if seen_through else (lambda strip: strip)
    return _telling([_reduced(change(strip()), factor) for strip in strips])


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _strips(image: Image.Image, mode: str, factor: int) -> list:
    """Functions that give some lines each: a whole picture in another mode is too much memory."""
    lines = max(STRIP // factor, 1) * factor
    if image.mode == mode and image.height <= lines:
        return [lambda: image]
    return [
        lambda y=y: image.crop((0, y, image.width, min(y + lines, image.height))).convert(mode)
        for y in range(0, image.height, lines)
    ]


def _on_ground(strips: list):
    """How RGBA becomes RGB: what is drawn on nothing is laid on white, or on black if it is white;
    of a card with writing on it what is beside the card becomes as the card is."""
    opaque, solid = np.zeros(256, np.int64), np.zeros(256, np.int64)
    pixels = 0
    for strip in strips:
        part = strip()
        grey = part.convert("L")
        pixels += grey.width * grey.height
        opaque += np.array(grey.histogram(_alpha_from(part, 128)))
        solid += np.array(grey.histogram(_alpha_from(part, SOLID)))
    total = np.cumsum(solid)
    few = max(total[-1] // 300, 1)
    low, middle, high = np.searchsorted(total, [few, (total[-1] + 1) // 2, total[-1] - few + 1])
    whole = opaque.sum() == pixels
    if total[-1] >= CARD_SHARE * pixels and high - low >= CARD_RANGE and not whole:
        return lambda part: _card(part, int(middle))
    white = opaque.sum() and opaque @ np.arange(256) > 200 * opaque.sum()
    ground = 0 if white and not whole else 255

    def laid(part: Image.Image) -> Image.Image:
        canvas = Image.new("RGBA", part.size, (ground, ground, ground, 255))
        return Image.alpha_composite(canvas, part).convert("RGB")

    return laid


def _card(part: Image.Image, ground: int) -> Image.Image:
    canvas = Image.new("RGB", part.size, (ground,) * 3)
    canvas.paste(part.convert("RGB"), mask=_alpha_from(part, SOLID))
    return canvas


def _alpha_from(part: Image.Image, least: int) -> Image.Image:
    """Where an RGBA picture's alpha is at least so much, as a mask of bits, which is pasted through
    in a quarter of the time that one of levels takes."""
    return part.getchannel("A").point([0] * least + [255] * (256 - least), "1")


def _telling(strips: list[Image.Image]) -> np.ndarray:
    """Grey of a picture's strips in RGB, or, where it is nearly even, red against green or both
    against blue: ink may be as light as its ground and yet another colour."""
    grey = np.concatenate([np.asarray(strip.convert("L")) for strip in strips])
    least = max(COLOUR_LEAST, COLOUR_GAIN * _contrast(grey[::2, ::2]) + 1)
    if least > 255:  # no colours can
        return grey
    colours = np.concatenate([np.asarray(strip) for strip in strips])
    red, green, blue = (colours[::2, ::2, k].astype(np.int16) for k in range(3))
    sides = (
        (lambda r, g, b: 128 + ((r - g) >> 1)),
        (lambda r, g, b: 128 + (((r + g >> 1) - b) >> 1)),
    )
    contrasts = [_contrast(side(red, green, blue).astype(np.uint8)) for side in sides]
    best = int(np.argmax(contrasts))
    if contrasts[best] < least:
        return grey
    return sides[best](*np.moveaxis(colours.astype(np.int16), 2, 0)).astype(np.uint8)


def _contrast(values: np.ndarray) -> int:
    """Between the lowest and the highest two-hundredth."""
    counts, few = counts_of(values), max(values.size // 200, 1) - 1
    return ranked(counts, values.size - 1 - few) - ranked(counts, few)
