import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kakitori.errors import DataError
from kakitori.reading.matching import drawing
from kakitori.reading.normalising import rendering
from kakitori.reading.normalising.photos import prepare_ink

TEN = [np.array([[10.0, 50], [90, 48]]), np.array([[50.0, 10], [52, 60], [49, 95]])]


def test_the_same_as_a_much_finer_drawing():
    """Pillow draws the lines at sixteen times the resolution; means of its pixels are the ink."""
    fine = Image.new("L", (16 * rendering.SIDE,) * 2)
    pen = ImageDraw.Draw(fine)
    radius = 8 * rendering.PEN
    for stroke in rendering.fitted(TEN):
        points = [tuple(p) for p in (16 * stroke).tolist()]
        pen.line(points, 255, round(2 * radius), "curve")
        for x, y in points:  # the pen is round
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    expected = np.asarray(fine.reduce(16)).astype(int)
    image = rendering.draw(TEN).astype(int)
    assert np.abs(image - expected).max() <= 40, "a tenth of a pixel's area where edges are oblique"
    assert abs(image.sum() - expected.sum()) < 0.01 * expected.sum()


@pytest.mark.parametrize("scale", [1e-3, 1, 4096])
@pytest.mark.parametrize("shift", [-1000, 0.25])
def test_units_and_place_do_not_matter(scale, shift):
    moved = [scale * (stroke + shift) for stroke in TEN]
    assert np.abs(rendering.draw(moved).astype(int) - rendering.draw(TEN)).max() <= 1


@pytest.mark.parametrize(
    "strokes",
    [
        [[[3, 3]]],
        [[[3, 3], [3, 3]]],
        [[[0, 0], [0, 0], [50, 0]]],
        [[[0, 0], [0, 900]]],
        [[[0, 0]], [[7, 7]]],
    ],
    ids=["point", "point twice", "level", "upright", "two points"],
)
def test_paper_all_around(strokes):
    """prepare tells paper from ink by the rim of the picture, a sixteenth of its side."""
    ink = rendering.draw([np.array(s) for s in strokes])
    assert ink.dtype == np.uint8 and ink.max() == 255
    inner = ink[8:-8, 8:-8].astype(int).sum()
    assert inner == ink.astype(int).sum()
    assert prepare_ink(ink, 64).max() > 200


@pytest.mark.parametrize(
    ("strokes", "expected"),
    [
        ([[[3, 3]]], False),
        ([[[3, 3], [3, 3]]], False),
        ([[[0, 0]], [[0, 50], [0, 51]], [[0, 100]]], False),
        ([[[0, 0]], [[0, 50], [20, 51]], [[0, 100]]], True),
        ([[[0, 0], [1, 0]]], True),
    ],
    ids=["tap", "tap twice", "three dots are no 三", "dots and a stroke", "一"],
)
def test_dots_are_told_from_lines(strokes, expected):
    assert rendering.has_lines([np.array(s, float) for s in strokes]) == expected


def test_a_dot_has_the_area_of_the_pen():
    ink = rendering.draw([np.zeros((1, 2))]).sum() / 255
    assert ink == pytest.approx(np.pi / 4 * rendering.PEN**2, rel=0.03)


def test_drawings_of_a_file(tmp_path):
    path = tmp_path / "pen.json"
    record = {"character": "十", "strokes": [[[1, 5], [9.5, 5]], [[5, 1], [5, 9]]]}
    path.write_text(json.dumps(record, ensure_ascii=False), "utf-8")
    (cross,) = drawing.read(path)
    assert cross.character == "十"
    np.testing.assert_array_equal(cross.strokes[0], [[1, 5], [9.5, 5]])
    path.write_text(json.dumps([record, {"strokes": [[[3, 3]]], "time": 5}]), "utf-8")
    assert [(len(d.strokes), d.character) for d in drawing.read(path)] == [(2, "十"), (1, None)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"expected pen strokes as JSON, found: Expecting value"),
        ("[" * 100_000, r"expected pen strokes as JSON, found: "),
        ("[]", r"expected a drawing or more, found an empty list"),
        ("5", r'expected {"strokes": .*, found 5'),
        ('{"strokes": []}', r'expected {"strokes": .*, found {"strokes": \[\]}'),
        ('[{"strokes": [[[1, 2]]]}, {}]', r'drawing 2: expected {"strokes": .*, found {}'),
        ('{"strokes": [[[1, 2]], []]}', r"stroke 2: expected points \[x, y\], found \[\]"),
        ('{"strokes": [[1, 2]]}', r"stroke 1: expected points \[x, y\], found \[1, 2\]"),
        ('{"strokes": [[[1, 2], [3]]]}', r"stroke 1: expected points"),
        ('{"strokes": [[["1", "2"]]]}', r"stroke 1: expected points"),
        ('{"strokes": [[[1, NaN]]]}', r"stroke 1: expected finite numbers"),
        ('{"strokes": [[[1, 1e999]]]}', r"stroke 1: expected finite numbers"),
        (
            json.dumps({"strokes": [[[1, 2]]] * 101}),
            r"expected the strokes of one character, at most 100, found 101",
        ),
        (
            json.dumps({"strokes": [[[1, 2]] * 20_001]}),
            r"expected the points of one character, at most 20,000, found 20,001",
        ),
        ('{"strokes": [[[1, 2]]], "character": "ab"}', r'expected one character, found "ab"'),
    ],
)
def test_a_file_of_anything_else(tmp_path, content, message):
    path = tmp_path / "pen.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"pen\.json: " + message):
        drawing.read(path)


def test_no_file_and_no_text(tmp_path):
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(DataError, match="expected pen strokes as JSON, found "):
            drawing.read(path)
    (tmp_path / "image.json").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="expected pen strokes as JSON, found: 'utf-8'"):
        drawing.read(tmp_path / "image.json")
