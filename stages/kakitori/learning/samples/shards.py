"""Shards as arrays in memory."""

import math
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import psutil

from kakitori import outputs

SHARE = 0.5  # of the memory that is free, above which an array goes to a file


def load_images(folder: Path, index: pd.DataFrame) -> np.ndarray:
    """All images of an index: uint8 (N, S, S) in the index's order; in memory, or where they would
    fill it in a nameless file beside the shards."""
    shards, rows = index["shard"].to_numpy(), index["row"].to_numpy()
    order = np.argsort(shards, kind="stable")
    used, first = np.unique(shards[order], return_index=True)
    rows_of = dict(zip(used.tolist(), np.split(order, first[1:]), strict=True)) if len(used) else {}
    with h5py.File(folder / f"shard-{used[0] if len(used) else 0:03d}.h5") as file:
        size = file["images"].shape[1]
    out = _room((len(index), size, size), folder)

    def read(shard: int) -> None:
        here = rows_of[shard]
        wanted = rows[here]
        with h5py.File(folder / f"shard-{shard:03d}.h5") as file:
            low, high = int(wanted.min()), int(wanted.max()) + 1
            out[here] = file["images"][low:high][wanted - low]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, rows_of))
    return out


def _room(shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """An array uint8 to fill; memory-mapped where it is large, so that pages that nobody reads at
    the moment can leave memory. The file goes with the array, or when the process ends."""
    if math.prod(shape) <= SHARE * psutil.virtual_memory().available:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        outputs.reserve(file, math.prod(shape))
        return np.asarray(np.memmap(file, np.uint8, "r+", shape=shape))


def load_strokes(folder: Path, index: pd.DataFrame) -> list[list[np.ndarray]]:
    """The pen strokes of an index's samples, each float32 (n, 2) in the unit square, as they were
    drawn; none for samples of a corpus of images."""
    shards, rows = index["shard"].to_numpy(), index["row"].to_numpy()
    out: list[list[np.ndarray]] = [[] for _ in range(len(index))]
    for shard in np.unique(shards).tolist():
        with h5py.File(folder / f"shard-{shard:03d}.h5") as file:
            if "pen" not in file:
                continue
            points, strokes, samples = (file["pen"][k][:] for k in ("points", "strokes", "samples"))
        for k in np.flatnonzero(shards == shard):
            first, last = samples[rows[k]], samples[rows[k] + 1]
            out[k] = [points[strokes[s] : strokes[s + 1]] for s in range(first, last)]
    return out
