"""Kuzushiji-Kanji and Kuzushiji-49: characters from books of the Edo period.

Clanuwat et al., "Deep Learning for Classical Japanese Literature", 2018 (arXiv:1812.01718); files
as in rois-codh/kmnist. Neither tells who wrote.
"""

import contextlib
import csv
import dataclasses
import io
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from kakitori.corpora import archives, folders
from kakitori.corpora.source import CHUNK, Samples
from kakitori.errors import DataError
from kakitori.reading.normalising.images import Normalised, measured
from kakitori.reading.normalising.tree import codepoint_of, shown

SIDE = 28  # pixels, of Kuzushiji-49
_HEADER = re.compile(
    rb"\{'descr': '\|u1', 'fortran_order': False, 'shape': \(([\d, ]{1,40})\), \}\s*"
)

# k49_classmap.csv: the 48 hiragana without small and voiced ones, and ゝ, in the order of Unicode.
CLASSES = (
    "あいうえおかきくけこさしすせそたちつてと"
    "なにぬねのはひふへほまみむめもやゆよらりるれろわゐゑをんゝ"
)


def sources(path: Path, corpus: str) -> list["folders.ImageFolder | Kuzushiji49"]:
    """Kuzushiji-Kanji (`kkanji.tar`, `kkanji2/U+XXXX/`) and Kuzushiji-49 (`k49-….npz`); else []."""
    files = archives.files(path)
    corpus_sources: list[folders.ImageFolder | Kuzushiji49] = list(
        folders.pictures(path, corpus, kuzushiji=True)
    )
    by_name = {(f.root, f.name): f for f in files}
    for file in files:
        base = file.base.lower()
        if base.startswith("k49-") and base.endswith("-imgs.npz"):
            beside = file.name[: len(file.name) - len(base)]
            labels = (file.root, beside + file.base[: -len("imgs.npz")] + "labels.npz")
            if labels not in by_name:
                raise DataError(f"{file}: expected {labels[1]!r} beside it, found no such file")
            classes = by_name.get((file.root, beside + "k49_classmap.csv"))
            corpus_sources.append(Kuzushiji49(corpus, file, by_name[labels], classes))
    return sorted(corpus_sources, key=str)


@dataclasses.dataclass(frozen=True)
class Kuzushiji49:
    """The training or the test part of Kuzushiji-49, its labels and the map of its classes."""

    corpus: str
    images: archives.File
    labels: archives.File
    classes: archives.File | None

    @property
    def file(self) -> str:
        return shown(self.images.base)

    def __str__(self) -> str:
        return str(self.images)

    def files(self) -> list[archives.File]:
        return [self.images, self.labels] + ([self.classes] if self.classes else [])

    def read(self, size: int) -> Samples:
        """All samples. DataError for damage, pickled objects, and labels without a class."""
        with _array(self.labels) as (shape, values):
            if len(shape) != 1:
                raise DataError(f"{self.labels}: expected a list of labels, found shape {shape}")
            labels = np.frombuffer(_exactly(self.labels, values, shape[0]), np.uint8)
        classes = self._codepoints()
        wrong = np.flatnonzero(labels >= len(classes))
        if len(wrong):
            raise DataError(
                f"{self.labels}: entry {wrong[0]}: expected a class below {len(classes)}, found "
                f"{labels[wrong[0]]}"
            )
        with _array(self.images) as (shape, _):
            if shape != (len(labels), SIDE, SIDE):
                raise DataError(
                    f"{self}: expected images of shape {(len(labels), SIDE, SIDE)}, one for each "
                    f"label, found {shape}"
                )
        return Samples(classes[labels], "", self._chunks(len(labels), size))

    def _chunks(self, count: int, size: int) -> Iterator[Normalised]:
        with _array(self.images) as (_, values):
            for start in range(0, count, CHUNK):
                some = min(CHUNK, count - start)
                pixels = _exactly(self.images, values, some * SIDE * SIDE)
                frames = np.frombuffer(pixels, np.uint8).reshape(some, SIDE, SIDE)
                # Ink is bright already. Cut out of pages: the frame says nothing of the size.
                yield measured(frames, size, framed=False, resize=cv2.resize)

    def _codepoints(self) -> np.ndarray:
        if self.classes is None:
            return np.array([ord(character) for character in CLASSES], np.int32)
        try:
            rows = csv.DictReader(io.StringIO(self.classes.read().tobytes().decode("utf-8-sig")))
            by_index = {int(row["index"]): codepoint_of(row["codepoint"]) for row in rows}
            codepoints = [by_index[k] for k in range(len(by_index))]
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise DataError(
                f"{self.classes}: expected columns index and codepoint, found: {error!r}"
            ) from None
        if not codepoints or None in codepoints:
            raise DataError(f"{self.classes}: expected U+XXXX in every row, found something else")
        return np.array(codepoints, np.int32)


@contextlib.contextmanager
def _array(file: archives.File) -> Iterator[tuple[tuple[int, ...], BinaryIO]]:
    """Shape and bytes of an npz file's `arr_0`, unpacked as it is read: 182 MB at once are many.

    Only bytes in rows, the one kind in this set: pickled objects are never looked at.
    """
    with contextlib.ExitStack() as stack:
        try:
            bundle = stack.enter_context(zipfile.ZipFile(io.BytesIO(file.read())))
            stream = stack.enter_context(bundle.open("arr_0.npy"))
            magic, length = struct.unpack("<8sH", stream.read(10))
            header = stream.read(length)
        except archives.DAMAGED as error:
            raise DataError(f"{file}: expected an npz with arr_0, found: {error}") from None
        match = _HEADER.fullmatch(header)
        if magic != b"\x93NUMPY\x01\0" or not match:
            raise DataError(f"{file}: expected an array of bytes, found {header[:80]!r}")
        yield tuple(int(side) for side in match[1].split(b",") if side.strip()), stream


def _exactly(file: archives.File, stream: BinaryIO, count: int) -> bytes:
    try:
        content = stream.read(count)
    except archives.DAMAGED as error:
        raise DataError(f"{file}: expected readable data, found: {error}") from None
    if len(content) != count:
        raise DataError(f"{file}: expected {count} bytes more, found {len(content)}: cut short")
    return content
