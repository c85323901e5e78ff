"""Population stability of what comes in."""

import json

import numpy as np
import pytest

from kakitori.reading import monitoring


def images(rng: np.random.Generator, count: int, thick: int) -> np.ndarray:
    out = np.zeros((count, 64, 64), np.uint8)
    for image, row in zip(out, rng.integers(8, 40, count), strict=True):
        image[row : row + thick, 8:56] = 255
    return out


def test_stroke_width_and_ink_by_hand():
    signals = monitoring.signals(images(np.random.default_rng(0), 3, 4), np.full(3, 0.5))
    # Bars of 48 by 4 pixels, whose edge is 2 (48 + 4) long.
    assert signals["ink"] == pytest.approx([48 * 4 / 64**2] * 3)
    assert signals["stroke_width"] == pytest.approx([2 * 48 * 4 / (2 * 52)] * 3)
    assert signals["confidence"].tolist() == [0.5] * 3
    assert np.isfinite(monitoring.signals(np.zeros((1, 8, 8), np.uint8), [1])["stroke_width"]).all()


def test_the_same_is_stable_and_another_has_drifted():
    rng = np.random.default_rng(0)
    reference = monitoring.reference(
        {"confidence": rng.beta(8, 2, 4000), "ink": rng.normal(0, 1, 4000)}
    )
    assert all(len(deciles) == 9 for deciles in json.loads(reference).values())
    same = {"confidence": rng.beta(8, 2, 500), "ink": rng.normal(0, 1, 500)}
    cells = monitoring.stability(same, reference)
    assert {cell["verdict"] for cell in cells.values()} == {"stable"}
    cells = monitoring.stability(same | {"ink": rng.normal(1, 1, 500)}, reference)
    assert cells["ink"]["verdict"] == "drifted" and cells["confidence"]["verdict"] == "stable"


def test_the_index_by_hand():
    """Everything in the first of ten bins."""
    reference = monitoring.reference({"ink": np.arange(1000.0)})
    cell = monitoring.stability({"ink": np.full(100, -1.0)}, reference)["ink"]
    rest = (1e-4 - 0.1) * np.log(1e-4 / 0.1)
    assert cell["index"] == pytest.approx(0.9 * np.log(10) + 9 * rest)


def test_few_samples_are_not_taken_for_a_drift():
    rng = np.random.default_rng(1)
    reference = monitoring.reference({"ink": rng.normal(0, 1, 4000)})
    verdicts = [
        monitoring.stability({"ink": rng.normal(0, 1, 40)}, reference)["ink"]["verdict"]
        for _ in range(50)
    ]
    assert verdicts.count("drifted") < 10
