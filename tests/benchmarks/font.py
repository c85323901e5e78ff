"""How well a model reads a font that it has never seen, one image of each class that the font has.

    python tests/benchmarks/font.py KleeOne-Regular.ttf

A handwriting font (Klee One comes with Debian's fonts-klee, for instance) is the honest check of
synthetic writers: nobody drew it for us.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from matplotlib.font_manager import get_font
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

from tests.benchmarks import people  # noqa: E402

from kakitori.reading import context  # noqa: E402
from kakitori.reading.normalising.photos import prepare  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402

SIDE = 128  # pixels of a drawing, its em three quarters of that


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("font", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "models/exports/int8.onnx")
    parser.add_argument("--candidates", default="")
    parser.add_argument("--only", default="", help="of these alone, as --candidates takes them")
    options = parser.parse_args()
    recognizer = Recognizer(options.model, threads=0, candidates=options.candidates)
    people.say(options.font.name, recognizer, *read(options.font, recognizer, options.only), 100)


def read(path: Path, recognizer: Recognizer, only: str = "") -> tuple[np.ndarray, list[str]]:
    """A font's characters that may be answered, those of `only` if that is not empty: normalised
    images uint8 (N, S, S), and which they are."""
    font = ImageFont.truetype(str(path), SIDE * 3 // 4)
    letters = get_font(str(path)).get_charmap()
    may = context.allowed(recognizer.candidates, recognizer.classes)
    characters = [c for c, known in zip(recognizer.classes, may, strict=True) if known]
    characters = [character for character in characters if ord(character) in letters]
    characters = [characters[k] for k in people.of(only, characters)]
    images = []
    for character in characters:
        drawing = Image.new("L", (SIDE, SIDE), 255)
        ImageDraw.Draw(drawing).text((SIDE / 2, SIDE / 2), character, 0, font, anchor="mm")
        images.append(prepare(drawing, recognizer.size))
    inked = [image.any() for image in images]  # some fonts have blanks for what they lack
    characters = list(itertools.compress(characters, inked))
    return np.stack(list(itertools.compress(images, inked))), characters


if __name__ == "__main__":
    main()
