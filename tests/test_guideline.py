"""Ways of writing that the guideline of the Agency for Cultural Affairs on jōyō kanji (2016,
常用漢字表の字体・字形に関する指針) calls right, and kana and digits of more than one form: each
drawn over KanjiVG's strokes, and accepted."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from kakitori.reading import matching
from kakitori.reading.matching import reference
from kakitori.writing import kanjivg
from tests.drawn_svg import OFFICIAL

Strokes = list[np.ndarray]


def joined(first: int) -> Callable[[Strokes], Strokes]:
    """A stroke and the next one without lifting the pen."""

    def change(strokes: Strokes) -> Strokes:
        stroke, other = strokes[first : first + 2]
        whole = np.concatenate([stroke, np.linspace(stroke[-1], other[0], 8), other])
        return [*strokes[:first], whole, *strokes[first + 2 :]]

    return change


def replaced(number: int, *points: tuple[float, float]) -> Callable[[Strokes], Strokes]:
    """Another course of a stroke, in the unit square."""
    return lambda strokes: [*strokes[:number], np.array(points), *strokes[number + 1 :]]


def hooked(number: int) -> Callable[[Strokes], Strokes]:
    """A stroke with a hook to the left at its end."""

    def change(strokes: Strokes) -> Strokes:
        end = strokes[number][-1] + np.array([-0.06, -0.05])
        hook = np.concatenate([strokes[number], end[None]])
        return [*strokes[:number], hook, *strokes[number + 1 :]]

    return change


ROOF, BAR = slice(0, 2), [(0.37, 0.40), (0.62, 0.40)]
FORMS = [
    ("令", "as マ", lambda s: [*s[ROOF], BAR, [(0.3, 0.52), (0.68, 0.52), (0.5, 0.72)],
                          [(0.42, 0.64), (0.58, 0.85)]]),
    ("令", "as 卩", lambda s: [*s[ROOF], BAR,
                          [(0.25, 0.55), (0.72, 0.55), (0.7, 0.75), (0.62, 0.7)],
                          [(0.48, 0.55), (0.48, 0.95)]]),
    ("言", "its first a dot", replaced(0, (0.46, 0.12), (0.54, 0.2))),
    ("言", "its first a bar", replaced(0, (0.38, 0.14), (0.62, 0.14))),
    ("言", "its first upright", replaced(0, (0.5, 0.1), (0.5, 0.2))),
    ("戸", "its first a bar", replaced(0, (0.3, 0.14), (0.7, 0.13))),
    ("戸", "its first to the left", replaced(0, (0.62, 0.1), (0.38, 0.18))),
    ("木", "with a hook", hooked(1)),
    ("さ", "joined", joined(1)),
    ("き", "joined", joined(2)),
    ("ふ", "joined", joined(0)),
    ("ゆ", "joined", joined(0)),
    ("り", "joined", joined(0)),
    ("7", "of one stroke", lambda s: s[1:]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("character", "change"), [(c, f) for c, _, f in FORMS], ids=[f"{c} {w}" for c, w, _ in FORMS]
)
def test_what_is_right_is_accepted(character, change):
    (base,) = kanjivg.read(OFFICIAL, [character])
    model = {"source": "kanjivg", "strokes": [s.ravel().tolist() for s in base.strokes]}
    tree = base.tree.to_json()
    others = reference.variants({character}).get(character, ())
    ways = reference.ways([model], tree, others)
    strokes = [np.asarray(s, float) for s in change(list(base.strokes))]
    match = matching.match(strokes, base.strokes, True, ways)
    assert match.accepted, json.dumps(match._asdict(), default=str, ensure_ascii=False)


def test_a_kana_broken_at_its_corner_is_split():
    """そ of two strokes, as many write it: said, and no fault."""
    (base,) = kanjivg.read(OFFICIAL, ["そ"])
    (whole,) = base.strokes
    corner = int(np.argmin(np.hypot(*(whole - [0.64, 0.16]).T)))
    drawn = [whole[: corner + 1], whole[corner:]]
    match = matching.match(drawn, base.strokes, True)
    assert (match.accepted and match.split == [(1, 2)]) or match.split == [[1, 2]]
