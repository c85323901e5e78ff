"""From files to shards and index: every sample of every corpus in one form.

A shard is an HDF5 file whose dataset `images` holds uint8 (N, S, S), 0 = paper, 255 = full ink; a
corpus of pen strokes adds them as `pen/points`, `pen/strokes` and `pen/samples` (source.Pen). The
index is a table with one row per sample.
"""

import os
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

from kakitori import outputs
from kakitori.corpora import etl
from kakitori.corpora.records.database import set_name
from kakitori.corpora.source import Reject, Source
from kakitori.errors import DataError
from kakitori.running.workers import spread

if TYPE_CHECKING:
    import pandas as pd

KEPT = 31 << 20  # bytes; above 32 MiB glibc would not learn


def write_shards(
    sources: list[Source], folder: Path, size: int
) -> tuple["pd.DataFrame", dict[str, list[Reject]], dict[str, dict[str, int]]]:
    """Decode every source into a shard of its own, one process per core.

    Parameters
    ----------
    sources : in the order of the index.
    folder : where shard-000.h5, … go.
    size : side of the images in pixels.

    Returns
    -------
    The index: `sample` int64, `shard` int16, `row` int32, `codepoint` int32, `corpus`,
    `writer_group` (empty where the corpus does not say who wrote), `sheet` int32 and `quality`
    int16 (-1 where the corpus has none), `is_model_sheet` bool, `contrast` uint8 (levels between
    paper and ink before they were stretched; below images.MIN_CONTRAST the frame is blank),
    `digest` int64 (equal for equal images) and `look` int64 (few bits differ for images that look
    the same). Then for each corpus that has any the records left out, and how often known defects
    were seen.
    """
    # Only here: a worker needs no pandas, and importing it takes longer than decoding a file.
    import pandas as pd

    jobs = [(source, folder / f"shard-{k:03d}.h5", size) for k, source in enumerate(sources)]
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers > 1:
        done = list(_progress(spread(_write_shard, jobs, workers, _start), len(jobs)))
    else:
        done = [_write_shard(job) for job in jobs]
    index = pd.concat(
        [pd.DataFrame({"shard": np.int16(k)} | part) for k, (part, _, _) in enumerate(done)],
        ignore_index=True,
    )
    _check_sets(index, sources)
    index.insert(0, "sample", np.arange(len(index), dtype=np.int64))
    rejects: dict[str, list[Reject]] = {}
    errata: dict[str, Counter] = {}
    for source, (_, rejected, seen) in zip(sources, done, strict=True):
        if rejected:
            rejects.setdefault(source.corpus, []).extend(rejected)
        errata.setdefault(source.corpus, Counter()).update(seen)
    return index, rejects, {corpus: dict(seen) for corpus, seen in errata.items() if seen}


def _check_sets(index: "pd.DataFrame", sources: list[Source]) -> None:
    """Every set of ETL8 and ETL9 holds the same characters. A file cut at a record inside its only
    set, or one with a wrong code, looks whole by itself: compare over all files."""
    by_set = {s.corpus for s in sources if isinstance(s, etl.EtlFile) and s.set.writer == "set"}
    for corpus, rows in index.groupby("corpus", sort=False):
        if corpus not in by_set:
            continue
        # One number per character that no exchange of two others adds up to.
        spread = rows["codepoint"].astype("int64") ** 3
        groups = spread.groupby([rows["writer_group"], rows["is_model_sheet"]]).agg(["size", "sum"])
        usual = groups.value_counts().index[0]
        odd = groups[(groups["size"] != usual[0]) | (groups["sum"] != usual[1])]
        if len(odd):
            group = odd.index[0][0]
            shard = rows.loc[rows["writer_group"] == group, "shard"].iloc[0]
            raise DataError(
                f"{sources[shard]}: expected the same {usual[0]} characters in every set of "
                f"{corpus}, found {odd['size'].iloc[0]} in {group}, or others: the file is cut "
                "short or damaged"
            )


def _progress(iterator: Iterable, total: int) -> Iterable:
    return tqdm(iterator, total=total, desc="extract", unit="file", disable=None)


def _start() -> None:
    cv2.setNumThreads(1)
    # glibc keeps what is freed up to the largest block that it has seen freed; without this every
    # chunk would get its pages anew, which is a tenth of the time.
    np.empty(KEPT, np.uint8)


def _write_shard(job: tuple[Source, Path, int]) -> tuple[dict, list[Reject], dict[str, int]]:
    """Write one shard; returns its columns of the index, all but the shard's number."""
    source, path, size = job
    samples = source.read(size)
    count = len(samples.codepoint)
    contrast = np.empty(count, np.uint8)
    digest, look = np.empty(count, np.int64), np.empty(count, np.int64)
    names = () if samples.pen is None else ("points", "strokes", "samples")
    pen = {name: getattr(samples.pen, name) for name in names}
    room = count * size * size + sum(array.nbytes for array in pen.values())
    with outputs.hdf5(path, room) as file:
        dataset = file.create_dataset("images", (count, size, size), np.uint8)
        dataset.attrs["polarity"] = "0 = paper, 255 = full ink"
        dataset.attrs["corpus"] = source.corpus
        dataset.attrs["source"] = source.file
        checksum = 0  # of the images; one of the source would cost a fifth of the time, DVC has it
        start = 0
        for chunk in samples.chunks:
            stop = start + len(chunk.images)
            checksum = zlib.crc32(chunk.images, checksum)
            dataset[start:stop] = chunk.images
            contrast[start:stop] = chunk.contrast
            digest[start:stop], look[start:stop] = _digests(chunk.images)
            start = stop
        if start != count:
            raise DataError(f"{source}: expected {count} images, found {start}")
        dataset.attrs["images_crc32"] = checksum
        for name, array in pen.items():
            file[f"pen/{name}"] = array
    columns = {
        "row": np.arange(count, dtype=np.int32),
        "codepoint": samples.codepoint.astype(np.int32),
        "corpus": source.corpus,
        "writer_group": _placed(samples.writer_group, source.corpus),
        "sheet": np.broadcast_to(np.asarray(samples.sheet, np.int32), count),
        "quality": np.broadcast_to(np.asarray(samples.quality, np.int16), count),
        "is_model_sheet": np.broadcast_to(samples.is_model_sheet, count),
        "contrast": contrast,
        "digest": digest,
        "look": look,
    }
    return columns, samples.rejects, samples.errata


def _placed(groups: np.ndarray | str, corpus: str) -> np.ndarray | str:
    """Synthetic writers are never real ones, nor those of ETL9G-hard2 those of ETL9G."""
    place, _, name = corpus.partition("/")
    prefix = "synthetic/" if place == "synthetic" else ""
    suffix = name[name.index("-") :] if set_name(name) and "-" in name else ""
    if not prefix and not suffix:
        return groups
    unique, inverse = np.unique(groups, return_inverse=True)
    named = [g and prefix + g.replace("/", f"{suffix}/", 1) for g in unique.tolist()]
    return np.array(named, object)[inverse]


_ODD = np.random.default_rng(0).integers(0, 1 << 63, 128 * 128 // 8, np.uint64) * 2 + 1
_MARGIN = 8  # levels between neighbouring cells below which they count as equal


def _digests(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For uint8 images (N, S, S): a 64-bit number that differs where a pixel does, and a 64-bit
    difference hash (Krawetz 2013) of the means of 8×8 cells, both int64 (N,)."""
    words = images.reshape(len(images), -1).view(np.uint64)
    exact = np.einsum("ij,j->i", words, _ODD[: words.shape[1]])
    flat = images.reshape(-1, images.shape[2])
    cells = cv2.resize(flat, (8, 8 * len(images)), interpolation=cv2.INTER_AREA)
    cells = cells.reshape(len(images), 8, 8).astype(np.int16)
    darker = cells > np.roll(cells, -1, 2) + _MARGIN
    look = np.packbits(darker.reshape(len(images), 64), axis=1).view(np.int64)[:, 0]
    return exact.view(np.int64), look
