"""What tells two characters apart: which of their strokes, which of their radicals."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from kakitori.reading.characters.strokes import Strokes, framed, paired

SIDE = 64  # pixels of a drawn character
SAME, OWN = (150, 150, 150), (200, 40, 30)


class Difference(NamedTuple):
    """What the first character has and the other has not, and the other way round.

    strokes : numbers, from 0, of strokes without a like one at their place in the other; where all
        have one, those two of a pair that lie furthest from each other.
    radicals : by their names.
    """

    strokes: tuple[list[int], list[int]]
    radicals: tuple[list[str], list[str]]


def between(
    character: tuple[Strokes, Collection[str]], other: tuple[Strokes, Collection[str]]
) -> Difference:
    """The difference of two characters, each its strokes and its radicals."""
    (strokes, radicals), (others, its_radicals) = character, other
    own_radicals = [r for r in radicals if r not in its_radicals]
    others_told = [r for r in its_radicals if r not in radicals]
    if not strokes or not others:  # nobody knows them: nothing to compare
        return Difference(([], []), (own_radicals, others_told))
    pairs = paired(strokes, others)
    mine = [k for k in range(len(strokes)) if k not in {i for i, _ in pairs}]
    its = [k for k in range(len(others)) if k not in {j for _, j in pairs}]
    if not mine and not its:
        a, b = framed(strokes), framed(others)
        far = [
            min(np.linalg.norm(a[i] - way, axis=1).mean() for way in (b[j], b[j][::-1]))
            for i, j in pairs
        ]
        worst = pairs[int(np.argmax(far))]
        mine, its = [worst[0]], [worst[1]]
    return Difference((mine, its), (own_radicals, others_told))


def drawn(strokes: Strokes, marked: Sequence[int] = ()) -> np.ndarray:
    """A character's strokes, `marked` ones in a colour of their own: uint8 (SIDE, SIDE, 3)."""
    large = Image.new("RGB", (4 * SIDE, 4 * SIDE), "white")
    pen = ImageDraw.Draw(large)
    for number, stroke in enumerate(strokes):
        points = [tuple(p) for p in (0.06 + 0.88 * stroke) * 4 * SIDE]
        pen.line(points, OWN if number in marked else SAME, 14, "curve")
    return np.asarray(large.resize((SIDE, SIDE), Image.Resampling.BOX))


def side_by_side(sample: np.ndarray, *drawings: np.ndarray) -> np.ndarray:
    """A sample uint8 (S, S), 255 = ink, and drawings of `drawn`, as one picture."""
    paper = Image.fromarray(255 - sample).resize((SIDE, SIDE)).convert("RGB")
    return np.concatenate([np.asarray(paper), *drawings], axis=1)
