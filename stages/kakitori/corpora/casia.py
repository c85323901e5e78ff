"""CASIA's isolated characters: offline `.gnt` (HWDB) and online `.pot` (OLHWDB).

Liu, Yin, Wang and Wang, "CASIA Online and Offline Chinese Handwriting Databases", ICDAR 2011;
layouts from the database's pages at nlpr.ia.ac.cn. Integers are little-endian. One file holds one
writer.
"""

import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from kakitori.corpora import archives, pen
from kakitori.corpora.source import CHUNK, Reject, Samples
from kakitori.errors import DataError
from kakitori.reading.normalising.images import Normalised, measured
from kakitori.reading.normalising.tree import is_character, shown

LARGEST = 256  # pixels; larger characters are reduced first, so that one does not fill the memory

_GNT = struct.Struct("<I2sHH")  # size of the sample, tag with its high byte first, width, height
_POT = struct.Struct("<H4sH")  # size of the sample, tag, strokes
_POT_LEAST = _POT.size + 12  # one point, the end of its stroke, the end of the sample
_STROKE_END, _SAMPLE_END = (-1, 0), (-1, -1)


@dataclasses.dataclass(frozen=True)
class CasiaFile:
    """One `.gnt` or `.pot` file."""

    corpus: str
    place: archives.File

    @property
    def file(self) -> str:
        return shown(self.place.base)

    def __str__(self) -> str:
        return str(self.place)

    def files(self) -> list[archives.File]:
        return [self.place]

    @property
    def writer_group(self) -> str:
        # The people of HWDB also wrote OLHWDB, under the same numbers (1001-f.gnt, 1001.pot).
        stem = PurePosixPath(self.file).stem
        return f"CASIA/{stem.partition('-')[0]}"

    def read(self, size: int) -> Samples:
        """All samples whose tag is a character; the others are rejected.

        Raises DataError for a file that is cut short, or a sample of an impossible size.
        """
        raw = self.place.read()
        if not len(raw):
            raise DataError(f"{self}: offset 0: expected a sample, found an empty file")
        read = {".gnt": _read_gnt, ".pot": _read_pot}[_suffix(self.place)]
        return read(self, raw, size)


def sources(path: Path, corpus: str) -> list[CasiaFile]:
    """The `.gnt` and `.pot` files in a folder or in archives; [] where there are none."""
    files = [CasiaFile(corpus, f) for f in archives.files(path) if _suffix(f) in (".gnt", ".pot")]
    return sorted(files, key=str)


def _suffix(file: archives.File) -> str:
    return PurePosixPath(file.name).suffix.lower()


def _headers(source: CasiaFile, raw: np.ndarray, layout: struct.Struct) -> Iterator[tuple]:
    """Offset and header of each sample; where one starts, the one before it says."""
    view, offset = memoryview(raw), 0
    while offset < len(raw):
        if len(raw) - offset < layout.size:
            raise DataError(
                f"{source}: offset {offset}: expected a header of {layout.size} bytes, found "
                f"{len(raw) - offset} bytes: the file is cut short"
            )
        size, *header = layout.unpack_from(view, offset)
        if size < layout.size:
            raise DataError(
                f"{source}: offset {offset}: expected a sample of more than {layout.size} bytes, "
                f"found the size {size}"
            )
        if offset + size > len(raw):
            raise DataError(
                f"{source}: offset {offset}: expected a sample of {size} bytes, found "
                f"{len(raw) - offset} bytes up to the end: cut short, or no {source.file[-4:]} file"
            )
        yield offset, size, *header
        offset += size


def _labels(
    source: CasiaFile, offsets: np.ndarray, tags: list[bytes]
) -> tuple[np.ndarray, np.ndarray, list[Reject]]:
    """Which samples have a character (N,), the code points of these, and the others as rejects."""
    known = {tag: _character(tag) for tag in set(tags)}
    codepoints = np.array([known[tag] for tag in tags], np.int32)
    rejects = [
        Reject(str(source), int(offset), f"expected the GB code of a character, found {tag.hex()}")
        for offset, tag, codepoint in zip(offsets, tags, codepoints, strict=True)
        if not codepoint
    ]
    return codepoints > 0, codepoints[codepoints > 0], rejects


def _character(tag: bytes, encoding: str = "gb18030") -> int:
    """Code point of a tag, 0 where it has none. ASCII symbols stay ASCII: one byte and a zero."""
    try:
        (character,) = tag.strip(b"\0").decode(encoding)
    except ValueError:  # no code, or more than one character
        return 0
    return ord(character) if is_character(ord(character)) else 0


# ---------------------------------------------------------------------------------------------
# Offline


def _read_gnt(source: CasiaFile, raw: np.ndarray, size: int) -> Samples:
    headers, tags = [], []
    for offset, length, tag, width, height in _headers(source, raw, _GNT):
        if not width * height or length != _GNT.size + width * height:
            raise DataError(
                f"{source}: offset {offset}: expected a sample of 10 + width x height bytes, found "
                f"{length} bytes and {width} x {height} pixels"
            )
        headers.append((offset, width, height))
        tags.append(tag)
    boxes = np.array(headers, np.int64)
    good, codepoints, rejects = _labels(source, boxes[:, 0], tags)
    chunks = _gnt_chunks(raw, boxes[good], size)
    return Samples(codepoints, source.writer_group, chunks, rejects=rejects)


def _gnt_chunks(raw: np.ndarray, boxes: np.ndarray, size: int) -> Iterator[Normalised]:
    """Images of the samples at (offset, width, height)."""
    for start in range(0, len(boxes), CHUNK):
        bitmaps = [
            _reduced(raw[(at := offset + _GNT.size) : at + width * height].reshape(height, width))
            for offset, width, height in boxes[start : start + CHUNK].tolist()
        ]
        height, width = np.max([bitmap.shape for bitmap in bitmaps], axis=0)
        # Paper is 255 exactly in every file, so that a rim of it changes nothing.
        frames = np.zeros((len(bitmaps), height + 2, width + 2), np.uint8)
        for frame, bitmap in zip(frames, bitmaps, strict=True):
            h, w = bitmap.shape
            np.subtract(255, bitmap, out=frame[1 : h + 1, 1 : w + 1])
        yield measured(frames, size, framed=False, resize=cv2.resize)


def _reduced(bitmap: np.ndarray) -> np.ndarray:
    longest = max(bitmap.shape)
    if longest <= LARGEST:
        return bitmap
    height, width = (max(side * LARGEST // longest, 1) for side in bitmap.shape)
    return cv2.resize(bitmap, (width, height), interpolation=cv2.INTER_AREA)


# ---------------------------------------------------------------------------------------------
# Online


def _read_pot(source: CasiaFile, raw: np.ndarray, size: int) -> Samples:
    offsets, tags, drawings, rejects = [], [], [], []
    for offset, length, tag, count in _headers(source, raw, _POT):
        pairs = raw[offset + _POT.size : offset + length]
        pairs = pairs.view("<i2").reshape(-1, 2) if length % 4 == 0 else pairs[:0].reshape(0, 2)
        if length < _POT_LEAST or not len(pairs) or tuple(pairs[-1]) != _SAMPLE_END:
            raise DataError(
                f"{source}: offset {offset}: expected points of 4 bytes up to (-1, -1) at the end "
                f"of a sample of {length} bytes, found something else"
            )
        drawing = _strokes(pairs[:-1], count)
        if isinstance(drawing, str):
            rejects.append(Reject(str(source), offset, drawing))
            continue
        offsets.append(offset)
        tags.append(tag)
        drawings.append(drawing)
    tags, straight = _ordered(tags)
    good, codepoints, unknown = _labels(source, np.array(offsets), tags)
    kept = [drawings[k] for k in np.flatnonzero(good)]
    strokes = [points for points, _ in kept]
    ends = np.concatenate([[0], *(ends for _, ends in kept)])
    starts = np.cumsum([0] + [len(points) for points in strokes])
    counts = np.array([len(ends) for _, ends in kept], np.int64)
    ends[1:] += np.repeat(starts[:-1], counts)
    ink = pen.fitted(
        np.concatenate([np.empty((0, 2)), *strokes]), ends, np.cumsum(np.append(0, counts))
    )
    return Samples(
        codepoints,
        source.writer_group,
        pen.drawn(ink, size),
        rejects=sorted(rejects + unknown, key=lambda reject: reject.offset),
        errata={"tag bytes not swapped": len(tags)} if straight else {},
        pen=ink,
    )


def _strokes(pairs: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray] | str:
    """Points (n, 2) and where each stroke ends among them (count,); or what is wrong."""
    marks = pairs[:, 0] == _STROKE_END[0]
    marks &= (pairs[:, 1] == _STROKE_END[1]) | (pairs[:, 1] == _SAMPLE_END[1])
    at = np.flatnonzero(marks)
    if (pairs[at, 1] == _SAMPLE_END[1]).any():
        return "expected one end of the sample, found (-1, -1) before it"
    if len(at) != count or not count or at[-1] != len(pairs) - 1:
        return f"expected {count} strokes that end with (-1, 0), found {len(at)} such ends"
    ends = at - np.arange(count)
    if (np.diff(ends, prepend=0) == 0).any():
        return "expected points in every stroke, found a stroke without"
    return pairs[~marks], ends


def _ordered(tags: list[bytes]) -> tuple[list[bytes], bool]:
    """Tags with the high byte first, and whether they stood so in the file.

    The database's page says that the two bytes are swapped, and readers disagree. Both orders
    make GB codes; in the wrong one, every seventh falls into a row of GB 2312 that is empty.
    """
    swapped = [tag[1::-1] + tag[2:] for tag in tags]
    score = [sum(_character(tag, "gb2312") > 0 for tag in each) for each in (swapped, tags)]
    return (tags, True) if score[1] > score[0] else (swapped, False)
