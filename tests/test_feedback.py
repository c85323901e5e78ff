"""What is said of missing strokes and of strokes too many, and how right it is."""

import numpy as np
import pytest

from kakitori.corpora.partial import with_slips
from kakitori.evaluation import feedback
from kakitori.reading.program.answers import in_words
from kakitori.reading.stroke_answers import Feedback, judged

BOX = (0.5, 0.0, 1.0, 0.25)


def said(missing: list[int], count: int, extra: tuple | None = None) -> Feedback:
    return Feedback(missing, np.ones(count), extra)


def right(presence: list[list[int]], slips: list[int]) -> feedback.FeedbackSet:
    rows = np.zeros((len(presence), 32), np.int8)
    rows[:, : len(presence[0])] = presence
    blank = np.zeros((len(presence), 8, 8), np.uint8)
    return feedback.FeedbackSet(blank, np.zeros(len(presence), int), rows, np.array(slips))


def test_the_figures_are_those_counted_by_hand():
    """Four characters of three strokes: one missing and named; two missing of which one is named;
    none missing, one named; all right. The first two have a stroke too many, the first is called,
    and so is one of the others."""
    truth = right([[1, 0, 1], [0, 0, 1], [1, 1, 1], [1, 1, 1]], [40, 90, 0, 0])
    judgements = [said([2], 3, BOX), said([1], 3), said([3], 3, BOX), said([], 3)]
    assert feedback.score(judgements, truth) == pytest.approx(
        {
            "samples": 4,
            "missing_exact": 2 / 4,
            "missing_precision": 2 / 3,
            "missing_recall": 2 / 3,
            "extra_recall": 1 / 2,
            "extra_false": 1 / 2,
        }
    )


def test_nothing_said_is_a_figure_too():
    figures = feedback.score([said([], 1)], right([[1]], [0]))
    assert figures["missing_exact"] == 1 and not any(np.isnan(v) for v in figures.values())


def test_a_slip_is_a_stroke_of_the_image_before():
    images, layers = np.zeros((40, 32, 32), np.uint8), np.zeros((40, 32, 32), np.uint8)
    images[::2, 8:10, 4:28], layers[::2, 8:10, 4:28] = 200, 1  # level bars, and upright ones
    images[1::2, 4:28, 16:18], layers[1::2, 4:28, 16:18] = 255, 1
    added = np.where(np.random.default_rng(0).random(40) < 0.5, 0.0, -1.0)
    out, slips = with_slips(images, layers, added)
    assert np.array_equal(slips > 0, added == 0)
    assert set(slips.tolist()) == {0, 22 * 2} and 8 < (slips > 0).sum() < 32
    for image, before, other, slip in zip(out, images, np.roll(images, 1, 0), slips, strict=True):
        assert np.array_equal(image, np.maximum(before, other) if slip else before)


@pytest.mark.parametrize("size", [32, 64])
def test_ink_far_from_all_strokes_is_boxed(size):
    """A cross, and the same with a bar at its foot."""
    unit = size // 32
    cross = np.zeros((size, size), np.uint8)
    cross[8 * unit : 10 * unit, 4 * unit : 28 * unit] = 255
    cross[4 * unit : 28 * unit, 15 * unit : 17 * unit] = 255
    along = np.linspace(4 / 32, 28 / 32, 6)
    courses = np.stack(
        [np.stack([along, np.full(6, 9 / 32)], 1), np.stack([np.full(6, 0.5), along], 1)]
    )
    assert judged(cross, np.ones(2), courses).extra is None
    cross[22 * unit : 24 * unit, 4 * unit : 28 * unit] = 255
    judgement = judged(cross, np.ones(2), courses)
    left, upper, right, lower = judgement.extra
    assert judgement.missing == [] and left < 0.2 and right > 0.8
    assert 21 / 32 <= upper < lower <= 25 / 32
    lacks = judged(cross, np.array([-1.0, 3.0]), courses)
    assert lacks.missing == [1] and lacks.presence == pytest.approx([0.269, 0.953], abs=1e-3)


def test_paper_without_ink():
    courses = np.full((2, 6, 2), 0.5)
    assert judged(np.zeros((64, 64), np.uint8), -np.ones(2), courses).missing == [1, 2]


@pytest.mark.parametrize(
    ("judgement", "words"),
    [
        (said([], 4), "all 4 strokes are there"),
        (said([2], 4), "stroke 2 of 4 is missing"),
        (said([1, 2, 4], 4), "strokes 1, 2 and 4 of 4 are missing"),
        (
            said([2], 2, BOX),
            "stroke 2 of 2 is missing; a stroke too many from 50 % to 100 % of the width and "
            "0 % to 25 % of the height",
        ),
    ],
)
def test_it_is_said_in_words(judgement, words):
    assert in_words(judgement) == words
