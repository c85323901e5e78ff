"""From any picture of a character to what a recogniser is trained on.

`normalise` is the one crop-centre-scale of the project: extract runs it over whole files,
recognize over single photos. It needs NumPy and Pillow alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from PIL import Image

from kakitori.reading.characters.framing import EXTENT, MAX_ENLARGEMENT, MIN_CONTRAST

NOISY = 8  # standard deviations of the paper: what is no further from it may be its noise
ABOVE = 2.5  # times as far as that may be, where there is ink besides

Resize = Callable[[np.ndarray, tuple[int, int], np.ndarray], object]


def resize(image: np.ndarray, shape: tuple[int, int], out: np.ndarray) -> None:
    """Write a uint8 image (H, W) at another (width, height), bilinear, into `out`."""
    out[:] = Image.fromarray(image).resize(shape, Image.Resampling.BILINEAR)


class Normalised(NamedTuple):
    """Images uint8 (N, S, S), 0 = paper, 255 = full ink, and the contrast between paper and ink
    that each had before, uint8 (N,)."""

    images: np.ndarray
    contrast: np.ndarray


def normalise(
    frames: np.ndarray, size: int, framed: bool = True, resize: Resize = resize
) -> np.ndarray:
    """The images of `measured`, uint8 (N, size, size)."""
    return measured(frames, size, framed, resize).images


def measured(
    frames: np.ndarray, size: int, framed: bool = True, resize: Resize = resize
) -> Normalised:
    """Stretch the contrast of characters, crop them, scale them and centre them.

    Paper becomes 0 and full ink 255; the longer side of the ink's bounding box becomes EXTENT of
    the output, the aspect is kept.

    Parameters
    ----------
    frames : uint8 (N, H, W), ink bright on a dark, even ground; one character each.
    size : side of the output in pixels.
    framed : whether the frame tells how large the character was meant to be; enlargement is then
        bounded by MAX_ENLARGEMENT.
    resize : what writes an image at another (width, height) into an array, bilinear; for callers
        with a faster one than Pillow's, such as cv2.resize.

    Returns
    -------
    Images (N, size, size) and contrasts. A frame without ink stays empty.
    """
    paper, ink, rows, columns = _levels(frames)
    boxes = _boxes(paper, ink, rows, columns, size, framed)
    square = np.zeros((len(frames), size, size), np.uint8)
    for image, frame, (t, b, lf, r, y0, y1, x0, x1) in zip(square, frames, boxes, strict=True):
        resize(frame[t:b, lf:r], (x1 - x0, y1 - y0), image[y0:y1, x0:x1])

    # 255 · (x − paper) / (ink − paper) in integers: a third of the time of floats, and the same
    # on every machine. Long rows make NumPy's inner loops fast.
    low, high = np.rint(paper).astype(np.uint8), np.rint(ink).astype(np.uint8)
    high = np.maximum(high, low)
    contrast = (high - low).astype(np.int64)
    gain = np.where(contrast < MIN_CONTRAST, 0, 255 * 256 // np.maximum(contrast, 1))
    flat = square.reshape(len(square), -1)
    np.clip(flat, low[:, None], high[:, None], out=flat)
    flat -= low[:, None]
    stretched = flat * gain.astype(np.uint16)[:, None]  # at most 65,280: gain is rounded down
    stretched >>= 8
    images = stretched.astype(np.uint8).reshape(square.shape)
    return Normalised(images, contrast.astype(np.uint8))


def place_layers(layers: np.ndarray, frames: np.ndarray, size: int) -> np.ndarray:
    """Numbers drawn over frames, moved and scaled as `measured` does with the frames.

    Parameters
    ----------
    layers : uint8 (N, H, W), any numbers, such as which stroke a pixel belongs to.
    frames : uint8 (N, H, W), the images that they belong to.

    Returns
    -------
    uint8 (N, size, size), each number as it was.
    """
    placed = np.zeros((len(layers), size, size), np.uint8)
    boxes = _boxes(*_levels(frames), size, True)
    for image, layer, (t, b, lf, r, y0, y1, x0, x1) in zip(placed, layers, boxes, strict=True):
        cut = Image.fromarray(layer[t:b, lf:r])
        scaled = cut.resize((x1 - x0, y1 - y0), Image.Resampling.NEAREST)
        image[y0:y1, x0:x1] = np.asarray(scaled)
    return placed


def _boxes(
    paper: np.ndarray,
    ink: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    size: int,
    framed: bool,
) -> list[list[int]]:
    """For each frame what is cut out, top, bottom, left and right, and where it goes, likewise."""
    threshold = (paper + 0.4 * (ink - paper))[:, None]
    top, bottom = span(rows > threshold)
    left, right = span(columns > threshold)
    scale = EXTENT * size / np.maximum(bottom - top, right - left)
    if framed:
        scale = np.minimum(scale, MAX_ENLARGEMENT * size / max(rows.shape[1], columns.shape[1]))
    # A line of margin keeps the soft edge of the ink, where it fits into the output.
    margin = (2 * scale <= (1 - EXTENT) * size).astype(np.int64)
    top, left = np.maximum(top - margin, 0), np.maximum(left - margin, 0)
    bottom = np.minimum(bottom + margin, rows.shape[1])
    right = np.minimum(right + margin, columns.shape[1])
    height, width = bottom - top, right - left
    height = np.maximum(np.rint(height * scale), 1).astype(np.int64)
    width = np.maximum(np.rint(width * scale), 1).astype(np.int64)
    y, x = (size - height) // 2, (size - width) // 2

    return np.stack([top, bottom, left, right, y, y + height, x, x + width], 1).tolist()


def _levels(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Paper and ink level of each frame (N,), and its darkest pixel by row and by column.

    Paper is the mean of the cleanest edge. Ink is the fourth of the darkest rows or columns, so
    that single specks do not set the scale, and yet a thin level stroke does; where that finds
    none, or what may be the paper's noise, the second if that is ink: a full stop is no more than
    two or three pixels of some scans.
    """
    edges = [frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]]
    means = np.stack([edge.mean(1, dtype=np.float32) for edge in edges])
    paper = means.min(0)
    rows, columns = _darkest_by_row(frames), _darkest_by_column(frames)

    def darkest(rank: int, among: np.ndarray | slice = slice(None)) -> np.ndarray:
        of_profile = [
            np.partition(p, max(p.shape[1] - rank, 0), axis=1)[:, max(p.shape[1] - rank, 0)]
            for p in (rows[among], columns[among])
        ]
        return np.maximum(*of_profile).astype(np.float32)

    ink = darkest(4)
    faint = np.flatnonzero(ink - paper < 255 / ABOVE)  # of others nothing can be so far above
    if len(faint):
        cleanest = means[:, faint].argmin(0)
        noise = np.choose(cleanest, [edge[faint].std(1, dtype=np.float32) for edge in edges])
        second = darkest(2, faint)
        fourth, above = ink[faint] - paper[faint], second - paper[faint]
        lost = (fourth < NOISY * noise) & (above > ABOVE * fourth)
        tiny = lost | (fourth < MIN_CONTRAST)
        ink[faint[tiny]] = second[tiny]
    return paper, ink, rows, columns


def _darkest_by_column(frames: np.ndarray) -> np.ndarray:
    """`frames.max(1)` in a third of the time: halves are compared, as long as there are any."""
    while frames.shape[1] % 2 == 0:
        half = frames.shape[1] // 2
        frames = np.maximum(frames[:, :half], frames[:, half:])
    return frames.max(1)


def _darkest_by_row(frames: np.ndarray) -> np.ndarray:
    """`frames.max(2)` in a third of the time: every pixel is compared with the one half a row
    further on, be it in the next row, since NumPy is fast along all pixels and slow along rows."""
    flat, length = frames.reshape(-1), frames.shape[2]
    part = length
    while part % 2 == 0:
        part //= 2
        flat = np.maximum(flat[:-part], flat[part:])
    starts = as_strided(flat, (*frames.shape[:2], part), (frames.shape[1] * length, length, 1))
    return starts.max(2)


def span(dark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last-plus-one line with ink, int64 (N,).

    A line counts when its neighbour holds ink as well, so that single specks do not; without any
    such pair the whole length is taken.
    """
    length = dark.shape[1]
    pair = dark[:, :-1] & dark[:, 1:]
    pair = np.where(pair.any(1, keepdims=True), pair, dark[:, 1:])
    inked = pair.any(1)
    first = np.where(inked, pair.argmax(1), 0)
    last = np.where(inked, length - pair[:, ::-1].argmax(1), length)
    return first, last
