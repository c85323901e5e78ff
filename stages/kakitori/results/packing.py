"""The strokes of all characters in few bytes, for the page and the package."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from kakitori.card import credits
from kakitori.reading.characters.charset import LOOK_ALIKES
from kakitori.reading.matching import reference

TOLERANCE = 0.002  # of the frame: how far a simplified polyline may run from the full one


def pack(table: pd.DataFrame, archive: Path | None = None) -> tuple[bytes, dict]:
    """The strokes of all characters in bytes, and what they are; `reference.unpack` reads them.

    Per character, in the order of `characters`: the number of its source in `sources`, the number
    of its strokes, and per stroke the number of its points and x and y of each, in 255ths of the
    frame; then the number of other right ways to write it, and of each the number of its strokes
    and those as before, or 0 and the numbers of the last form's strokes in another order, 255 - k
    for stroke k from its end. Polylines are simplified (Douglas and Peucker 1973) to TOLERANCE.
    """
    forms = [reference.best(forms) for forms in table["forms"]]
    names = sorted({form["source"] for form in forms})
    others = reference.variants(set(table["character"]), archive)
    packed = bytearray()
    for form, (_, row) in zip(forms, table.iterrows(), strict=True):
        packed += bytes([names.index(form["source"])]) + _packed(reference.lines(form))
        ways = reference.ways(row["forms"], row["decomposition"], others.get(row["character"], ()))
        packed += bytes([len(ways)])
        for way in ways:
            is_order = isinstance(way[0], int)
            packed += bytes([0, *(k & 255 for k in way)]) if is_order else _packed(way)
    sources = [
        {"name": name, "ordered": name in reference.TRUE, "credit": credits.of(name)}
        for name in names
    ]
    about = {"characters": "".join(table["character"]), "sources": sources}
    about |= {"same": list(LOOK_ALIKES), "confused": list(reference.CONFUSED)}
    return bytes(packed), about


def _packed(strokes: list[np.ndarray]) -> bytes:
    packed = bytearray([len(strokes)])
    for stroke in strokes:
        kept = cv2.approxPolyDP(stroke.astype(np.float32)[:, None], TOLERANCE, False)[:, 0]
        kept[0], kept[-1] = stroke[0], stroke[-1]  # OpenCV leaves out an end now and then
        packed += bytes([len(kept)])
        packed += np.rint(kept.clip(0, 1) * reference.LEVELS).astype(np.uint8).tobytes()
    return bytes(packed)
