"""Pictures of katakana by several people, and pictures like them of ours, traced to strokes."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from kakitori.writing import glyphs, tracing

SIDE = 64  # pixels of a picture
PEN = 3 / 64  # of its side, its pen's width


def read_pictures(archive: Path) -> Iterator[tuple[int, str, np.ndarray]]:
    """Person, character and picture uint8 (S, S), 255 for ink."""
    with zipfile.ZipFile(archive) as bundle:
        for name in sorted(n for n in bundle.namelist() if n.endswith(".png")):
            path = Path(name)
            page = cv2.imdecode(np.frombuffer(bundle.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
            yield int(path.stem), chr(int(path.parent.name[2:], 16)), 255 - page


def inked(strokes: list[np.ndarray]) -> np.ndarray:
    """A picture of strokes in frame widths, as people's are."""
    large = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    fixed = [np.round((s + 0.5) * 4 * SIDE * 16).astype(np.int32) for s in strokes]
    cv2.polylines(large, fixed, False, 255, round(PEN * 4 * SIDE), cv2.LINE_8, 4)
    return cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def traced(ink: np.ndarray) -> list[np.ndarray]:
    large = cv2.resize(ink, (glyphs.RESOLUTION,) * 2, interpolation=cv2.INTER_CUBIC)
    return [s for s in tracing.trace(large > 127) if len(s) > 1]
