from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from kakitori.reading.characters import charset, strokes
from kakitori.writing import kanjivg

OFFICIAL = kanjivg.release(Path("no archive"))


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float32)


LEVEL, UPRIGHT = line((0.1, 0.5), (0.9, 0.5)), line((0.5, 0.1), (0.5, 0.9))
BOX = [  # 口
    line((0.2, 0.2), (0.2, 0.8)),
    line((0.2, 0.2), (0.8, 0.2), (0.8, 0.8)),
    line((0.2, 0.78), (0.8, 0.78)),
]


def test_resampled_points_are_evenly_spaced():
    points = strokes.resample(line((0, 0), (1, 0), (1, 0.5)), 7)
    np.testing.assert_allclose(np.linalg.norm(np.diff(points, axis=0), axis=1), 0.25, atol=1e-6)
    np.testing.assert_allclose(points[4], [1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("symbol", "stroke"),
    [
        ("㇐", LEVEL),
        ("㇑", UPRIGHT),
        ("㇒", line((0.6, 0.1), (0.45, 0.5), (0.2, 0.8))),
        ("㇏", line((0.3, 0.3), (0.5, 0.55), (0.9, 0.8))),
        ("㇔", line((0.4, 0.1), (0.5, 0.2))),
        ("㇀", line((0.1, 0.7), (0.4, 0.55))),
        ("㇕", line((0.2, 0.2), (0.7, 0.2), (0.7, 0.8))),
        ("㇚", line((0.5, 0.1), (0.5, 0.9), (0.4, 0.82))),
        ("㇜", line((0.5, 0.1), (0.2, 0.5), (0.25, 0.52), (0.7, 0.48))),
        ("㇟", line((0.3, 0.1), (0.3, 0.8), (0.8, 0.8), (0.82, 0.6))),
    ],
)
def test_types_of_plain_shapes(symbol, stroke):
    assert strokes.classify([stroke]) == [symbol]


def test_a_vocabulary_of_27():
    assert len(strokes.TYPES) == 27
    assert strokes.classify([]) == []
    dot = np.full((2, 2), 0.5, np.float32)  # no direction at all
    assert strokes.classify([dot])[0] in strokes.TYPES


def test_matching_finds_the_same_stroke_in_any_direction_and_scale():
    halved = [0.5 * s[::-1] for s in (BOX[2], BOX[0], BOX[1])]
    assert strokes.paired(halved, BOX) == [(0, 2), (1, 0), (2, 1)]
    far = [BOX[0], BOX[1], line((0.2, 0.5), (0.8, 0.5)), BOX[2]]
    assert strokes.paired(far, BOX) == [(0, 0), (1, 1), (3, 2)]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("十", [LEVEL, UPRIGHT]),
        ("口", BOX),
        ("三", [line((0.2, y), (0.8, y)) for y in (0.2, 0.5, 0.8)]),
        ("川", [line((x, 0.2), (x, 0.8)) for x in (0.2, 0.5, 0.8)]),
        ("品", [s * 0.4 + at for at in ((0.3, 0), (0, 0.5), (0.5, 0.5)) for s in BOX]),
    ],
)
def test_order_of_writing(name, written):
    """Whatever order the strokes come in, the school's comes out."""
    shuffled = np.random.default_rng(0).permutation(len(written))
    order = strokes.writing_order([written[i] for i in shuffled])
    assert [shuffled[i] for i in order] == list(range(len(written)))


def test_what_a_road_carries_comes_before_it():
    """辶 last: content, dot, corner, sweep."""
    content = [s * 0.5 + (0.4, 0.1) for s in BOX]
    road = [
        line((0.1, 0.1), (0.2, 0.2)),
        line((0.05, 0.4), (0.2, 0.4), (0.15, 0.75)),
        line((0.12, 0.8), (0.4, 0.92), (0.95, 0.92)),
    ]
    assert strokes.writing_order(road + content) == [3, 4, 5, 0, 1, 2]


def test_order_of_none_and_one():
    assert strokes.writing_order([]) == [] and strokes.writing_order([LEVEL]) == [0]


def test_against_kanjivg():
    """On the kanji that gave no prototype (strokes.TYPES) and every tenth for the order."""
    kanji = [c for c in charset.etl9_characters() if charset.script(ord(c)) == "kanji"]
    true = list(kanjivg.read(OFFICIAL, kanji))
    right = [
        stroke_type == given
        for c in true[::2]
        for stroke_type, given in zip(strokes.classify(c.strokes), c.types, strict=True)
    ]
    assert np.mean(right) > 0.95
    orders = [strokes.writing_order(c.strokes) for c in true[::10] if len(c.strokes) > 1]
    taus = [kendalltau(range(len(order)), order).statistic for order in orders]
    assert np.mean(taus) > 0.88
