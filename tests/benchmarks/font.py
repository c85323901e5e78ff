"""How well a model reads a font that it has never seen, one image a class.

    python tests/benchmarks/font.py KleeOne-Regular.ttf

A handwriting font (Klee One comes with Debian's fonts-klee, for instance) is the honest check of
synthetic writers: nobody drew it for us.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.recognizer import Recognizer, prepare  # noqa: E402

SIDE = 128  # pixels of a drawing, its em three quarters of that


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("font", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "models/exports/int8.onnx")
    options = parser.parse_args()
    recognizer = Recognizer(options.model, threads=0)
    font = ImageFont.truetype(str(options.font), SIDE * 3 // 4)
    images = []
    for character in recognizer.classes:
        drawing = Image.new("L", (SIDE, SIDE), 255)
        ImageDraw.Draw(drawing).text((SIDE / 2, SIDE / 2), character, 0, font, anchor="mm")
        images.append(prepare(drawing, recognizer.size))
    read = recognizer.read_normalised(np.stack(images))
    first = [top[0][0] == c for top, c in zip(read, recognizer.classes, strict=True)]
    five = [c in [a for a, _ in top] for top, c in zip(read, recognizer.classes, strict=True)]
    print(f"{options.font.name}: top-1 {np.mean(first):.2%}, top-5 {np.mean(five):.2%}")
    wrong = [f"{c}→{top[0][0]}" for top, c in zip(read, recognizer.classes, strict=True)]
    print("misread:", " ".join(w for w, right in zip(wrong, first, strict=True) if not right))


if __name__ == "__main__":
    main()
