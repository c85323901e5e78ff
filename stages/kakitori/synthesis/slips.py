"""Characters with a stroke too few or one too many, by writers that nothing is learned from: what a
model says of them is measured."""

from pathlib import Path

import numpy as np
import pandas as pd

from kakitori import outputs
from kakitori.reading.characters.strokes import MOST
from kakitori.synthesis import partial, synthesis
from kakitori.synthesis.table import StrokeTable

UNSEEN = 2_000_003  # added to the seed of the writers that are learned from and chosen on
WRITERS = 10  # one hand alone decides too much
SHARE = 0.5  # of the characters that get a stroke of another one
SAMPLES = 60  # characters of each writer, drawn among ETL9's


def write(characters: pd.DataFrame, path: Path, classes: int, seed: int) -> None:
    """Write SAMPLES characters by each of WRITERS, of the first `classes` of ETL9.

    The file is HDF5, N samples: `images` uint8 (N, 64, 64) as extract makes them; `codepoint`
    int32; `presence` uint8 (N, 32), 1 for a stroke that was written; `slips` int32, pixels of ink
    of another character's stroke alone.
    """
    sources = list(synthesis.glyph_forms(characters).values())
    text = synthesis.text_of("ETL9G", set(characters["character"]), classes)
    size = (WRITERS, min(SAMPLES, len(text)), partial.SIZE, partial.SIZE)
    with outputs.hdf5(path, WRITERS * size[1] * (partial.SIZE**2 + MOST + 8)) as file:
        pages, codepoints = [], []
        for writer in range(WRITERS):
            rng = np.random.default_rng([seed + UNSEEN, partial.SEED, writer])
            some = [text[k] for k in np.sort(rng.choice(len(text), size[1], replace=False))]
            forms = sources[synthesis.source_of(writer, len(sources))]
            page = partial.page(StrokeTable.of(forms, some), rng)
            images, slips = with_slips(page.images, page.layers, rng)
            pages.append((images, page.presence, slips.astype(np.int32)))
            codepoints += [ord(c) for c in some]
        names = "images", "presence", "slips"
        file["codepoint"] = np.array(codepoints, np.int32)
        for name, each in zip(names, zip(*pages, strict=True), strict=True):
            file[name] = np.concatenate(each)


def with_slips(
    images: np.ndarray, layers: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """New images, some with a stroke of the image before, and how many pixels of it show.

    images : uint8 (N, S, S). layers : uint8 (N, S, S), the number of the stroke, from 1, that a
    pixel belongs to.
    """
    others, theirs = np.roll(images, 1, 0), np.roll(layers, 1, 0)
    count = len(images)
    last = theirs.reshape(count, -1).max(1)
    stroke = 1 + (rng.random(count) * last).astype(int)
    chosen = rng.random(count) < SHARE
    added = (theirs == stroke[:, None, None]) & chosen[:, None, None]
    out = np.maximum(images, np.where(added, others, 0))
    return out, (added & (layers == 0)).sum((1, 2))
