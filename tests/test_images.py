import cv2
import numpy as np
import pytest

from kakitori.reading.normalising import images
from kakitori.reading.normalising.images import EXTENT, normalise


def cross(height: int, width: int, at: tuple[int, int], arm: int, pen: int = 4) -> np.ndarray:
    """A plus sign with arms of `arm` pixels around `at` (row, column)."""
    frame = np.zeros((height, width), np.uint8)
    y, x = at
    frame[y - arm : y + arm, x - pen // 2 : x + pen // 2] = 255
    frame[y - pen // 2 : y + pen // 2, x - arm : x + arm] = 255
    return frame


def extent(image: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((image > 100).any(1)), np.flatnonzero((image > 100).any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize("size", [64, 128])
def test_longer_side_fills_the_extent_and_is_centred(size):
    frame = np.zeros((100, 120), np.uint8)
    frame[20:80, 50:56] = 200
    frame[47:53, 40:70] = 200
    top, bottom, left, right = extent(normalise(frame[None], size, framed=False)[0])
    assert abs((bottom - top) - EXTENT * size) <= 0.04 * size
    assert abs((top + bottom) / 2 - size / 2) <= 1
    assert abs((left + right) / 2 - size / 2) <= 1
    # The aspect is kept: 30 of 60 pixels wide.
    assert abs((right - left) / (bottom - top) - 0.5) < 0.06


def test_place_and_contrast_do_not_matter():
    frames = np.stack([cross(64, 64, (30, 30), 20), cross(64, 64, (38, 34), 20)])
    faint = (frames // 4 + 30).astype(np.uint8)
    here, there = normalise(frames, 64)
    np.testing.assert_array_equal(here, there)
    assert np.abs(normalise(faint, 64).astype(int) - normalise(frames, 64)).max() <= 6


def test_specks_do_not_set_the_box():
    clean = cross(64, 64, (32, 32), 16)
    dirty = clean.copy()
    dirty[2, 3] = dirty[60, 61] = 255
    top, bottom, left, right = extent(normalise(clean[None], 64)[0])
    assert extent(normalise(dirty[None], 64)[0][top:bottom, left:right][None][0])[1] == bottom - top


@pytest.mark.parametrize("noise", [0, 2, 5, 9])
@pytest.mark.parametrize("pixels", [2, 3])
def test_a_full_stop_on_noisy_paper_is_a_dot(noise, pixels):
    """Of so few rows that those after the darkest are noise: it neither sets the box nor shows."""
    rng = np.random.default_rng(0)
    frames = np.abs(rng.normal(0, noise, (40, 64, 64))).clip(max=50).astype(np.uint8)
    frames[:, 40 : 40 + pixels, 20 : 20 + pixels] = 200
    for image in normalise(frames, 64):
        top, bottom, left, right = extent(image)
        assert max(bottom - top, right - left) <= 8 and abs(top + bottom - 64) <= 4
        assert image.max() >= 250 and (image > 60).mean() < 0.02


def test_specks_do_not_set_the_scale_of_faint_writing():
    faint = cross(64, 64, (32, 32), 16) // 5
    specked = faint.copy()
    specked[2, 3] = specked[60, 61] = 255
    clean, dirty = normalise(np.stack([faint, specked]), 64)
    assert dirty[16:48, 16:48].max() == clean.max() >= 250


def test_small_marks_in_a_frame_stay_smaller():
    small = cross(64, 64, (32, 32), 8)[None]
    top, bottom, *_ = extent(normalise(small, 64, framed=True)[0])
    assert bottom - top <= 1.5 * 16 + 4
    top, bottom, *_ = extent(normalise(small, 64, framed=False)[0])
    assert bottom - top >= 0.8 * 64


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_frame_without_ink_stays_empty(value):
    assert not normalise(np.full((2, 64, 64), value, np.uint8), 64).any()


@pytest.mark.parametrize(
    "shape", [(0, 64, 64), (1, 1, 1), (3, 64, 64), (3, 76, 72), (3, 60, 60), (2, 31, 33)]
)
def test_the_darkest_of_each_row_and_column(shape):
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    *_, rows, columns = images._levels(frames)
    assert np.array_equal(rows, frames.max(2)) and np.array_equal(columns, frames.max(1))


def test_pillow_and_opencv_agree():
    """extract resamples with OpenCV, recognize with Pillow: the same picture either way."""
    rng = np.random.default_rng(0)
    frames = np.stack(
        [
            cv2.GaussianBlur(
                cross(64, 64, rng.integers(24, 40, 2), rng.integers(14, 24)), (3, 3), 0.8
            )
            for _ in range(30)
        ]
    )
    difference = normalise(frames, 64).astype(int) - normalise(frames, 64, resize=cv2.resize)
    assert np.abs(difference).mean() < 1.5
    assert np.percentile(np.abs(difference), 99) < 40


@pytest.mark.parametrize("pen", [1, 2, 3, 5])
@pytest.mark.parametrize("strokes", [1, 2], ids=["一", "二"])
def test_thin_level_strokes_are_ink(pen, strokes):
    frame = np.zeros((64, 64), np.uint8)
    for k in range(strokes):
        frame[20 + 20 * k : 20 + 20 * k + pen, 8:56] = 255
    for image in (normalise(frame[None], 64)[0], normalise(frame.T[None], 64)[0].T):
        dark = image > 100
        assert dark.any(1).sum() >= pen * strokes and dark.any(0).sum() >= 45
