"""Pictures to read: characters drawn with a font, a photo of one, a cross in a file."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from kakitori.writing.glyphs import bundled_font

HANDWRITING = Path(__file__).resolve().parents[2] / "shared/handwriting"


def picture(dark: bool = True, kind: str = "PNG", mode: str = "L") -> bytes:
    """A thick cross, dark on light or light on dark."""
    image = Image.new(mode, (64, 64), "white" if dark else "black")
    ImageDraw.Draw(image).line([(32, 8), (32, 56)], "black" if dark else "white", 4)
    ImageDraw.Draw(image).line([(8, 32), (56, 32)], "black" if dark else "white", 4)
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def drawn(character: str = "書", side: int = 96) -> Image.Image:
    """A clean drawing, black on white."""
    image = Image.new("L", (side, side), 255)
    font = ImageFont.truetype(str(bundled_font()), int(side * 0.8))
    ImageDraw.Draw(image).text((side / 2, side / 2), character, 0, font, anchor="mm")
    return image


def photo(character: str = "書") -> Image.Image:
    """The drawing as a phone sees it: large, off centre, tinted, a shadow across, noise, blur."""
    rng = np.random.default_rng(0)
    page = Image.new("L", (900, 1200), 255)
    page.paste(drawn(character, 400).rotate(3, fillcolor=255), (380, 120))
    levels = np.asarray(page.filter(ImageFilter.GaussianBlur(2))).astype(float)
    y, x = np.mgrid[0:1200, 0:900]
    light = 0.45 + 0.4 * x / 900 + 0.1 * y / 1200
    levels = (60 + 150 * levels / 255) * light + rng.normal(0, 4, levels.shape)
    tint = np.array([1.0, 0.96, 0.85])
    return Image.fromarray(np.clip(levels[..., None] * tint, 0, 255).astype(np.uint8))


def likeness(image: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two images, 1 for equal ones."""
    return float(np.corrcoef(image.ravel(), other.ravel())[0, 1])
