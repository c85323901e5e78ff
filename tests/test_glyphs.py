import cv2
import numpy as np
import pytest

from kakitori.errors import DataError
from kakitori.reading.characters.charset import etl9_characters
from kakitori.writing import glyphs, tracing


def drawn(*lines: list[tuple[int, int]], pen: int = 11) -> np.ndarray:
    canvas = np.zeros((192, 192), np.uint8)
    for line in lines:
        cv2.polylines(canvas, [np.array(line, np.int32)], False, 255, pen)
    return canvas > 0


def length(stroke: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum())


def test_crossing_strokes_stay_whole():
    strokes = tracing.trace(drawn([(30, 96), (160, 96)], [(96, 30), (96, 160)]))
    assert len(strokes) == 2
    assert all(abs(length(s) - 130 / 192) < 0.06 for s in strokes)
    level, upright = sorted(strokes, key=lambda s: np.ptp(s[:, 1]))
    assert level[0, 0] < level[-1, 0] and upright[0, 1] < upright[-1, 1]  # as a pen moves


def test_slanted_crossing_stays_whole():
    strokes = tracing.trace(drawn([(30, 60), (160, 130)], [(150, 40), (50, 160)]))
    assert len(strokes) == 2


def test_a_box_is_written_in_three_strokes():
    """口: left side, top and right in one, bottom."""
    ink = np.zeros((192, 192), bool)
    ink[45:146, 45:146] = True
    ink[56:135, 56:135] = False
    strokes = tracing.trace(ink)
    assert len(strokes) == 3
    turned = max(strokes, key=length)
    assert turned[0, 0] < turned[-1, 0] and turned[0, 1] < turned[-1, 1]


def test_separate_dots_are_separate_strokes():
    dots = [[(40, 40), (50, 60)], [(90, 40), (100, 60)], [(140, 40), (150, 60)]]
    assert len(tracing.trace(drawn(*dots))) == 3


def test_a_hook_stays_with_its_stroke():
    """亅 jerks up to the left, 乚 up: one stroke each, and the hook is its end."""
    for line in ([(110, 20), (110, 160), (75, 140)], [(60, 20), (60, 150), (140, 150), (140, 110)]):
        (stroke,) = tracing.trace(drawn(line))
        assert np.linalg.norm(stroke[-1] - np.array(line[-1]) / 192) < 0.06


def test_a_bar_that_crosses_beside_a_corner():
    """ヨ with a long middle bar, as in 書: the corner's stroke goes on through the crossing."""
    strokes = tracing.trace(
        drawn([(30, 40), (130, 40), (130, 90), (30, 90)], [(20, 64), (170, 64)], pen=9)
    )
    assert len(strokes) == 3
    turned = max(strokes, key=lambda s: np.ptp(s[:, 1]))
    assert np.ptp(turned[:, 0]) > 0.4 and np.ptp(turned[:, 1]) > 0.2


def test_a_corner_with_a_tip_is_one_stroke():
    """ム: a bar falls to the left onto another that sticks out by a tip."""
    strokes = tracing.trace(drawn([(100, 30), (50, 150)], [(32, 150), (160, 140)]))
    assert len(strokes) == 1
    assert strokes[0][0, 1] < 0.25 and strokes[0][-1, 0] > 0.75


def test_the_side_of_a_comb_is_a_stroke_of_its_own():
    """隹's left side and bottom are two strokes; 山's are one: no bars set out from its side."""
    side, bottom = [(40, 20), (40, 160), (160, 160)], [(45, 65), (150, 65)]
    assert len(tracing.trace(drawn(side, bottom, [(45, 110), (150, 110)], pen=9))) == 4
    assert len(tracing.trace(drawn(side, [(150, 60), (150, 130)], pen=9))) == 2


def test_known_stroke_counts_of_the_bundled_font():
    """As every school book has them."""
    known = {"一": 1, "十": 2, "三": 3, "田": 5, "川": 3, "書": 10, "女": 3, "水": 4, "代": 5}
    traced = glyphs.trace_font(glyphs.bundled_font(), list(known), workers=1)
    assert {c: len(form.strokes) for c, form in traced.items()} == known


def test_strokes_come_in_the_order_of_writing():
    traced = glyphs.trace_font(glyphs.bundled_font(), list("川三十明"), workers=1)
    strokes = {c: form.strokes for c, form in traced.items()}
    assert (np.diff([s[0, 0] for s in strokes["川"]]) > 0).all()  # left to right
    assert (np.diff([s[0, 1] for s in strokes["三"]]) > 0).all()  # top to bottom
    level, upright = strokes["十"]
    assert np.ptp(level[:, 0]) > np.ptp(upright[:, 0])
    assert max(s[:, 0].max() for s in strokes["明"][:4]) < 0.5  # 日, then 月


def test_bundled_font_covers_every_class():
    from fontTools.ttLib import TTFont

    covered = TTFont(glyphs.bundled_font(), lazy=True).getBestCmap()
    assert all(ord(c) in covered for c in etl9_characters())


def test_a_file_that_is_no_font(tmp_path):
    path = tmp_path / "no.ttf"
    path.write_bytes(b"no font")
    with pytest.raises(DataError, match=r"no\.ttf: expected a TTF or OTF font"):
        glyphs.forms_of(str(path), ["一"], tmp_path, 1)
    with pytest.raises(DataError, match="found no file"):
        glyphs.forms_of(str(tmp_path / "absent.ttf"), ["一"], tmp_path, 1)


@pytest.mark.parametrize("side", [3, 6, 9])
def test_square_and_round_dots_are_strokes(side):
    ink = np.zeros((192, 192), np.uint8)
    ink[40 : 40 + side, 60 : 60 + side] = 1
    cv2.circle(ink, (120, 120), side, 1, -1)
    strokes = tracing.trace(ink > 0)
    assert len(strokes) == 2
    places = sorted(s.mean(0).tolist() for s in strokes)
    np.testing.assert_allclose(places, [[60 / 192, 40 / 192], [120 / 192, 120 / 192]], atol=0.04)


def test_the_width_of_a_brush_along_its_stroke():
    """A wedge from 6 to 30 pixels: beside their mean, widths run from a third to five thirds."""
    wedge = np.zeros((192, 192), np.uint8)
    cv2.fillPoly(wedge, [np.array([[20, 93], [170, 81], [170, 111], [20, 99]])], 255)
    x = np.linspace(20, 170, 16)[1:-2]  # the last is nearer to the end than to the sides
    line = np.stack([x + 0.5, np.full(13, 96.5)], 1) / 192
    (widths,) = glyphs.pen_widths(wedge > 0, [line.astype(np.float32)])
    expected = 7 + 24 * (x - 20) / 150  # the polygon's rim is ink
    np.testing.assert_allclose(widths, expected / expected.mean(), atol=0.12)


def test_a_font_read_with_its_pens_has_a_width_for_every_point():
    font = glyphs.bundled_font()
    plain = glyphs.trace_font(font, ["書"], workers=1)["書"]
    form = glyphs.trace_font(font, ["書"], workers=1, pens=True)["書"]
    assert plain.widths == () and len(form.strokes) == len(plain.strokes)
    for stroke, same, width in zip(form.strokes, plain.strokes, form.widths, strict=True):
        assert len(stroke) == len(width)
        assert np.linalg.norm(np.diff(stroke, axis=0), axis=1).max() < glyphs.WIDTH_EVERY + 1e-4
        assert abs(length(stroke) - length(same)) < 1e-4, "points are added, the course stays"
    assert abs(np.concatenate(form.widths).mean() - 1) < 1e-4


def installs(files: dict[str, bytes]):
    def npm(folder, packages):
        assert packages == ("@somebody/hand@1.2.3",)
        for name, content in files.items():
            path = folder / "node_modules/@somebody/hand/files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return npm


def test_a_font_in_a_package_of_npm(tmp_path, monkeypatch):
    """Of a package's many files the Japanese one of regular weight."""
    font = glyphs.bundled_font().read_bytes()
    files = {"hand-latin-400.ttf": b"", "hand-japanese-700.ttf": font + b" "}
    monkeypatch.setattr(glyphs, "ROOT", tmp_path)
    npm = installs(files | {"hand-japanese-400.ttf": font})
    monkeypatch.setattr(glyphs.installing, "npm", npm)
    path = glyphs.packaged_font("@somebody/hand@1.2.3")
    assert path.name == "hand-japanese-400.ttf" and path.is_relative_to(tmp_path / ".fonts")
    ((form, tree),) = glyphs.forms_of("@somebody/hand@1.2.3", "三", tmp_path, 1).values()
    assert len(form.strokes) == len(form.widths) == 3 and tree is None


def test_a_package_without_a_font(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "ROOT", tmp_path)
    monkeypatch.setattr(glyphs.installing, "npm", installs({"index.css": b""}))
    with pytest.raises(DataError, match=r"@somebody/hand@1\.2\.3: expected a font inside"):
        glyphs.packaged_font("@somebody/hand@1.2.3")


def test_without_npm_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(glyphs, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"npm, which brings @somebody/hand@1\.2\.3.*apt-get"):
        glyphs.packaged_font("@somebody/hand@1.2.3")
