import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from kakitori.errors import DataError
from kakitori.writing import glyphs
from kakitori.writing.charset import etl9_characters

KANJIVG = Path(__file__).resolve().parents[2] / "shared/kanjivg/kanjivg-all.zip"


def drawn(*lines: list[tuple[int, int]], pen: int = 11) -> np.ndarray:
    canvas = np.zeros((192, 192), np.uint8)
    for line in lines:
        cv2.polylines(canvas, [np.array(line, np.int32)], False, 255, pen)
    return canvas > 0


def length(stroke: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum())


def test_crossing_strokes_stay_whole():
    strokes = glyphs.trace(drawn([(30, 96), (160, 96)], [(96, 30), (96, 160)]))
    assert len(strokes) == 2
    assert all(abs(length(s) - 130 / 192) < 0.06 for s in strokes)
    level, upright = sorted(strokes, key=lambda s: np.ptp(s[:, 1]))
    assert level[0, 0] < level[-1, 0] and upright[0, 1] < upright[-1, 1]  # as a pen moves


def test_slanted_crossing_stays_whole():
    strokes = glyphs.trace(drawn([(30, 60), (160, 130)], [(150, 40), (50, 160)]))
    assert len(strokes) == 2


def test_a_box_is_written_in_three_strokes():
    """口: left side, top and right in one, bottom."""
    ink = np.zeros((192, 192), bool)
    ink[45:146, 45:146] = True
    ink[56:135, 56:135] = False
    strokes = glyphs.trace(ink)
    assert len(strokes) == 3
    turned = max(strokes, key=length)
    assert turned[0, 0] < turned[-1, 0] and turned[0, 1] < turned[-1, 1]


def test_separate_dots_are_separate_strokes():
    dots = [[(40, 40), (50, 60)], [(90, 40), (100, 60)], [(140, 40), (150, 60)]]
    assert len(glyphs.trace(drawn(*dots))) == 3


@pytest.mark.parametrize(
    ("character", "strokes"), [("一", 1), ("十", 2), ("三", 3), ("田", 5), ("川", 3)]
)
def test_known_stroke_counts_of_the_bundled_font(character, strokes):
    traced = glyphs.trace_font(glyphs.bundled_font(), [character], workers=1)
    assert len(traced[character]) == strokes


def test_bundled_font_covers_every_class():
    from fontTools.ttLib import TTFont

    covered = TTFont(glyphs.bundled_font(), lazy=True).getBestCmap()
    assert all(ord(c) in covered for c in etl9_characters())


def test_a_file_that_is_no_font(tmp_path):
    path = tmp_path / "no.ttf"
    path.write_bytes(b"no font")
    with pytest.raises(DataError, match=r"no\.ttf: expected a TTF or OTF font"):
        glyphs.strokes_of(str(path), ["一"], tmp_path, 1)
    with pytest.raises(DataError, match="found no file"):
        glyphs.strokes_of(str(tmp_path / "absent.ttf"), ["一"], tmp_path, 1)


SVG = """<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 109 109">
<g id="kvg:StrokePaths_05341">
<path id="kvg:05341-s1" d="M10,54.5h90"/>
<path id="kvg:05341-s2" d="M54.5,10c0,30,0,60,0,90"/>
</g></svg>"""


def test_kanjivg_strokes_in_order(tmp_path):
    archive = tmp_path / "kanjivg.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("kanji/05341.svg", SVG)
    (character, (level, upright)), *rest = glyphs.read_kanjivg(archive, ["十", "無"])
    assert character == "十" and not rest
    np.testing.assert_allclose(level[[0, -1]], np.array([[10, 54.5], [100, 54.5]]) / 109, atol=1e-6)
    np.testing.assert_allclose(upright[-1], np.array([54.5, 100]) / 109, atol=1e-6)
    assert (np.diff(upright[:, 1]) > 0).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [("<svg", "expected an SVG"), ("<svg xmlns='http://www.w3.org/2000/svg'/>", "at least one")],
)
def test_svg_that_is_not_kanjivg(tmp_path, content, message):
    archive = tmp_path / "kanjivg.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("kanji/05341.svg", content)
    with pytest.raises(DataError, match=message):
        list(glyphs.read_kanjivg(archive, ["十"]))


def test_missing_or_broken_archive(tmp_path):
    with pytest.raises(DataError, match="found no file"):
        list(glyphs.read_kanjivg(tmp_path / "kanjivg.zip", ["十"]))
    (tmp_path / "kanjivg.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="expected a zip archive"):
        list(glyphs.read_kanjivg(tmp_path / "kanjivg.zip", ["十"]))


@pytest.mark.skipif(not KANJIVG.is_file(), reason="KanjiVG's release archive is not beside us")
def test_official_kanjivg_release():
    strokes = dict(glyphs.read_kanjivg(KANJIVG, ["書", "あ", "欝"]))
    assert {c: len(s) for c, s in strokes.items()} == {"書": 10, "あ": 3, "欝": 25}
    for polyline in (p for s in strokes.values() for p in s):
        assert polyline.min() >= 0 and polyline.max() <= 1


@pytest.mark.parametrize("side", [3, 6, 9])
def test_square_and_round_dots_are_strokes(side):
    ink = np.zeros((192, 192), np.uint8)
    ink[40 : 40 + side, 60 : 60 + side] = 1
    cv2.circle(ink, (120, 120), side, 1, -1)
    strokes = glyphs.trace(ink > 0)
    assert len(strokes) == 2
    places = sorted(s.mean(0).tolist() for s in strokes)
    np.testing.assert_allclose(places, [[60 / 192, 40 / 192], [120 / 192, 120 / 192]], atol=0.04)
