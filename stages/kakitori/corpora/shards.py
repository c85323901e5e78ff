"""Shards as arrays in memory, or as a dataset for torch's own loaders."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch


class Shards(torch.utils.data.Dataset):
    """Samples of the index as a map-style dataset for torch's own loaders.

    Item k is (image float32 (1, S, S) in [-1, 1], ink +1; class index int), where the class index
    counts the sorted code points of `index` unless `classes` is given.
    """

    def __init__(self, folder: Path, index: pd.DataFrame, classes: np.ndarray | None = None):
        self.folder, self.index = folder, index.reset_index(drop=True)
        codepoints = self.index["codepoint"].to_numpy()
        self.classes = np.unique(codepoints) if classes is None else classes
        self.labels = np.searchsorted(self.classes, codepoints)
        self._shards, self._rows = self.index["shard"].to_numpy(), self.index["row"].to_numpy()
        self._open: dict[int, h5py.File] = {}

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
        shard = int(self._shards[k])
        if shard not in self._open:  # opened late, so that every loader process has its own
            self._open[shard] = h5py.File(self.folder / f"shard-{shard:03d}.h5")
        image = torch.from_numpy(self._open[shard]["images"][int(self._rows[k])])
        return image[None].float() / 127.5 - 1, int(self.labels[k])


def load_images(folder: Path, index: pd.DataFrame) -> np.ndarray:
    """All images of an index in memory: uint8 (N, S, S) in the index's order."""
    shards, rows = index["shard"].to_numpy(), index["row"].to_numpy()
    used = np.unique(shards)
    with h5py.File(folder / f"shard-{used[0]:03d}.h5") as file:
        size = file["images"].shape[1]
    out = np.empty((len(index), size, size), np.uint8)

    def read(shard: int) -> None:
        here = np.flatnonzero(shards == shard)
        wanted = rows[here]
        with h5py.File(folder / f"shard-{shard:03d}.h5") as file:
            low, high = int(wanted.min()), int(wanted.max()) + 1
            out[here] = file["images"][low:high][wanted - low]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, used.tolist()))
    return out
