"""Pictures through one door, and the character in them among all that may stand beside it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from kakitori.errors import DataError
from kakitori.reading.normalising import ground, parts, pictures, segmentation
from kakitori.reading.normalising.photos import prepare
from kakitori.writing.glyphs import bundled_font
from tests.benchmarks import photos as benchmark

SIDE = 200
LIKE_LINES = "口国目一二日圧三ニー"


def printed(character: str, side: int = SIDE, margin: float = 0.15) -> np.ndarray:
    """Dark on white, uint8 (side, side)."""
    image = Image.new("L", (side, side), 255)
    font = ImageFont.truetype(str(bundled_font()), int(side * (1 - 2 * margin)))
    ImageDraw.Draw(image).text((side / 2, side / 2), character, 20, font, anchor="mm")
    return np.asarray(image)


def likeness(image: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two images, 1 for equal ones."""
    return float(np.corrcoef(image.ravel(), other.ravel())[0, 1]) if other.any() else 0.0


def encoded(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


# --- what stands beside a character -------------------------------------------------------------


@pytest.mark.parametrize("character", "書国口一三あ躍回")
@pytest.mark.parametrize("row", benchmark.ROWS)
def test_what_stands_beside_it_is_left_out(row, character):
    alone = printed(character)
    changed = benchmark.ROWS[row](alone)
    # A printed stroke may lie on the very line, which takes some of it or leaves some there.
    least = 0.85 if row in ("pen crosses a cell", "tilted grid") else 0.9
    assert likeness(prepare(alone, 64), prepare(changed, 64)) > least


@pytest.mark.parametrize("row", benchmark.ROWS)
def test_what_is_kept_is_the_characters_ink(row):
    """Pixel for pixel, of pictures whose ink is known."""
    for character in "書国口あ悲圧":
        alone = printed(character)
        kept, foreign = benchmark.ink_kept(alone, benchmark.ROWS[row](alone))
        least = 0.85 if row == "pen crosses a cell" else 0.95
        assert kept > least and foreign < 0.03, character


@pytest.mark.parametrize("character", LIKE_LINES)
@pytest.mark.parametrize("side", [64, 200, 700])
def test_what_looks_like_lines_and_boxes_stays(character, side):
    """Nothing is taken away: the picture's own ink, cut out and scaled, is all that is seen."""
    alone = printed(character, side)
    _, there, _ = segmentation.ink_of(pictures.levels(alone))
    ink, _, _ = segmentation.ink_of(pictures.levels(alone))
    assert there.any() and (ink[~there] < 24).all()
    rows, columns = np.flatnonzero((alone < 128).any(1)), np.flatnonzero((alone < 128).any(0))
    mask = prepare(alone, 64) > 100
    height, width = np.ptp(np.flatnonzero(mask.any(1))), np.ptp(np.flatnonzero(mask.any(0)))
    assert abs(height * np.ptp(columns) - width * np.ptp(rows)) < 5 * SIDE * max(side / SIDE, 1)


@pytest.mark.parametrize("seed", range(3))
def test_connected_parts_are_those_of_another_library(seed):
    from scipy import ndimage

    mask = np.random.default_rng(seed).random((60, 83)) < (0.3, 0.45, 0.6)[seed]
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    components = parts.parts_of(mask)
    assert sorted(components.area.tolist()) == sorted(np.bincount(labels.ravel())[1:].tolist())
    boxes = sorted(
        (s[0].start, s[0].stop, s[1].start, s[1].stop) for s in ndimage.find_objects(labels)
    )
    edges = np.stack([components.top, components.bottom, components.left, components.right], 1)
    assert sorted(map(tuple, edges.tolist())) == boxes and len(edges) == count
    np.testing.assert_array_equal(components.drawn(np.ones(count, bool), mask.shape), mask)


@pytest.mark.parametrize("extreme", ["max", "min"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("radius", [1, 4, 7])
def test_extremes_are_those_of_another_library(extreme, axis, radius):
    from scipy import ndimage

    image = np.random.default_rng(radius).integers(0, 256, (40, 51), np.uint8)
    outside, of = {"max": (0, np.maximum), "min": (255, np.minimum)}[extreme]
    wanted = {"max": ndimage.maximum_filter1d, "min": ndimage.minimum_filter1d}[extreme]
    expected = wanted(image, 2 * radius + 1, axis, mode="constant", cval=outside)
    extremes = ground.spread(image, radius, axis, of, outside)
    np.testing.assert_array_equal(extremes, expected)


# --- nothing there ------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
NOTHING = {
    "white": np.full((100, 90), 255, np.uint8),
    "black": np.zeros((50, 60), np.uint8),
    "transparent": np.zeros((40, 40, 4), np.uint8),
    "a little noise": np.clip(RNG.normal(200, 5, (256, 256)), 0, 255).astype(np.uint8),
    "much noise": np.clip(RNG.normal(128, 20, (300, 200)), 0, 255).astype(np.uint8),
    "nothing but noise": RNG.integers(0, 256, (77, 90, 3)).astype(np.uint8),
    "noise of floats": RNG.normal(0, 1e-3, (128, 128)),
    "a gradient": np.tile(np.arange(200, dtype=np.uint8), (200, 1)),
    "one pixel": np.array([[3]], np.uint8),
    "a dot of one pixel": np.pad(np.zeros((1, 1), np.uint8), 40, constant_values=255),
    "a hot pixel": np.pad(np.full((1, 1), 65535, np.uint16), 60, constant_values=900),
    "an infinite one": np.where(np.arange(4096).reshape(64, 64) == 700, np.inf, 0.5),
    "empty rules": benchmark.ROWS["ruled"](np.full((200, 200), 255, np.uint8)),
    "an empty grid": benchmark.ROWS["grid"](np.full((200, 200), 255, np.uint8)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_no_character(name):
    assert not prepare(NOTHING[name], 64).any()


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_a_hot_pixel_does_not_make_the_rest_blank(kind):
    numbers = printed("書").astype(kind) * 200
    numbers[5, 5] = numbers[7, 90] = 65535
    if kind is np.float32:
        numbers[3, 3], numbers[9, 9], numbers[0, 0] = np.inf, np.nan, -1e30
    assert likeness(prepare(printed("書"), 64), prepare(numbers, 64)) > 0.99


# --- one door -----------------------------------------------------------------------------------


def test_the_same_answer_whatever_the_form(tmp_path):
    image = Image.fromarray(np.stack([printed("曜", 300)] * 3, -1))
    content = encoded(image)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    expected = prepare(path, 64)
    array = np.asarray(image)
    forms = [str(path), content, io.BytesIO(content), path.open("rb"), image, Image.open(path)]
    forms += [array, array[..., 0], array[..., :1], np.moveaxis(array, 2, 0), array.astype(int)]
    forms += [np.dstack([array, np.full(array.shape[:2], 255, np.uint8)]), array[..., 0].tolist]
    for form in forms[:-1]:
        np.testing.assert_array_equal(prepare(form, 64), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_turned_as_its_exif_says_whichever_way_it_comes(tmp_path, kind):
    image = Image.fromarray(printed("曜", 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(image.rotate(90), kind, exif=exif))
    expected = prepare(path, 64)
    assert likeness(prepare(image, 64), expected) > 0.98
    np.testing.assert_array_equal(prepare(Image.open(path), 64), expected)
    np.testing.assert_array_equal(prepare(path.read_bytes(), 64), expected)


def test_a_callers_picture_stays_as_it_is():
    opened = Image.open(io.BytesIO(encoded(Image.fromarray(printed("書", 2400)), "JPEG")))
    prepare(opened, 64)
    assert opened.size == (2400, 2400)


def closed() -> Image.Image:
    opened = Image.open(io.BytesIO(encoded(Image.fromarray(printed("書")))))
    opened.close()
    return opened


PNG = encoded(Image.fromarray(printed("書")))
WRONG = {
    "bytes": b"\x00\x01 no image" * 1000,
    "cut short": PNG[: len(PNG) // 2],
    "cut short, opened": Image.open(io.BytesIO(PNG[: len(PNG) // 2])),
    "closed": closed(),
    "no pixels": Image.new("L", (0, 0)),
    "an array of nothing": np.zeros((0, 5), np.uint8),
    "one dimension": np.zeros(5),
    "four": np.zeros((1, 2, 3, 4)),
    "texts": np.array([["a"]]),
    "a number": 5,
    "none": None,
    "a folder": "tests",
    "no name": "",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_picture_gets_a_short_line(name):
    with pytest.raises(DataError) as caught:
        prepare(WRONG[name], 64)
    assert "expected" in str(caught.value)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
    assert " at 0x" not in str(caught.value)


def png_of(width: int, height: int, depth: int, colour: int) -> bytes:
    """A PNG file that says how large it is, and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((9900, 9900, 16, 6), "bytes of pixels"),
        ((1, 99_999_999, 8, 0), "bytes of pixels"),
        ((20_000, 5_001, 1, 0), "100,000,000 pixels, found 20000 x 5001"),
    ],
    ids=["16 bits of RGBA", "one pixel wide", "many pixels"],
)
def test_memory_is_bounded_before_it_is_taken(size, message):
    with pytest.raises(DataError, match=message):
        prepare(png_of(*size), 64)


def test_a_program_is_no_picture(tmp_path):
    """Pillow would run Ghostscript on it."""
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataError, match=r"a\.png: expected an image, found no AVIF"):
        prepare(path, 64)
