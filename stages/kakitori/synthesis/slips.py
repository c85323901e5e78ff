"""Characters with a stroke too few or one too many, by writers that nothing is learned from: what a
model says of them is measured."""

from pathlib import Path

import numpy as np

from kakitori import outputs
from kakitori.reading.characters.strokes import MOST
from kakitori.synthesis import partial, synthesis
from kakitori.synthesis.handwriting import SCAN
from kakitori.synthesis.table import StrokeTable

UNSEEN = 2_000_003  # added to the seed of the writers that are learned from and chosen on
WRITERS = 10  # one hand alone decides too much
SHARE = 0.5  # of the characters that get a stroke of another one
SAMPLES = 60  # characters of each writer, drawn among ETL9's


def write(copybooks: synthesis.Copybooks, path: Path, classes: int, seed: int) -> None:
    """Write SAMPLES characters by each of WRITERS, of the first `classes` of ETL9.

    The file is HDF5, N samples: `frames`, `layers`, `codepoint`, `presence` and `writer` as
    partial.write has them; `added` float64, which stroke of the writer's character before it is to
    be put in, as a share of those that show there, -1 for none.
    """
    sources = list(copybooks.forms.values())
    text = synthesis.text_of("ETL9G", set(copybooks.characters), classes)
    each = min(SAMPLES, len(text))
    frame = SCAN[0] * SCAN[1]
    with outputs.hdf5(path, WRITERS * each * (2 * frame + MOST + 16)) as file:
        pages, codepoints = [], []
        for writer in range(WRITERS):
            rng = np.random.default_rng([seed + UNSEEN, partial.SEED, writer])
            some = [text[k] for k in np.sort(rng.choice(len(text), each, replace=False))]
            forms = sources[synthesis.source_of(writer, len(sources))]
            page = partial.page(StrokeTable.of(forms, some), rng)
            shares = rng.random(each)
            pages.append((*page, np.where(rng.random(each) < SHARE, shares, -1)))
            codepoints += [ord(c) for c in some]
        file["codepoint"] = np.array(codepoints, np.int32)
        file["writer"] = np.repeat(np.arange(WRITERS, dtype=np.int32), each)
        for name, rows in zip(
            (*partial.Page._fields, "added"), zip(*pages, strict=True), strict=True
        ):
            file[name] = np.concatenate(rows)
