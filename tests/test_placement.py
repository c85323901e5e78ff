"""Reference strokes laid over images whose strokes are known."""

import numpy as np
import pytest

from kakitori.reading import placement
from kakitori.reading.characters.strokes import resample

LEVEL, UPRIGHT = np.array([[0.1, 0.5], [0.9, 0.5]]), np.array([[0.5, 0.2], [0.5, 0.8]])


def points(*strokes: np.ndarray) -> np.ndarray:
    return np.stack([resample(stroke, placement.POINTS) for stroke in strokes])


def image(*boxes: tuple[slice, slice]) -> np.ndarray:
    picture = np.zeros((64, 64), np.uint8)
    for box in boxes:
        picture[box] = 255
    return picture


def test_strokes_fill_the_box_of_the_ink():
    cross = image(np.s_[30:34, 16:48], np.s_[8:56, 30:34])
    courses = placement.placed(points(LEVEL, UPRIGHT), cross)
    assert courses.shape == (2, placement.POINTS, 2)
    assert courses[0, 0] == pytest.approx([16 / 64, 0.5])
    assert courses[0, -1] == pytest.approx([48 / 64, 0.5])
    assert courses[1, 0] == pytest.approx([0.5, 8 / 64])
    assert courses[1, -1] == pytest.approx([0.5, 56 / 64])


def test_a_level_line_is_not_stretched_to_a_blot():
    courses = placement.placed(
        points(np.array([[0.1, 0.5], [0.9, 0.51]])), image(np.s_[20:30, 4:60])
    )
    assert np.ptp(courses[0, :, 1]) < 0.02 and courses[0, :, 1].mean() == pytest.approx(25 / 64)


def test_each_pixel_goes_to_the_nearest_stroke():
    bars = image(np.s_[8:56, 8:12], np.s_[8:56, 52:56])
    bars[30, 20] = 90  # grey, nearer to the left one
    numbers = placement.stroke_of_pixels(
        np.array([[[0.84, 0], [0.84, 1]], [[0.16, 0], [0.16, 1]]]), bars
    )
    assert (numbers[8:56, 8:12] == 2).all() and (numbers[8:56, 52:56] == 1).all()
    assert numbers[30, 20] == 2 and numbers[0, 0] == 0


def test_a_stroke_moves_onto_its_ink():
    """三, its middle stroke written far too low."""
    reference = points(*[np.array([[0.1, y], [0.9, y]]) for y in (0.1, 0.5, 0.9)])
    written = image(*[np.s_[y : y + 4, 8:56] for y in (4, 40, 56)])
    before, after = (f(reference, written)[1, 0, 1] for f in (placement.placed, placement.fitted))
    assert before == pytest.approx(32 / 64, abs=0.01) and after == pytest.approx(42 / 64, abs=0.01)


def test_paper_without_ink():
    courses = placement.fitted(points(LEVEL, UPRIGHT), image())
    assert np.isfinite(courses).all() and not placement.stroke_of_pixels(courses, image()).any()
