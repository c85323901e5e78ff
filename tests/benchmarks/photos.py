"""What stands beside a character in a picture, and how it is then read.

    python tests/benchmarks/photos.py
    python tests/benchmarks/photos.py --characters 200 --model models/exports/int8.onnx
    python tests/benchmarks/photos.py --geometry          # without a model

Strokes of data/characters.parquet are drawn with pens of several widths, alone and with a frame,
rules, a shadow and the like. Of the drawings that are read right alone: how many are still read
right, and how many wrongly above the model's threshold. The geometry is that of the ink: in how
many pictures less than 95 % of the character's is kept, in how many over 3 % of what is kept is
another thing's, and milliseconds a picture of 512 pixels, on one thread.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

SIDE = 256
PENS = (0.03, 0.045, 0.06, 0.08)  # of the side
LIKE_LINES = "口国目一二日圧三ニー田回四十工王"


def drawn(strokes: list[np.ndarray], pen: float, side: int = SIDE, room: float = 0.7) -> np.ndarray:
    """Strokes in the unit square as a picture, uint8 (side, side), dark on white."""
    fine = 2 * side
    image = Image.new("L", (fine, fine), 255)
    canvas = ImageDraw.Draw(image)
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    scale = room * fine / max(*(high - low), 1e-6)
    half = pen * fine / 2
    for stroke in strokes:
        line = [tuple(p) for p in (stroke - (low + high) / 2) * scale + fine / 2]
        canvas.line(line, 20, round(2 * half), "curve")
        for x, y in line:
            canvas.ellipse((x - half, y - half, x + half, y + half), 20)
    return np.asarray(image.reduce(2))


def _lined(
    image: np.ndarray, draw: Callable[[ImageDraw.ImageDraw, int], None], under: bool = True
) -> np.ndarray:
    """With lines on the paper, below the writing."""
    paper = Image.new("RGB", image.shape[::-1], (255, 255, 255))
    draw(ImageDraw.Draw(paper), image.shape[0])
    ink = np.asarray(image).astype(float)[..., None] / 255
    return (np.asarray(paper) * ink).astype(np.uint8)


def _box(inset: float, width: int, colour: tuple[int, int, int]) -> Callable:
    def draw(canvas: ImageDraw.ImageDraw, side: int) -> None:
        at = round(inset * side)
        canvas.rectangle((at, at, side - 1 - at, side - 1 - at), outline=colour, width=width)

    return draw


def _rules(places: tuple[float, ...], width: int, colour: tuple, upright: tuple = ()) -> Callable:
    def draw(canvas: ImageDraw.ImageDraw, side: int) -> None:
        for place in places:
            canvas.line((0, place * side, side, place * side), colour, width)
        for place in upright:
            canvas.line((place * side, 0, place * side, side), colour, width)

    return draw


def _lit(image: np.ndarray, light: np.ndarray) -> np.ndarray:
    return np.clip(image * light, 0, 255).astype(np.uint8)


def _places(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of each pixel, 0 to 1."""
    height, width = image.shape
    return np.meshgrid(np.arange(width) / width, np.arange(height) / height)


def shadow(image: np.ndarray, soft: float) -> np.ndarray:
    x, y = _places(image)
    inside = np.clip(0.5 + (x + 0.3 * y - 0.6) / max(4 * soft, 1e-4), 0, 1)
    return _lit(image, 0.35 + 0.6 * inside)


def vignette(image: np.ndarray) -> np.ndarray:
    x, y = _places(image)
    return _lit(image, 1 - 1.3 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))


def strip(image: np.ndarray) -> np.ndarray:
    image = image.copy()
    image[:, : round(0.06 * image.shape[1])] = 12
    return image


def neighbour(image: np.ndarray) -> np.ndarray:
    """The right edge of the same character at the left, one and a half margins away."""
    image = image.copy()
    columns = np.flatnonzero((image < 128).any(0))
    width = round(0.08 * image.shape[1])
    last = min(int(columns[-1]) + 1, image.shape[1])
    image[:, :width] = np.minimum(image[:, :width], image[:, last - width : last])
    return image


def speck(image: np.ndarray) -> np.ndarray:
    image = image.copy()
    image[8:11, 12:15] = 20
    return image


def card(image: np.ndarray) -> np.ndarray:
    """A white card with round corners and a shadow on nothing."""
    side = len(image)
    shape = Image.new("L", (side, side), 0)
    rest = side // 16
    ImageDraw.Draw(shape).rounded_rectangle((rest, rest, side - rest, side - rest), rest, 255)
    below = np.asarray(shape.filter(ImageFilter.GaussianBlur(rest / 3))) * 0.5
    solid = np.asarray(shape)
    colours = np.where(solid > 0, image, 0)
    alpha = np.maximum(solid, below).astype(np.uint8)
    return np.stack([colours, colours, colours, alpha], -1).astype(np.uint8)


def jpeg(image: np.ndarray, noise: float) -> np.ndarray:
    image = np.clip(image + np.random.default_rng(0).normal(0, noise, image.shape), 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(buffer, "JPEG", quality=35)
    return np.asarray(Image.open(buffer))


def table(image: np.ndarray, sides: tuple[float, float, float, float], dark: float = 40):
    """The table beside the paper: so much of the picture above, below, left and right of it."""
    height, width = image.shape
    above, below, left, right = (round(part * height) for part in sides)
    result = np.random.default_rng(1).normal(dark, 7, image.shape)
    paper = slice(above, height - below), slice(left, width - right)
    result[paper] = 0.9 * image[paper]
    return np.clip(result, 0, 255).astype(np.uint8)


def askew(image: np.ndarray) -> np.ndarray:
    """A table whose edge is not the picture's."""
    side = len(image)
    paper = Image.new("L", (side, side), 0)
    corners = [(0.12, 0.05), (0.95, 0.09), (0.9, 0.95), (0.06, 0.91)]
    ImageDraw.Draw(paper).polygon([(x * side, y * side) for x, y in corners], 255)
    share = np.asarray(paper.filter(ImageFilter.GaussianBlur(1))) / 255
    noise = np.random.default_rng(1).normal(60, 8, image.shape)
    return np.clip(share * 0.92 * image + (1 - share) * noise, 0, 255).astype(np.uint8)


def wedge(image: np.ndarray) -> np.ndarray:
    x, y = _places(image)
    return np.where(x < 0.03 + 0.05 * y, 15, image).astype(np.uint8)


def specks(image: np.ndarray) -> np.ndarray:
    """Dust, a dozen grains where no ink is near."""
    rng = np.random.default_rng(5)
    near = np.asarray(Image.fromarray(image).filter(ImageFilter.MinFilter(9)))
    image, grains = image.copy(), 0
    for _ in range(1000):  # a picture may have no free paper
        (y, x), side = rng.integers(2, len(image) - 6, 2), int(rng.integers(1, 4))
        if near[y : y + side, x : x + side].min() > 200:
            image[y : y + side, x : x + side] = rng.integers(20, 120)
            grains += 1
        if grains == 12:
            break
    return image


def glare(image: np.ndarray) -> np.ndarray:
    x, y = _places(image)
    light = np.exp(-20 * ((x - 0.8) ** 2 + (y - 0.2) ** 2))
    return np.clip(image / 255 * (170 - 40 * y) + 85 * light, 0, 255).astype(np.uint8)


def fold(image: np.ndarray) -> np.ndarray:
    x, y = _places(image)
    away = (x - 0.6 - 0.05 * y) * image.shape[1]
    return _lit(image, (0.9 - 0.16 * np.exp(-((away / 3) ** 2))) * np.where(away > 0, 0.93, 1))


def wood(image: np.ndarray) -> np.ndarray:
    """Writing on a board with a grain."""
    x, y = (256 * place for place in _places(image))
    grain = 8 * np.sin(x / 3 + 2 * np.sin(y / 40)) + 6 * np.sin(x / 11)
    return np.clip(image * 0.75 + grain * (image / 255) + 10, 0, 255).astype(np.uint8)


def pencil(image: np.ndarray) -> np.ndarray:
    return (255 - 0.25 * (255.0 - image)).astype(np.uint8)


def _tilted(places: tuple, width: int, colour: tuple, rise: float, upright: tuple = ()) -> Callable:
    def draw(canvas: ImageDraw.ImageDraw, side: int) -> None:
        for place in places:
            canvas.line((-5, place * side, side + 5, (place + rise) * side), colour, width)
        for place in upright:
            canvas.line((place * side, -5, (place - rise) * side, side + 5), colour, width)

    return draw


def _guided(canvas: ImageDraw.ImageDraw, side: int) -> None:
    """A cell to practise in, with a pale cross."""
    _box(0.05, 2, (200, 60, 60))(canvas, side)
    first, half = round(0.05 * side), side // 2
    canvas.line((first, half, side - first, half), (230, 150, 150), 1)
    canvas.line((half, first, half, side - first), (230, 150, 150), 1)


GRID = tuple(np.arange(0.06, 1, 0.1))
ROWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "frame of 2 px": lambda a: _lined(a, _box(0, 2, (20, 20, 20))),
    "black cell": lambda a: _lined(a, _box(0.05, 2, (20, 20, 20))),
    "grey cell": lambda a: _lined(a, _box(0.06, 1, (170, 170, 170))),
    "ruled": lambda a: _lined(a, _rules((0.08, 0.92), 2, (90, 90, 90))),
    "ruled in colour": lambda a: _lined(
        a, _rules((0.1, 0.37, 0.64, 0.91), 2, (120, 160, 240), (0.07,))
    ),
    "pen crosses a rule": lambda a: _lined(a, _rules((0.3, 0.7), 2, (60, 60, 60))),
    "pen crosses a cell": lambda a: _lined(a, _box(0.18, 2, (60, 60, 60))),
    "grid": lambda a: _lined(a, _rules(GRID, 1, (150, 180, 200), GRID)),
    "strip": strip,
    "sharp shadow": lambda a: shadow(a, 0),
    "soft shadow": lambda a: shadow(a, 0.05),
    "vignette": vignette,
    "neighbour": neighbour,
    "speck": speck,
    "card on nothing": card,
    "red on green": lambda a: np.where(a[..., None] < 128, (200, 30, 30), (30, 117, 30)).astype(
        np.uint8
    ),
    "white on black": lambda a: 255 - a,
    "table": lambda a: table(a, (0.06, 0.06, 0.06, 0.06)),
    "wide table": lambda a: table(a, (0.1, 0.1, 0.1, 0.1), 70),
    "table at two sides": lambda a: table(a, (0.07, 0, 0.1, 0)),
    "table askew": askew,
    "wedge": wedge,
    "thick frame": lambda a: _lined(a, _box(0, 8, (20, 20, 20))),
    "thick cell": lambda a: _lined(a, _box(0.05, 5, (20, 20, 20))),
    "form": lambda a: _lined(a, _rules((0.1, 0.9), 2, (40, 40, 40), (0.1, 0.9))),
    "cell with a cross": lambda a: _lined(a, _guided),
    "chalk in a cell": lambda a: 255 - _lined(a, _box(0.05, 2, (20, 20, 20))),
    "tilted rules": lambda a: _lined(a, _tilted((0.1, 0.97), 2, (80, 80, 80), -0.05)),
    "pen crosses tilted rules": lambda a: _lined(a, _tilted((0.3, 0.7), 2, (90, 90, 90), 0.03)),
    "tilted grid": lambda a: _lined(a, _tilted(GRID, 1, (130, 160, 190), 0.02, GRID)),
    "JPEG": lambda a: jpeg(a * 0.8 + 20, 8),
    "JPEG of a cell": lambda a: jpeg(_lined(a, _box(0.05, 2, (20, 20, 20))), 8),
    "JPEG of colour rules": lambda a: jpeg(
        _lined(a, _rules((0.1, 0.37, 0.64, 0.91), 2, (120, 160, 240))), 6
    ),
    "pencil": pencil,
    "pencil on rules": lambda a: _lined(
        pencil(a), _rules((0.1, 0.37, 0.64, 0.91), 1, (170, 190, 230))
    ),
    "specks": specks,
    "glare": glare,
    "fold": fold,
    "wood": wood,
}


def drawings(table: Path, count: int, known_to: str = "", seed: int = 0) -> dict[str, np.ndarray]:
    """Some characters of a table, those that look like lines and boxes among them, drawn; of those
    that a model knows."""
    import pandas as pd

    known = pd.read_parquet(table, columns=["character", "strokes"]).set_index("character")
    rng = np.random.default_rng(seed)
    possible = [c for c in known.index if not known_to or c in known_to]
    names = [c for c in LIKE_LINES if c in possible]
    others = [c for c in possible if c not in names]
    names += rng.choice(others, max(count - len(names), 0), replace=False).tolist()
    return {
        name: drawn(
            [np.reshape(s, (-1, 2)) for s in known.at[name, "strokes"]], PENS[k % len(PENS)]
        )
        for k, name in enumerate(names[:count])
    }


def ink_kept(alone: np.ndarray, changed: np.ndarray) -> tuple[float, float]:
    """Share of the character's ink that is kept of a changed picture, and share of what is kept
    that is not its ink; its edges count for neither."""
    from kakitori.reading.normalising import ground, pictures, segmentation

    levels = pictures.levels(changed)
    factor = -(-max(levels.shape) // segmentation.SIDE)
    kept = segmentation.find(np.asarray(Image.fromarray(levels).reduce(factor))).kept
    alone = np.asarray(Image.fromarray(alone).reduce(factor))
    foreign = kept & ~ground.widened(alone < 250, 2)
    return kept[alone < 100].mean(), foreign.sum() / max(kept.sum(), 1)


def geometry(alone: dict[str, np.ndarray]) -> None:
    from kakitori.reading.normalising import pictures, segmentation

    print(f"{len(alone)} characters")
    for name, change in ROWS.items():
        shares = [ink_kept(image, change(image)) for image in alone.values()]
        lost, foreign = np.array([(kept < 0.95, other > 0.03) for kept, other in shares]).T
        failed = "".join(c for c, bad in zip(alone, lost | foreign, strict=True) if bad)
        image = change(np.repeat(np.repeat(next(iter(alone.values())), 2, 0), 2, 1))
        levels = pictures.levels(image)
        times = []
        for _ in range(9):
            started = time.process_time()
            segmentation.ink_of(levels)
            times.append(1000 * (time.process_time() - started))
        print(
            f"{name:<26} ink lost {lost.mean():6.1%}  foreign ink {foreign.mean():6.1%}  "
            f"{np.median(times):4.1f} ms  {failed[:30]}"
        )


def main() -> None:
    from kakitori.reading.normalising.photos import prepare
    from kakitori.reading.recognizer import Recognizer

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--characters", type=int, default=200)
    parser.add_argument("--table", type=Path, default=ROOT / "data/characters.parquet")
    parser.add_argument("--model", type=Path, default=ROOT / "models/exports/int8.onnx")
    parser.add_argument("--geometry", action="store_true", help="of the ink, without a model")
    options = parser.parse_args()
    if options.geometry:
        geometry(drawings(options.table, options.characters))
        return
    recognizer = Recognizer(options.model, threads=0)
    alone = drawings(options.table, 2 * options.characters, recognizer.classes)
    images = np.stack([prepare(image, recognizer.size) for image in alone.values()])
    read = recognizer.read_normalised(images, 1)
    right = [c for c, top in zip(alone, read, strict=True) if top and top[0][0] == c]
    right = right[: options.characters]
    print(f"{len(right)} characters that are read right alone")
    for name, change in ROWS.items():
        images = np.stack([prepare(change(alone[c]), recognizer.size) for c in right])
        read = recognizer.read_normalised(images, 1)
        same = [bool(top) and top[0][0] == c for c, top in zip(right, read, strict=True)]
        sure = [bool(top) and top[0][1] >= recognizer.threshold for top in read]
        wrong = np.mean([s and not r for r, s in zip(same, sure, strict=True)])
        missed = "".join(c for c, r in zip(right, same, strict=True) if not r)
        print(f"{name:<26} top-1 {np.mean(same):6.1%}  wrong and sure {wrong:5.1%}  {missed[:30]}")


if __name__ == "__main__":
    main()
