"""A writer's hand: turns strokes into images as one person would write them.

A *writer* is a seed. Habits (slant, proportions, pen, steadiness, joined strokes, how a kind of
stroke or a component is shaped, …) are drawn once per writer; smaller noise is drawn per character
and per stroke. All geometry of a writer's page is computed as whole arrays, then each character is
drawn with an anti-aliased pen.
"""

import cv2
import numpy as np

from kakitori.synthesis.hand import Hand
from kakitori.synthesis.paths import Paths, pen_paths
from kakitori.synthesis.table import StrokeTable

OVERSAMPLING = 2  # strokes are drawn at twice the scan's resolution, then averaged
SCAN = (127, 128)  # rows, columns of an ETL9G image


def write_page(
    table: StrokeTable,
    seed: int,
    writer: int | tuple[int, ...],
    page: int = 0,
    preset: str = "varied",
) -> np.ndarray:
    """Every character of the table in one writer's hand.

    Parameters
    ----------
    writer : any number or numbers that stand for the writer; the same hand on every `page`.

    Returns
    -------
    uint8 (characters, 127, 128), scanner levels 0–15, 0 = paper, as ETL9G stores them.
    The result depends on the arguments alone.
    """
    key = [seed, *np.atleast_1d(writer).tolist()]
    rng = np.random.default_rng(key)
    hand = Hand.draw(rng, preset)
    if page:
        rng = np.random.default_rng([*key, page])
    return draw_page(table, hand, rng)


def draw_page(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Every character of the table in one hand, as `write_page` returns them."""
    paths = pen_paths(table, hand, rng)
    blank = np.zeros((SCAN[0] * OVERSAMPLING, SCAN[1] * OVERSAMPLING), np.uint8)
    page = np.empty((table.characters, *SCAN), np.uint8)
    fixed, thickness = _on_canvas(paths, OVERSAMPLING)
    runs = _runs(thickness)
    bounds = np.searchsorted(runs[:, 0], paths.first)
    runs = runs.tolist()
    for character in range(table.characters):
        canvas = blank.copy()
        _draw(canvas, fixed, runs[bounds[character] : bounds[character + 1]])
        page[character] = cv2.resize(canvas, SCAN[::-1], interpolation=cv2.INTER_AREA)
    return _scan(page, hand, rng)


def draw_layers(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Which stroke every pixel of the page belongs to that `draw_page` draws with the same
    arguments: uint8 (characters, 127, 128), 0 for paper and for the links between strokes, else the
    stroke's number in its character, from 1; where strokes cross, the later one's."""
    paths = pen_paths(table, hand, rng)
    layers = np.zeros((table.characters, *SCAN), np.uint8)
    fixed, thickness = _on_canvas(paths, 1)
    runs = _runs(thickness)
    bounds = np.searchsorted(runs[:, 0], np.arange(len(fixed) + 1))
    runs = runs.tolist()
    for character in range(table.characters):
        for k in range(paths.first[character], paths.first[character + 1]):
            if paths.number[k]:
                layer = np.zeros(SCAN, np.uint8)
                _draw(layer, fixed, runs[bounds[k] : bounds[k + 1]])
                layers[character][layer > 0] = paths.number[k]
    return layers


def _on_canvas(paths: Paths, oversampling: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in sixteenths of pixels, as cv2 takes them, and thicknesses in pixels, 0 where the pen
    is lifted."""
    centre = np.array(SCAN[::-1], np.float32) / 2
    fixed = np.round((paths.points * SCAN[1] + centre) * oversampling * 16 - 8)
    thickness = np.maximum(np.round(paths.widths * oversampling), oversampling)
    thickness[paths.widths == 0] = 0
    return fixed.astype(np.int32), thickness.astype(np.int32)


def _runs(thickness: np.ndarray) -> np.ndarray:
    """Pieces of equal thickness of the paths (T, points), int (R, 4) sorted by path: the path, the
    piece's first point and its last, and how thick it is."""
    segment = thickness[:, :-1]
    breaks = np.ones(segment.shape, bool)
    breaks[:, 1:] = segment[:, 1:] != segment[:, :-1]
    path, start = np.nonzero(breaks)
    stop = np.append(start[1:], 0)
    stop[np.append(path[1:] != path[:-1], True)] = segment.shape[1]
    return np.stack([path, start, stop, segment[path, start]], axis=1)


def _draw(canvas: np.ndarray, points: np.ndarray, runs: list[list[int]]) -> None:
    """Some of `_runs` of the paths' points (T, points, 2), all of one thickness in one call."""
    lines: dict[int, list[np.ndarray]] = {}
    for path, start, stop, thickness in runs:
        if thickness:
            lines.setdefault(thickness, []).append(points[path, start : stop + 1])
    for thickness, some in lines.items():
        cv2.polylines(canvas, some, False, 255, thickness, cv2.LINE_8, 4)


def _scan(page: np.ndarray, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """What pen, paper and scanner make of the page: grain, bleed, blur, levels of ink and paper,
    noise, specks, 16 grey levels."""
    # Noise has no memory: one table of it, read from a random place for each character. Drawing
    # sixteen thousand numbers a character would cost more than the pen.
    noise = rng.standard_normal(1 << 16, np.float32)
    area = page.shape[1] * page.shape[2]
    offsets = rng.integers(0, (1 << 16) - area, len(page))
    if hand.grain:
        rough = cv2.GaussianBlur(noise.reshape(256, 256), (3, 3), 0.8).ravel()
        rough = (255 * np.clip(1 - hand.grain * np.abs(rough) * 2, 0, 1)).astype(np.uint8)
        for image, k in zip(page, offsets.tolist(), strict=True):
            cv2.multiply(image, rough[k : k + area].reshape(SCAN), image, 1 / 255)
    if hand.bleed:
        for image in page:
            soft = cv2.GaussianBlur(image, (5, 5), hand.bleed)
            np.maximum(image, cv2.convertScaleAbs(soft, alpha=1.3), out=image)
    if hand.blur > 0.2:
        for image in page:
            cv2.GaussianBlur(image, (5, 5), hand.blur, dst=image)
    level = np.arange(256, dtype=np.float32) / 255
    if hand.harden:
        level = (1 - hand.harden) * level + hand.harden / (1 + np.exp(-14 * (level - 0.45)))
    ink = 15 * hand.darkness * np.exp(0.08 * rng.standard_normal(len(page), np.float32))
    levels = (np.clip(ink, 6, 15) - hand.paper)[:, None] * level + hand.paper
    noise *= hand.noise
    out = np.empty_like(page)
    for i, image in enumerate(page):
        grey = cv2.LUT(image, levels[i]) + noise[offsets[i] : offsets[i] + area].reshape(SCAN)
        out[i] = np.clip(np.rint(grey), 0, 15)
    if hand.specks:
        count = rng.poisson(hand.specks * len(page))
        at = rng.integers(0, (len(page), SCAN[0] - 1, SCAN[1] - 1), (count, 3))
        for character, y, x in at.tolist():
            out[character, y : y + 2, x : x + 2] = 9
    return out
