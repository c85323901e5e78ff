"""The parts of the split in memory, as the training loop and the measurements take them."""

import dataclasses
import hashlib
from pathlib import Path

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
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: pd.DataFrame

    def to(self, device: torch.device) -> "Part":
        return Part(self.images.to(device), self.labels.to(device), self.rows)


def placed_index(root: Path) -> pd.DataFrame:
    """The sample index with each sample's part."""
    index = pd.read_parquet(root / "data/index.parquet")
    return index.merge(pd.read_parquet(root / "data/split.parquet"), on="sample")


def class_list(index: pd.DataFrame) -> list[str]:
    """The characters that are trained, by code point."""
    return [chr(c) for c in np.unique(index.loc[index["part"] == "train", "codepoint"])]


def load_part(root: Path, index: pd.DataFrame, part: str, classes: list[str]) -> Part:
    rows = index[index["part"] == part]
    images = shards.load_images(root / "data/shards", rows)
    codepoints = np.array([ord(c) for c in classes])
    found = rows["codepoint"].to_numpy()
    labels = np.searchsorted(codepoints, found).clip(max=len(codepoints) - 1)
    labels = np.where(codepoints[labels] == found, labels, -1)
    return Part(torch.from_numpy(images)[:, None], torch.from_numpy(labels), rows)


def fingerprint(root: Path) -> str:
    """Sixteen hex digits of what was trained and tested on: index, split and images."""
    digest = hashlib.sha256()
    for path in (root / "data/index.parquet", root / "data/split.parquet"):
        digest.update(pd.util.hash_pandas_object(pd.read_parquet(path), index=False).to_numpy())
    for path in sorted((root / "data/shards").glob("*.h5")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
