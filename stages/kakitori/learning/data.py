"""The parts of the split in memory, as the training loop and the measurements take them, and
the shards as a dataset for torch's own loaders."""

import dataclasses
import hashlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from kakitori.corpora import shards


@dataclasses.dataclass(frozen=True)
class Part:
    """Samples of one part.

    images : uint8 (N, 1, S, S).
    labels : int64 (N,), -1 for a character that is no class of the model.
    rows : the samples' rows of the index.
    weights : float64 (N,), how often an epoch draws each sample.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: pd.DataFrame
    weights: torch.Tensor

    def to(self, device: torch.device) -> "Part":
        moved = (t.to(device) for t in (self.images, self.labels))
        return Part(*moved, self.rows, self.weights.to(device))


def placed_index(root: Path) -> pd.DataFrame:
    """The sample index with each sample's part."""
    index = pd.read_parquet(root / "data/index.parquet")
    return index.merge(pd.read_parquet(root / "data/split.parquet"), on="sample")


def class_list(index: pd.DataFrame) -> list[str]:
    """The characters that are trained, by code point."""
    return [chr(c) for c in np.unique(index.loc[index["part"] == "train", "codepoint"])]


def load_part(
    root: Path,
    index: pd.DataFrame,
    part: str,
    classes: list[str],
    weights: dict[str, float] | None = None,
) -> Part:
    """The samples of a part; `weights` by corpus, 1 where it names none."""
    rows = index[index["part"] == part]
    images = shards.load_images(root / "data/shards", rows)
    codepoints = np.array([ord(c) for c in classes])
    found = rows["codepoint"].to_numpy()
    labels = np.searchsorted(codepoints, found).clip(max=len(codepoints) - 1)
    labels = np.where(codepoints[labels] == found, labels, -1)
    weight = np.array([(weights or {}).get(c, 1.0) for c in rows["corpus"]], np.float64)
    return Part(
        torch.from_numpy(images)[:, None],
        torch.from_numpy(labels),
        rows,
        torch.from_numpy(weight),
    )


def fingerprint(root: Path) -> str:
    """Sixteen hex digits of what was trained and tested on: index, split and images."""
    digest = hashlib.sha256()
    for path in (root / "data/index.parquet", root / "data/split.parquet"):
        digest.update(pd.util.hash_pandas_object(pd.read_parquet(path), index=False).to_numpy())
    for path in sorted((root / "data/shards").glob("*.h5")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


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
