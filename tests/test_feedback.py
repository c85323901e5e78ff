"""What is said of missing strokes and of strokes too many, and how right it is."""

import numpy as np
import pytest
import torch

from kakitori.archs.contract import FOREIGN
from kakitori.learning import data
from kakitori.recognizer import Feedback
from kakitori.results import feedback
from recognize import in_words


def said(missing: list[int], count: int, where: tuple | None = None) -> Feedback:
    return Feedback(missing, np.ones(count), where is not None, where)


def test_the_figures_are_those_counted_by_hand():
    """Three characters of three strokes: one missing and named; two missing of which one is named;
    none missing, one named. The first and second have a stroke too many, the first is called."""
    presence = torch.zeros(3, 32, dtype=torch.int8)
    presence[:, :3] = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 1]])
    layers = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    layers[:2, :, :2] = FOREIGN
    right = data.Partial(torch.zeros(3, 1, 8, 8), torch.zeros(3), presence, layers)
    box = (0.0, 0.0, 1.0, 0.25)
    found = feedback.score([said([2], 3, box), said([1], 3), said([3], 3)], right)
    assert found == pytest.approx(
        {
            "samples": 3,
            "missing_exact": 1 / 3,
            "missing_precision": 2 / 3,
            "missing_recall": 2 / 3,
            "extra_precision": 1.0,
            "extra_recall": 0.5,
        }
    )


def test_nothing_said_is_a_figure_too():
    presence = torch.zeros(1, 32, dtype=torch.int8)
    presence[:, 0] = 1
    blank = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    found = feedback.score([said([], 1)], data.Partial(blank, torch.zeros(1), presence, blank))
    assert found["missing_exact"] == 1 and not any(np.isnan(v) for v in found.values())


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (said([], 4), "all 4 strokes are there"),
        (said([2], 4), "stroke 2 of 4 is missing"),
        (said([1, 2, 4], 4), "strokes 1, 2 and 4 of 4 are missing"),
        (
            said([2], 2, (0.5, 0.0, 1.0, 0.25)),
            "stroke 2 of 2 is missing; a stroke too many from 50 % to 100 % of the width and "
            "0 % to 25 % of the height",
        ),
    ],
)
def test_it_is_said_in_words(found, words):
    assert in_words(found) == words
