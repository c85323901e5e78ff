"""Rules of running forms (行書): what a hand in a hurry writes otherwise, and what it joins.

Three kinds of rules, all found by the types of strokes that follow each other (and how they lie):
FORMS redraw a component as one pen runs through it, CUTS leave out the end or the beginning of
strokes, LINKS keep the pen down between two strokes. They are the rules of the script as
handbooks of calligraphy teach them; no font or drawing was traced for them.
"""

import functools
import itertools
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kakitori.reading.characters.strokes import TYPES, resample

HOOKED = "㇆㇚㇟㇁㇂㇃㇈㇉㇋㇖"  # types that end in a hook
KANA = "".join(map(chr, range(0x3041, 0x3097)))  # in place of the types of their strokes
ASIDE = "㇟㇂㇃㇈"  # those of them whose hook sets out from their lower right
CURVE = 12  # points of a form's course between two that are given
SHORT = 0.3  # of the square: shorter strokes are dots to each other


class Rule(NamedTuple):
    """One form of a component.

    name : as handbooks call it. pattern : of the types of its strokes, a regular expression.
    lies : whether strokes of these types, (n, points, 2), are such a component.
    courses : the forms, of which each writer has one: per stroke the places that the pen goes
        through, in hundredths of the box around the component, "x,y x,y". Between two strokes the
        pen is lifted (`/`), stays down (`~`), or the next goes on where the first ends (`-`);
        within one it may be lifted as well (`|`).
    chance : share of writers of running hands who write it so.
    """

    name: str
    pattern: str
    lies: Callable[[np.ndarray], bool]
    courses: tuple[str, ...]
    chance: float


class Cut(NamedTuple):
    """Strokes that begin later or end sooner: `kept` per stroke, from and to which share of it."""

    name: str
    pattern: str
    lies: Callable[[np.ndarray], bool]
    kept: tuple[tuple[float, float], ...]
    chance: float


class Link(NamedTuple):
    """Two strokes between which the pen may stay down: types of the first and of the second.
    `lies` is asked of the arrays of `Pairs`."""

    name: str
    first: str
    second: str
    lies: Callable[["Pairs"], np.ndarray]
    chance: float


class Pairs(NamedTuple):
    """Of strokes and those after them: where one ends and the other starts, (N, 2), the boxes
    around both, (N, 2) each, and how long both are, (N,)."""

    end: np.ndarray
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    next_low: np.ndarray
    next_high: np.ndarray
    length: np.ndarray
    next_length: np.ndarray


def _box(strokes: np.ndarray) -> np.ndarray:
    return np.ptp(strokes, axis=(0, 1))


def _narrow(strokes: np.ndarray) -> bool:
    width, height = _box(strokes)
    return width < 0.7 * height


def _left(strokes: np.ndarray) -> bool:
    return _narrow(strokes) and bool(strokes[..., 0].max() < 0.55)


def _row(strokes: np.ndarray) -> bool:
    """Short strokes side by side from left to right."""
    width, height = _box(strokes)
    return width > 2 * height and _rightward(strokes)


def _rightward(strokes: np.ndarray) -> bool:
    return bool((np.diff(strokes[:, :, 0].mean(1)) > 0).all())


def _water(strokes: np.ndarray) -> bool:
    middle = strokes.mean(1)
    return _narrow(strokes) and bool((np.diff(middle[:, 1]) > 0.05).all()) and middle[0, 0] < 0.4


def _closed_box(strokes: np.ndarray) -> bool:
    """口: the third stroke leads along the bottom from the first's end to the second's."""
    side, shoulder, bottom = strokes
    near = np.linalg.norm([bottom[0] - side[-1], bottom[-1] - shoulder[-1]], axis=1)
    width, height = _box(strokes)
    return near.max() < 0.35 * max(width, height) and 0.4 < width / max(height, 1e-3) < 3


def _grass(strokes: np.ndarray) -> bool:
    """艹 above everything: both uprights cross the bar."""
    bar, left, right = strokes
    level = bar[:, 1].mean()
    across = all(s[0, 1] < level < s[-1, 1] for s in (left, right))
    return across and strokes[..., 1].max() < 0.45 and left[0, 0] < right[0, 0]


def _legs(strokes: np.ndarray) -> bool:
    """木: a falling stroke to either side of an upright."""
    upright, left, right = strokes
    return left[-1, 0] < upright[:, 0].mean() < right[-1, 0] and left[-1, 1] > left[0, 1]


def _below(strokes: np.ndarray) -> bool:
    return strokes[..., 1].min() > 0.5


def _always(_: object) -> bool:
    return True


FORMS = (
    Rule(
        "言 on the left",
        "[㇔㇐]㇐㇐㇐㇑㇕㇐",
        _left,
        (
            "38,0 60,11 / 0,26 50,22 98,20 ~ 25,42 74,38 ~ 22,57 76,52 ~ 26,70 30,84 33,100"
            " / 28,74 60,68 88,67 80,82 72,90 - 58,94 36,95",
            "30,0 58,13 / 0,34 30,31 56,29 - 54,45 - 51,62 - 48,78 - 47,93 55,95 - 78,84 100,72",
        ),
        0.8,
    ),
    Rule(
        "氵",
        "㇔㇔[㇀㇒]",
        _water,
        (
            "30,0 58,8 80,19 / 5,34 30,42 42,50 ~ 14,98 50,88 100,60",
            "40,0 70,10 80,22 / 10,36 34,46 26,70 - 18,96 42,92 100,58",
        ),
        0.8,
    ),
    Rule(
        "灬",
        "㇔㇔㇔㇔",
        lambda s: _row(s) and bool(s[..., 1].min() > 0.55),
        (
            "6,10 0,90 ~ 28,30 33,74 ~ 56,30 60,74 ~ 84,20 100,85",
            "0,90 6,58 25,56 - 50,68 - 62,64 75,56 - 90,52 100,80",
        ),
        0.8,
    ),
    Rule(
        "心",
        "㇔㇃㇔㇔",
        _always,
        (
            "8,38 0,60 3,84 / 20,36 24,74 44,98 66,99 78,82 ~ 46,8 62,34 ~ 88,22 100,58",
            "10,36 0,62 4,86 / 22,40 30,84 56,100 76,92 82,72 / 46,0 62,24 ~ 88,24 100,52",
        ),
        0.8,
    ),
    Rule(
        "辶",
        "㇋㇏",
        lambda s: bool(_box(s)[0] > 0.5),
        (
            "1,10 9,4 16,6 12,28 7,46 14,60 10,76 1,92 - 16,88 40,92 70,99 100,97",
            "10,0 11,30 9,60 3,86 1,96 - 14,82 40,90 70,98 100,98",
        ),
        0.85,
    ),
    Rule(
        "門",
        "㇑㇕㇐㇐㇑㇆㇐㇐",
        lambda s: bool(_box(s)[0] > 0.45),
        (
            "5,6 3,50 0,100 / 5,8 24,4 40,5 38,20 36,38 / 12,22 34,20 ~ 14,38 34,36"
            " / 62,6 62,42 / 60,6 80,3 98,4 100,40 98,98 90,95 / 66,22 92,20 ~ 66,40 92,37",
            "6,16 3,50 0,100 / 16,0 28,11 / 36,12 46,10 - 58,9 - 70,8 - 84,6 96,8 98,24"
            " - 99,50 98,72 - 98,92 94,100 84,94",
        ),
        0.7,
    ),
    Rule(
        "艹",
        "㇐[㇑㇒][㇑㇒]",
        _grass,
        (
            "0,68 50,64 100,60 / 22,2 30,24 34,46 / 80,0 70,28 60,48",
            "0,58 50,54 100,50 / 24,8 30,60 32,96 ~ 74,8 70,60 62,100",
        ),
        0.5,
    ),
    Rule(
        "口",
        "㇑㇕㇐",
        _closed_box,
        (
            "4,4 9,50 16,100 / 6,8 50,2 88,0 96,8 90,44 82,78 - 70,92 46,93 20,92",
            "2,6 6,50 14,98 / 8,6 60,0 98,2 90,46 80,92 / 34,94 60,91 92,90",
        ),
        0.7,
    ),
    Rule(
        "糸 on the left",
        "㇜㇜㇔[㇑㇚]㇒㇔",
        _left,
        (
            "58,0 34,16 6,33 30,34 54,30 ~ 84,20 50,44 8,64 40,64 66,58 / 72,46 94,64"
            " / 2,94 30,86 - 64,76 - 100,64",
            "56,0 32,15 8,30 34,32 52,28 ~ 86,18 52,40 10,60 46,58 76,52 ~ 74,42 98,62"
            " / 50,62 52,80 48,100 ~ 2,74 16,92 ~ 82,68 100,84",
        ),
        0.7,
    ),
    Rule(
        "金 on the left",
        "㇒[㇏㇔]㇐㇐㇑[㇔㇑]㇒[㇀㇐]",
        _left,
        (
            "45,0 25,18 0,36 / 42,8 70,22 100,34 / 28,38 72,35 ~ 14,56 88,52 / 50,38 51,64 48,88"
            " / 14,66 24,77 ~ 84,62 70,78 ~ 6,98 50,93 96,82",
            "48,0 26,20 0,38 ~ 44,8 68,20 92,34 / 24,38 74,35 ~ 12,54 90,51 / 50,38 50,66 48,94"
            " / 16,66 26,78 / 86,62 74,78 ~ 8,100 50,94 100,84",
        ),
        0.7,
    ),
    Rule(
        "three dots of 糸",
        "(?<=㇜㇜㇔)㇔㇔㇔",
        _rightward,
        (
            "0,45 16,60 ~ 40,20 56,50 ~ 80,10 100,45",
            "0,100 20,78 34,66 - 66,40 - 84,22 100,10",
        ),
        0.7,
    ),
    Rule(
        "そ",
        "^[そぞ](?![そぞ])",
        _always,
        (
            "14,3 22,10 28,18 | 80,0 56,18 30,34 8,46 50,42 100,36 62,46 38,64 40,84 60,98 80,96",
            "10,8 48,7 86,2 58,20 30,34 4,46 50,42 100,38 62,47 36,66 42,86 60,98 80,97",
        ),
        0.6,
    ),
    Rule(
        "ふ",
        "^[ふぶぷ]{4}(?![ふぶぷ])",
        _always,
        (
            "34,0 50,6 62,14 - 46,30 56,44 62,60 52,88 28,80 / 0,92 18,68 26,74 / 78,60 100,86",
            "34,0 60,14 ~ 46,30 62,58 50,88 28,78 / 0,90 18,70 ~ 80,62 100,86",
        ),
        0.5,
    ),
)

CUTS = (
    Cut("legs of 木", "[㇑㇚]㇒[㇏㇔]", _legs, ((0, 1), (0, 0.68), (0.1, 0.72)), 0.6),
    Cut("two dots below 貝", "㇒㇔", _below, ((0.1, 0.8), (0, 0.9)), 0.5),
    Cut("a box's corner", "㇕㇐(?!㇐)", _always, ((0, 0.94), (0.22, 0.95)), 0.5),
    Cut("㇏ that stops", "㇏", _always, ((0, 0.8),), 0.6),
    Cut("bars apart from their side", "㇕㇐(?=㇐)", _always, ((0, 1), (0.12, 0.88)), 0.5),
)


def _bars(pair: Pairs) -> np.ndarray:
    shared = np.minimum(pair.high, pair.next_high) - np.maximum(pair.low, pair.next_low)
    drop = pair.start[:, 1] - pair.end[:, 1]
    shorter = np.minimum(pair.length, pair.next_length)
    return (shared[:, 0] > 0.5 * shorter) & (drop > 0.02) & (drop < 0.45)


def _rises(pair: Pairs) -> np.ndarray:
    return pair.start[:, 1] < pair.end[:, 1] - 0.02


def _short(pair: Pairs) -> np.ndarray:
    return np.maximum(pair.length, pair.next_length) < SHORT


def _all(pair: Pairs) -> np.ndarray:
    return np.ones(len(pair.end), bool)


def _dot(pair: Pairs) -> np.ndarray:
    return pair.length < SHORT


ANY = "".join(TYPES)
LINKS = (  # the first that fits a pair is its rule
    Link("dots side by side", "㇔㇒㇀", "㇔㇒㇀㇐", _short, 0.9),
    Link("bars below each other", "㇐㇀", "㇐㇀", _bars, 0.8),
    Link("a bar, and what crosses it", "㇐㇀", "㇑㇚㇒㇓㇇", _rises, 0.5),
    Link("a side, and the shoulder beside it", "㇑", "㇕㇆", _all, 0.15),
    Link("a shoulder, and what it closes", "㇕㇆㇖㇇", "㇐㇀", _all, 0.5),
    Link("folds", "㇜㇛㇇㇙", ANY, _all, 0.8),
    Link("hooks that lead on", HOOKED, ANY, _all, 0.7),
    Link("legs", "㇒㇓", "㇏㇔㇟㇂", _all, 0.5),
    Link("a falling stroke, and the next", "㇒㇓㇔", "㇑㇐㇚㇕㇆", _all, 0.6),
    Link("an upright, and the next", "㇑", "㇐㇔㇒㇀", _all, 0.5),
    Link("kana: a dot, and the next", KANA, KANA, _dot, 0.7),
    Link("kana: what crosses it", KANA, KANA, _rises, 0.5),
    Link("kana: others", KANA, KANA, _all, 0.6),
    Link("others", ANY, ANY, _all, 0.25),
)


class Shape(NamedTuple):
    """The strokes of a form, float32 (n, points, 2), in its box; after which of them the pen stays
    down, bool (n,); and from which of their points to the next it is lifted, bool (n, points)."""

    strokes: np.ndarray
    stays: np.ndarray
    lifted: np.ndarray


@functools.cache
def curves(course: str, count: int) -> Shape:
    """A form with `count` points a stroke: a Catmull-Rom spline through the places of strokes that
    go on into each other, so that the pen makes no corner where one ends."""
    strokes, lifted = [], []
    for run in re.split("[/~]", course):
        parts = [_spline(_places(part)) for part in run.split("|")]
        line = np.concatenate(parts)
        ends = np.cumsum([len(_places(piece)) for piece in run.split("-")]) - 1
        ends = CURVE * ends if len(parts) == 1 else [len(line) - 1]
        strokes += [resample(line[a : b + 1], count) for a, b in itertools.pairwise([0, *ends])]
        # Half-way from each point to the next: on a part, or between two of them.
        along = np.append(0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
        gaps = along[np.cumsum([len(part) for part in parts])[:-1][:, None] + [-1, 0]]
        middle = (np.arange(count) + 0.5) / (count - 1) * along[-1]
        up = ((gaps[:, :1] < middle) & (middle < gaps[:, 1:])).any(0)
        lifted += [up] * len(ends)
    stays = [mark == "~" for mark in re.findall("[-/~]", course)]
    return Shape(np.array(strokes, np.float32), np.array([*stays, False]), np.array(lifted))


def _places(piece: str) -> np.ndarray:
    places = piece.replace("|", " ").replace("-", " ").split()
    return np.array([place.split(",") for place in places], float) / 100


def _spline(through: np.ndarray) -> np.ndarray:
    padded = np.concatenate([through[:1], through, through[-1:]])
    t = np.linspace(0, 1, CURVE, endpoint=False)[:, None]
    segments = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = (-a + 3 * b - 3 * c + d) * t**3 + (2 * a - 5 * b + 4 * c - d) * t**2
        segments.append((cubic + (c - a) * t + 2 * b) / 2)
    return np.concatenate([*segments, through[-1:]])
