"""Pictures of what no recogniser of single Japanese characters knows: scribbles, faces and words of
other scripts. A classifier has to lose its confidence on them; none of them is ever trained on.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kakitori.reading.normalising.photos import prepare_ink

SIDE = 256  # pixels of a picture
PENS = (6.0, 14.0)  # pixels of a pen's width, from thinnest to thickest
# Of matplotlib's DejaVu Sans. One letter may be a character of ours, a word is none.
ALPHABETS = (
    "αβγδεζηθικλμνξπρστυφχψω",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "abcdefghijklmnopqrstuvwxyz",
    "אבגדהוזחטיכלמנסעפצקרשת",
    "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցփքօֆ",
    "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
)
LETTERS = (3, 6)  # of a word


def images(count: int, size: int, seed: int) -> np.ndarray:
    """So many pictures as a recogniser is shown them, uint8 (count, size, size), kinds in turn."""
    rng = np.random.default_rng([seed, 0x5354])
    kinds: tuple[Callable[[np.random.Generator], Image.Image], ...] = (scribble, face, word)
    pictures = (255 - np.asarray(kinds[k % len(kinds)](rng)) for k in range(count))
    return np.stack([prepare_ink(ink, size) for ink in pictures])


def scribble(rng: np.random.Generator) -> Image.Image:
    """Smooth lines to and fro, one to four of them."""
    lines = []
    for _ in range(rng.integers(1, 5)):
        corners = rng.uniform(0.1, 0.9, (rng.integers(4, 12), 2)) * SIDE
        lines.append(_curve(corners))
    return _drawn(lines, rng)


def face(rng: np.random.Generator) -> Image.Image:
    """A round, eyes, a mouth and perhaps a nose."""
    turn = np.linspace(0, 2 * np.pi, 40)
    middle, radius = rng.uniform(0.45, 0.55, 2) * SIDE, rng.uniform(0.3, 0.4, 2) * SIDE

    def arc(x: float, y: float, wide: float, high: float, angles: np.ndarray) -> np.ndarray:
        points = np.stack([x + wide * np.cos(angles), y + high * np.sin(angles)], 1)
        return middle + radius * points

    apart, height, eye = rng.uniform(0.3, 0.5), rng.uniform(-0.4, -0.2), rng.uniform(0.03, 0.12)
    bent = rng.uniform(-0.3, 0.3)
    lines = [
        arc(0, 0, 1, 1, turn + rng.uniform(0, 6)),
        arc(-apart, height, eye, eye, turn),
        arc(apart, height, eye, eye, turn),
        arc(0, 0.45, rng.uniform(0.25, 0.5), bent, np.linspace(0, np.pi, 20)),
    ]
    if rng.random() < 0.5:
        lines.append(arc(0, 0.1, 0.05, 0.15, np.linspace(0, np.pi, 8)))
    shaken = [line + _curve(rng.normal(0, 0.02 * SIDE, (5, 2)), len(line)) for line in lines]
    return _drawn(shaken, rng)


def word(rng: np.random.Generator) -> Image.Image:
    """Letters of another script, side by side."""
    alphabet = ALPHABETS[rng.integers(len(ALPHABETS))]
    text = "".join(rng.choice(list(alphabet), rng.integers(*LETTERS)))
    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    font = ImageFont.truetype(str(path), int(rng.integers(60, 110)))
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("L", (int(right - left) + 40, int(bottom - top) + 40), 255)
    ImageDraw.Draw(picture).text((20 - left, 20 - top), text, font=font, fill=0)
    return picture.rotate(rng.normal(0, 5), expand=True, fillcolor=255)


def _curve(corners: np.ndarray, points: int = 120) -> np.ndarray:
    """A smooth line past corners (N, 2): cubic B-spline pieces, float64 (points, 2)."""
    ends = np.concatenate([corners[:1]] * 2 + [corners] + [corners[-1:]] * 2)
    at = np.linspace(0, len(ends) - 3 - 1e-9, points)
    k, t = at.astype(int), (at % 1)[:, None]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    return sum(w * ends[k + n] for n, w in enumerate(weights)) / 6


def _drawn(lines: list[np.ndarray], rng: np.random.Generator) -> Image.Image:
    paper = np.full((SIDE, SIDE), 255, np.uint8)
    width = round(rng.uniform(*PENS))
    for line in lines:
        points = np.round(line * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(paper, [points], False, 0, width, cv2.LINE_AA, shift=4)
    return Image.fromarray(paper)
