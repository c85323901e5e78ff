"""From files to shards and index: every sample of every corpus in one form.

A shard is an HDF5 file whose dataset `images` holds uint8 (N, S, S), 0 = paper, 255 = full ink;
the index is a table with one row per sample.
"""

import multiprocessing
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import h5py
import numpy as np
from tqdm import tqdm

from kakitori.corpora import etl, images
from kakitori.errors import DataError
from kakitori.writing.charset import jis_table

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 256  # records decoded at once: few enough to stay in the processor's cache


def write_shards(sources: list[etl.Source], folder: Path, size: int) -> "pd.DataFrame":
    """Decode every source into a shard of its own, one process per core.

    Parameters
    ----------
    sources : in the order of the index.
    folder : where shard-000.h5, … go.
    size : side of the images in pixels.

    Returns
    -------
    The index: `sample` int64, `shard` int16, `row` int32, `codepoint` int32, `corpus`,
    `writer_group`, `sheet` int32, `quality` int16 (-1 where the corpus has none),
    `is_model_sheet` bool.
    """
    # Only here: a worker needs no pandas, and importing it takes longer than decoding a file.
    import pandas as pd

    jobs = [(source, folder / f"shard-{k:03d}.h5", size) for k, source in enumerate(sources)]
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers, cv2.setNumThreads, (1,)) as pool:
            parts = list(_progress(pool.imap(_write_shard, jobs), len(jobs)))
    else:
        parts = [_write_shard(job) for job in jobs]
    index = pd.concat(
        [pd.DataFrame({"shard": np.int16(k)} | part) for k, part in enumerate(parts)],
        ignore_index=True,
    )
    _check_set_sizes(index, sources)
    index.insert(0, "sample", np.arange(len(index), dtype=np.int64))
    return index


def _check_set_sizes(index: "pd.DataFrame", sources: list[etl.Source]) -> None:
    """A file cut at a record inside its only set looks whole by itself: compare over files."""
    for corpus, rows in index.groupby("corpus", sort=False):
        sizes = rows.groupby(["shard", "writer_group"]).size()
        short = sizes[sizes < sizes.max()]
        if len(short):
            shard, group = short.index[0]
            raise DataError(
                f"{sources[shard]}: expected {sizes.max()} records in every set of {corpus}, found "
                f"{short.iloc[0]} in {group}: the file is cut short"
            )


def _progress(iterator: Iterable, total: int) -> Iterable:
    return tqdm(iterator, total=total, desc="extract", unit="file", disable=None)


def _write_shard(job: tuple[etl.Source, Path, int]) -> dict[str, object]:
    """Write one shard; returns its columns of the index, all but the shard's number."""
    source, path, size = job
    layout = source.layout
    records = source.records()
    sets = etl.set_numbers(records, source)
    halved = layout.bits == 4 and size * 2 <= layout.width
    decode = etl.decode_halved if halved else etl.decode
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("images", (len(records), size, size), np.uint8)
        dataset.attrs["polarity"] = "0 = paper, 255 = full ink"
        dataset.attrs["corpus"] = source.corpus
        dataset.attrs["source"] = source.member or source.path.name
        dataset.attrs["source_bytes"] = (len(records) + layout.dummy) * layout.record
        checksum = 0  # of the images; one of the source would cost a fifth of the time, DVC has it
        for start in range(0, len(records), CHUNK):
            packed = np.ascontiguousarray(records["image"][start : start + CHUNK])
            chunk = images.normalise(decode(packed, layout), size, resize=cv2.resize)
            checksum = zlib.crc32(chunk, checksum)
            dataset[start : start + CHUNK] = chunk
        dataset.attrs["images_crc32"] = checksum
    prefix = "synthetic/" if source.corpus.startswith("synthetic/") else ""
    names = {n: f"{prefix}{layout.group}/set{n:03d}" for n in np.unique(sets).tolist()}
    quality = records["quality"].astype(np.int16) if "quality" in layout.fields else np.int16(-1)
    return {
        "row": np.arange(len(records), dtype=np.int32),
        "codepoint": jis_table()[records["jis"].astype(np.int64)],
        "corpus": source.corpus,
        "writer_group": [names[n] for n in sets.tolist()],
        "sheet": records["sheet"].astype(np.int32),
        "quality": quality,
        "is_model_sheet": sets == layout.model_set if layout.model_set else False,
    }
