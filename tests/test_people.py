"""How a model's answers to people's drawings are scored."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import people

CLASSES = "あ木力カ"  # the last two look alike


def recognizer(probabilities: np.ndarray) -> SimpleNamespace:
    def read_normalised(images: np.ndarray, top: int) -> list:
        return [[(CLASSES[row.argmax()], row.max())] for row in probabilities[images[:, 0, 0]]]

    return SimpleNamespace(
        classes=CLASSES,
        candidates="",
        threshold=0.75,
        probabilities=lambda images: probabilities[images[:, 0, 0]],
        read_normalised=read_normalised,
    )


def test_figures_of_people_s_drawings_by_hand():
    table = np.array(
        [[0.9, 0.1, 0, 0], [0.8, 0.2, 0, 0], [0, 0, 0.3, 0.7], [0.25, 0.25, 0.25, 0.25]]
    )
    images = np.arange(4, dtype=np.uint8).reshape(-1, 1, 1)
    figures, answers = people.scored(recognizer(table), images, ["あ", "木", "力", "☃"])
    assert answers == ["あ", "あ", "カ", ""]
    assert figures["samples"] == 3, "of the snowman there is no class"
    assert figures["top1"] == pytest.approx(1 / 3)
    assert figures["top1_alike"] == pytest.approx(2 / 3)
    assert figures["top5"] == 1
    assert figures["coverage"] == pytest.approx(2 / 3), "0.9 and 0.8 are above 0.75"
    assert figures["wrong_and_sure"] == pytest.approx(1 / 3)
    # Bins of a fifteenth: 0.9 right, 0.8 wrong, 0.7 wrong, each alone in its own.
    assert figures["ece"] == pytest.approx((0.1 + 0.8 + 0.7) / 3)


def test_drawings_of_one_script_alone():
    labels = ["あ", "木", "ア", "い", "あ"]
    assert people.of("hiragana", labels) == [0, 3, 4]
    assert people.of("木", labels) == [1] and people.of("", labels) == [0, 1, 2, 3, 4]
