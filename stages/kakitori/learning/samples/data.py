"""The parts of the split in memory, as the training loop and the measurements take them."""

import dataclasses
import hashlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch

from kakitori.errors import DataError
from kakitori.learning.samples import shards
from kakitori.reading.characters.charset import script
from kakitori.reading.characters.strokes import MOST, TYPES, classify

COLUMNS = ("sample", "shard", "row", "codepoint", "corpus", "writer_group", "sheet", "quality")
STRINGS = ["corpus", "writer_group", "part"]
FILLED = 0.85  # of KanjiVG's frame by its characters; pen strokes fill theirs


@dataclasses.dataclass(frozen=True)
class Part:
    """Samples of one part.

    images : uint8 (N, 1, S, S).
    labels : int64 (N,), -1 for a character that is no class of the model.
    rows : the samples' rows of the index.
    weights : float64 (N,), how often an epoch draws each sample.
    written : int8 (N, 32), see contract.Batch; None where no sample was drawn with a pen, or
        nobody asked.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: pd.DataFrame
    weights: torch.Tensor
    written: torch.Tensor | None = None

    def to(self, device: torch.device) -> "Part":
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return Part(
            **{k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in fields.items()}
        )

    def groups(self) -> tuple[torch.Tensor, int]:
        """Which writer group each sample is of, int64 (N,), -1 where nobody knows; and how many
        there are."""
        groups = self.rows["writer_group"]
        codes, names = pd.factorize(groups.where(groups != ""), sort=True)
        return torch.from_numpy(codes.astype(np.int64)).to(self.labels.device), len(names)


@dataclasses.dataclass(frozen=True)
class Partial:
    """Characters with strokes left out (data/shards/partial.h5), of the model's classes alone.

    images : uint8 (N, 1, S, S).
    labels : int64 (N,).
    presence : int8 (N, 32), see contract.Batch.
    layers : uint8 (N, 1, S, S), likewise.
    """

    images: torch.Tensor
    labels: torch.Tensor
    presence: torch.Tensor
    layers: torch.Tensor

    def to(self, device: torch.device) -> "Partial":
        return Partial(*(getattr(self, f.name).to(device) for f in dataclasses.fields(self)))


def placed_index(root: Path) -> pd.DataFrame:
    """What is needed of the sample index to find, name and describe each sample, and its part.
    Strings are categories: tens of millions of rows take 24 bytes each. DataError when the split is
    of another index."""
    index, split = root / "data/index.parquet", root / "data/split.parquet"
    columns = {name: _column(index, name) for name in COLUMNS}
    if not _column(split, "sample").equals(columns["sample"]):
        raise DataError(
            f"{split}: expected a part for each of the {len(columns['sample']):,} samples of "
            "data/index.parquet, found others; `dvc repro split` makes it anew"
        )
    part = _column(split, "part").cat
    columns["part"] = part.set_categories(sorted({*part.categories, "none"}))
    return pd.DataFrame(columns, copy=False)


def _column(path: Path, name: str) -> pd.Series:
    """One at a time, so that no more than one is there twice."""
    column = pq.read_table(path, columns=[name], read_dictionary=STRINGS)[name]
    if name in STRINGS:
        categories = column.unify_dictionaries().to_pandas().cat
        return categories.reorder_categories(sorted(categories.categories))
    return column.to_pandas().astype("int32" if name == "sample" else column.type.to_pandas_dtype())


def class_list(index: pd.DataFrame) -> list[str]:
    """The characters that are trained, by code point."""
    return [chr(c) for c in np.unique(index.loc[index["part"] == "train", "codepoint"])]


def load_part(
    root: Path,
    index: pd.DataFrame,
    part: str,
    classes: list[str],
    weights: dict[str, float] | None = None,
    order: bool = False,
    scripts: dict[str, float] | None = None,
) -> Part:
    """The samples of a part; `weights` by corpus, times `scripts` by script, 1 where they name
    none; with `order` what each writer's pen drew, stroke by stroke."""
    rows = index[index["part"] == part]
    images = shards.load_images(root / "data/shards", rows)
    labels = _labels(rows["codepoint"].to_numpy(), classes)
    corpus = rows["corpus"].astype("category").cat
    weight = np.array([(weights or {}).get(c, 1.0) for c in corpus.categories], np.float64)
    codepoints, of = np.unique(rows["codepoint"], return_inverse=True)
    by_script = np.array([(scripts or {}).get(script(c), 1.0) for c in codepoints.tolist()])
    return Part(
        torch.from_numpy(images)[:, None],
        torch.from_numpy(labels),
        rows,
        torch.from_numpy(weight[corpus.codes] * by_script[of]),
        _written(shards.load_strokes(root / "data/shards", rows)) if order else None,
    )


def _written(samples: list[list[np.ndarray]]) -> torch.Tensor | None:
    if not any(samples):
        return None
    numbers = {symbol: i for i, symbol in enumerate(TYPES)}
    out = np.full((len(samples), MOST), -1, np.int8)
    for row, strokes in zip(out, samples, strict=True):
        types = classify([FILLED * stroke for stroke in strokes])[:MOST]
        row[: len(types)] = [numbers[symbol] for symbol in types]
    return torch.from_numpy(out)


def load_partial(path: Path, classes: list[str], size: int) -> Partial:
    """The characters with strokes left out that extract wrote; DataError where there are none, or
    of another size."""
    try:
        with h5py.File(path) as file:
            content = {k: file[k][:] for k in ("images", "codepoint", "presence", "layers")}
    except OSError:
        raise DataError(
            f"{path}: expected characters with strokes left out, found no such file; "
            "train.sampling.partial needs synthesize.partial_writers"
        ) from None
    side = content["images"].shape[-1]
    if side != size:
        raise DataError(
            f"{path}: expected images of {size} pixels (data.size), found {side}; "
            "python stages/extract.py makes them anew"
        )
    labels = _labels(content["codepoint"], classes)
    kept = np.flatnonzero(labels >= 0)
    if not len(kept):
        raise DataError(f"{path}: expected characters among the classes, found none")
    return Partial(
        torch.from_numpy(content["images"][kept])[:, None],
        torch.from_numpy(labels[kept]),
        torch.from_numpy(content["presence"][kept].astype(np.int8)),
        torch.from_numpy(content["layers"][kept])[:, None],
    )


def _labels(codepoints: np.ndarray, classes: list[str]) -> np.ndarray:
    """Class of each code point, int64, -1 for those that are none."""
    known = np.array([ord(c) for c in classes])
    labels = np.searchsorted(known, codepoints).clip(max=len(known) - 1)
    return np.where(known[labels] == codepoints, labels, -1).astype(np.int64)


def fingerprint(root: Path) -> str:
    """Sixteen hex digits of what was trained and tested on: index, split and images."""
    digest = hashlib.sha256()
    for path in (root / "data/index.parquet", root / "data/split.parquet"):
        for rows in pq.ParquetFile(path).iter_batches():  # all at once are twice as large in memory
            hashed = pd.util.hash_pandas_object(rows.to_pandas(), index=False)
            digest.update(hashed.to_numpy())
    for path in sorted((root / "data/shards").glob("shard-*.h5")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
