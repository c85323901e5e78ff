"""Measures of drawings against values that were worked out by hand."""

import numpy as np
import pytest

from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import Form, resample
from tests.benchmarks import residuals
from tests.benchmarks.residuals import POINTS

STROKES = [  # like 川 with a bar on top and one that ends on its middle stroke
    np.array([(0.2, 0.2), (0.2, 0.8)]),
    np.array([(0.5, 0.2), (0.5, 0.8)]),
    np.array([(0.8, 0.2), (0.8, 0.8)]),
    np.array([(0.1, 0.1), (0.9, 0.1)]),
    np.array([(0.3, 0.5), (0.5, 0.5)]),
]
LINES = np.stack([resample(s, POINTS) for s in STROKES])
LEFT, RIGHT = Component("左", "left", (0, 4)), Component("右", "right", (1, 2, 3))


@pytest.fixture
def reference() -> residuals.Reference:
    form = Form(STROKES, tuple("㇑㇑㇑㇐㇐"), (0,) * 5)
    return residuals.reference_of("川", form, Component("川", "", (0, 1, 2, 3, 4), (LEFT, RIGHT)))


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """About their middle, clockwise where y runs down."""
    angle, middle = np.radians(degrees), points.mean(0)
    c, s = np.cos(angle), np.sin(angle)
    return (points - middle) @ np.array([[c, s], [-s, c]]) + middle


def test_a_known_map_leaves_nothing_and_is_told(reference):
    lean = 0.1  # x by so much less for each y further down
    matrix = 200 * np.array([[1.2, 0.0], [-lean, 1.0]])
    lines = residuals.paired([s @ matrix + (30, 7) for s in STROKES], reference).lines
    drawn, whole = residuals.laid(lines, reference.strokes)
    np.testing.assert_allclose(drawn, LINES, atol=1e-9)
    assert whole["slant"] == pytest.approx(np.degrees(np.arctan(lean)))
    assert whole["rise"] == pytest.approx(0, abs=1e-9)
    assert whole["size"] == pytest.approx(50 * np.log(1.2 * 200**2))
    assert (whole["x"], whole["y"]) == pytest.approx((0.5 * 200 * 1.1 + 30, 0.5 * 200 + 7))
    for measure in ("x", "y", "length", "turn", "bow", "shape"):
        left = residuals.of_strokes(drawn, LINES)[measure]
        np.testing.assert_allclose(left[np.isfinite(left)], 0, atol=1e-6)


def test_strokes_in_another_order_and_direction_are_found(reference):
    drawn = [STROKES[k][:: -1 if k == 2 else 1] for k in (3, 1, 0, 4, 2)]
    pairing = residuals.paired(drawn, reference)
    np.testing.assert_allclose(pairing.lines, LINES, atol=1e-9)
    assert pairing.order.tolist() == [2, 1, 4, 0, 3]
    assert pairing.backwards.tolist() == [False, False, True, False, False]
    assert residuals.paired(drawn[1:], reference) is None


def test_turn_length_place_and_bow_of_a_stroke():
    drawn = LINES.copy()
    drawn[0] = turned(LINES[0], 5)
    drawn[1] = LINES[1] + (0.03, -0.01)
    drawn[2] = LINES[2].mean(0) + 1.1 * (LINES[2] - LINES[2].mean(0))
    t = np.linspace(-1, 1, POINTS)
    drawn[3, :, 1] += 0.08 * (
        1 - t**2
    )  # a tenth of its chord, to the right of a pen that goes right
    measures = residuals.of_strokes(drawn, LINES)
    assert measures["turn"][0] == pytest.approx(5)
    assert (measures["x"][1], measures["y"][1]) == pytest.approx((3, -1))
    assert measures["length"][2] == pytest.approx(100 * np.log(1.1))
    assert measures["bow"][3] == pytest.approx(10, abs=0.05)
    np.testing.assert_allclose(measures["shape"][:3], 0, atol=1e-9)


def test_gaps_and_overshoot_where_a_stroke_should_end(reference):
    (j,) = np.flatnonzero((reference.joints.stroke == 4) & (reference.joints.other == 1))
    assert reference.joints.kind[j] == "tee"
    drawn = LINES.copy()
    for ends, expected in ((0.46, -0.04), (0.53, 0.03)):
        drawn[4] = resample(np.array([(0.3, 0.5), (ends, 0.5)]), POINTS)
        assert residuals.past(drawn, reference.joints)[j] == pytest.approx(expected)


def test_where_strokes_cross_and_meet_at_corners():
    cross = np.stack(
        [resample(np.array(s), POINTS) for s in ([(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)])]
    )
    (kind,) = residuals.joints(cross).kind
    assert kind == "crossing"
    moved = cross + np.array([(0, 0), (0.03, 0.04)])[:, None]
    slip = residuals.past(moved, residuals.joints(cross)) - residuals.past(
        cross, residuals.joints(cross)
    )
    assert slip == pytest.approx(0.05, abs=0.023)  # points lie 0.032 apart
    box = np.stack([resample(np.array(s), POINTS) for s in ([(0, 0), (0, 1)], [(0, 0), (1, 0)])])
    assert residuals.joints(box).kind.tolist() == ["corner", "corner"]
    assert residuals.past(
        box + np.array([(0, 0), (0.02, 0)])[:, None], residuals.joints(box)
    ) == pytest.approx(0.02)


def test_a_wavy_line_shakes_and_a_flick_is_a_hook():
    t = np.linspace(0, 1, 500)
    flat = np.stack([t, 0 * t], 1)
    bent = np.stack([t, 0.1 * t * (1 - t)], 1)
    wave = np.stack([t, 0.01 * np.sin(5 * np.pi * t)], 1)
    hook = np.concatenate([flat * (0.93, 1), [(0.93, 0.07)]])
    lines = np.stack([resample(s, POINTS) for s in (flat, bent, wave, hook)])
    measures = residuals.of_strokes(lines, np.repeat(lines[:1], 4, 0))
    np.testing.assert_allclose(measures["shake"][:2], 0, atol=0.01)
    assert measures["shake"][2] == pytest.approx(0.71, abs=0.15)  # a sine of 1 %, some of it beyond
    np.testing.assert_allclose(measures["s-bend"][:3], 0, atol=0.05)
    assert measures["hook at the end"].tolist() == [0, 0, 0, 100]
    assert measures["hook at the start"].tolist() == [0, 0, 0, 0]


def test_a_part_that_is_moved_and_widened(reference):
    drawn = LINES.copy()
    middle = LINES[[1, 2, 3]].mean((0, 1))
    drawn[[1, 2, 3]] = middle + (LINES[[1, 2, 3]] - middle) * (1.1, 1) + (0.02, 0)
    _, right = residuals.of_parts(drawn, LINES, reference.parts)
    assert right["width"] == pytest.approx(100 * np.log(1.1))
    assert (right["x"], right["height"], right["lean"]) == pytest.approx((2, 0, 0), abs=1e-9)
    left = residuals.within_parts(drawn, LINES, reference.parts)
    np.testing.assert_allclose(left, 0, atol=1e-9)
