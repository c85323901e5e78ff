"""What tells two characters apart."""

import numpy as np

from kakitori.evaluation import differences

LEVEL, UPRIGHT = np.array([[0.1, 0.3], [0.9, 0.3]]), np.array([[0.5, 0.1], [0.5, 0.9]])
LEFT, RIGHT = np.array([[0.5, 0.3], [0.1, 0.9]]), np.array([[0.5, 0.3], [0.9, 0.9]])
DOT = np.array([[0.75, 0.4], [0.85, 0.5]])
LOW = np.array([[0.1, 0.6], [0.9, 0.6]])

TREE = [LEVEL, UPRIGHT, LEFT, RIGHT]


def test_a_stroke_more():
    """大 and 犬, say: the dot is what the other has not."""
    difference = differences.between(
        ([LEVEL, LEFT, RIGHT], ["大"]), ([LEVEL, LEFT, RIGHT, DOT], ["犬"])
    )
    assert difference.strokes == ([], [3])
    assert difference.radicals == (["大"], ["犬"])


def test_a_stroke_elsewhere():
    """未 and 末: as many strokes, one of them longer."""
    short = np.array([[0.3, 0.1], [0.7, 0.1]])
    wide = np.array([[0.1, 0.1], [0.9, 0.1]])
    difference = differences.between(([short, *TREE], ["木", "二"]), ([wide, *TREE], ["木", "二"]))
    assert difference.strokes == ([0], [0])
    assert difference.radicals == ([], [])


def test_marked_strokes_are_drawn_in_their_own_colour():
    picture = differences.drawn([LEVEL, LOW], marked=[1])
    assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8
    red = (picture[..., 0].astype(int) - picture[..., 1]) > 80
    rows = np.flatnonzero(red.any(1))
    assert rows.min() > 0.5 * 64 and rows.max() < 0.7 * 64
    assert not (differences.drawn([LEVEL, LOW])[..., 0] > differences.drawn([LEVEL])[..., 1]).any()


def test_side_by_side_keeps_ink_dark():
    sample = np.zeros((32, 32), np.uint8)
    sample[16] = 255
    picture = differences.side_by_side(sample, differences.drawn(TREE), differences.drawn(TREE))
    assert picture.shape == (64, 3 * 64, 3)
    assert picture[32, :60].mean() < 100 < picture[5, :60].mean()
