"""Characters with strokes left out: which of them a model finds missing, it can tell a writer.

After Gyohten et al. 2020: images of partial characters with a presence vector over the strokes.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from kakitori import outputs
from kakitori.reading.characters.strokes import MOST
from kakitori.synthesis import synthesis
from kakitori.synthesis.hand import Hand
from kakitori.synthesis.handwriting import SCAN, draw_layers, draw_page
from kakitori.synthesis.table import StrokeTable

SEED = 7  # beside that of params.yaml: these writers are none of the corpora's


class Page(NamedTuple):
    """N characters: frames and layers uint8 (N, H, W), presence uint8 (N, 32), see `write`."""

    frames: np.ndarray
    layers: np.ndarray
    presence: np.ndarray


def write(copybooks: synthesis.Copybooks, path: Path, writers: int, classes: int, seed: int) -> int:
    """Write `writers` pages of ETL9's characters with one or more strokes left out of each that has
    more than one.

    The file is HDF5, N samples: `frames` uint8 (N, H, W) as large as ETL9's; `codepoint` int32;
    `strokes` int16, how many the whole character has; `presence` uint8 (N, 32), 1 for a
    stroke that was written, in the order of characters.parquet's form of that `source` (an index
    into the attribute `sources`); `layers` uint8 (N, H, W), the number of the stroke, from 1, that
    a pixel belongs to, 0 for paper; `writer`.

    Returns
    -------
    How many samples there are.
    """
    text = synthesis.text_of("ETL9G", set(copybooks.characters), classes)
    tables = copybooks.tables(text)
    total = writers * len(text)
    shape = {"frames": SCAN, "layers": SCAN, "presence": (MOST,)}
    with outputs.hdf5(path, total * (2 * SCAN[0] * SCAN[1] + MOST + 11)) as file:
        file.attrs["sources"] = ", ".join(copybooks.forms)
        for name, rest in shape.items():
            file.create_dataset(name, (total, *rest), np.uint8, compression="lzf")  # mostly paper
        for name, kind in (  # eleven bytes
            ("codepoint", "i4"),
            ("strokes", "i2"),
            ("source", "i1"),
            ("writer", "i4"),
        ):
            file.create_dataset(name, (total,), kind)
        for writer in range(writers):
            here = slice(writer * len(text), (writer + 1) * len(text))
            source = synthesis.source_of(writer, len(tables))
            writer_page = page(tables[source], np.random.default_rng([seed, SEED, writer]))
            for name in shape:
                file[name][here] = getattr(writer_page, name)
            file["strokes"][here] = np.bincount(tables[source].character, minlength=len(text))
            file["codepoint"][here] = [ord(c) for c in text]
            file["source"][here], file["writer"][here] = source, writer
    return total


def page(table: StrokeTable, rng: np.random.Generator) -> Page:
    """The characters of a table by one hand, with strokes left out."""
    hand = Hand.draw(rng)
    kept = left_out(table, rng)
    noise = int(rng.integers(1 << 62))
    drawn, layers = (
        draw(table.only(kept), hand, np.random.default_rng(noise))
        for draw in (draw_page, draw_layers)
    )
    presence = np.zeros((table.characters, MOST), np.uint8)
    numbered = table.number <= MOST
    presence[table.character[numbered], table.number[numbered] - 1] = kept[numbered]
    return Page(drawn * np.uint8(17), layers, presence)


def left_out(table: StrokeTable, rng: np.random.Generator) -> np.ndarray:
    """Which strokes are written, bool (T,): of each character with more than one, one is left out,
    and of one character in three some more, but never all."""
    count = np.bincount(table.character, minlength=table.characters)
    more = rng.random(table.characters) < 1 / 3
    missing = np.where(more, rng.integers(1, np.maximum(count // 2, 1) + 1), 1)
    missing = np.minimum(missing, count - 1)
    # The strokes with the lowest draws of their character go.
    draws = rng.random(len(table.character))
    order = np.lexsort((draws, table.character))
    rank = np.empty(len(draws), int)
    first = np.cumsum(count) - count
    rank[order] = np.arange(len(draws)) - np.repeat(first, count)
    return rank >= missing[table.character]
