"""Any picture of a character, as a network sees it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from kakitori.errors import DataError
from kakitori.reading.normalising.photos import prepare
from tests.pictures import drawn, likeness, photo

REFERENCE = prepare(drawn(), 64)


@pytest.mark.parametrize(
    "image",
    [
        ImageOps.invert(drawn()),
        drawn().convert("RGB"),
        drawn().convert("1"),
        drawn().convert("P"),
        drawn(side=800),
        drawn(side=192).resize((72, 72)),
        ImageOps.expand(drawn(), 60, 255),
        ImageOps.autocontrast(drawn()).point(lambda v: 90 + v // 4),
    ],
    ids=["light on dark", "RGB", "bilevel", "palette", "large", "small", "margin", "faint"],
)
def test_however_it_comes_it_looks_the_same(image):
    # A shift by one pixel costs 0.15; another character stays below 0.6.
    assert likeness(prepare(image, 64), REFERENCE) > 0.8


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("character", "国口田書あ四悲総")
def test_cropped_to_its_very_strokes(character, inverted):
    loose = drawn(character)
    tight = loose.crop(ImageOps.invert(loose).getbbox())
    tight = ImageOps.invert(tight) if inverted else tight
    assert likeness(prepare(tight, 64), prepare(loose, 64)) > 0.8


@pytest.mark.parametrize("ink", [0, 255])
def test_ink_on_a_transparent_ground(ink):
    alpha = ImageOps.invert(drawn())
    image = Image.merge("LA", (Image.new("L", alpha.size, ink), alpha))
    assert likeness(prepare(image, 64), REFERENCE) > 0.95


def test_a_photo_looks_like_the_drawing():
    turned = prepare(drawn(side=400).rotate(3, fillcolor=255), 64)
    assert likeness(prepare(photo(), 64), turned) > 0.95
    assert likeness(prepare(photo("音"), 64), turned) < 0.6, "another character is told apart"


def test_a_blank_image_has_no_ink():
    assert not prepare(Image.new("L", (80, 60), 200), 64).any()


@pytest.mark.parametrize("side", [1, 2, 5])
def test_tiny_images_are_taken(side):
    assert prepare(Image.new("L", (side, side), 10), 64).shape == (64, 64)


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "LAB", "CMYK", "RGBA", "LA"])
def test_unusual_modes(mode):
    grey = drawn()
    if mode in ("I;16", "I"):
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 200).convert(mode)
    elif mode == "F":
        image = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    elif mode == "LAB":
        image = Image.merge("LAB", (grey, *[Image.new("L", grey.size, 128)] * 2))
    else:
        image = grey.convert("RGB").convert(mode) if mode != "LA" else grey.convert("LA")
    assert likeness(prepare(image, 64), REFERENCE) > 0.95


@pytest.mark.parametrize("pen", [1, 2, 3, 6])
@pytest.mark.parametrize("side", [64, 96, 400])
def test_a_thin_level_line_is_ink(pen, side):
    image = Image.new("L", (side, side), 255)
    ImageDraw.Draw(image).line((side // 8, side // 2, side - side // 8, side // 2), 0, pen)
    assert (prepare(image, 64) > 60).any(0).sum() >= 45


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_a_file_that_is_no_image(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.png: expected an image, found"):
        prepare(path, 64)


def test_truncated_image(tmp_path):
    path = tmp_path / "x.png"
    photo().save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"x\.png: expected an image"):
        prepare(path, 64)
