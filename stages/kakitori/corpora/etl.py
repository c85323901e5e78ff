"""Records of the ETL Character Database: read and written by one table of layouts.

A *layout* says where a record keeps its fields and its image. Everything that differs between
sets is in the table; one decoder per packing turns image bytes into ink.
"""

import dataclasses
import itertools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from kakitori.errors import DAMAGED_ZIP, DataError
from kakitori.writing.charset import jis_table


@dataclasses.dataclass(frozen=True)
class Layout:
    """One ETL set's record. Offsets and lengths in bytes; integers are big-endian."""

    record: int  # bytes
    fields: dict[str, tuple[str, int]]  # name → (NumPy type, offset)
    image: int  # offset
    width: int
    height: int
    bits: int  # per pixel
    file_name: str  # as distributed, with the file's number
    files: int
    sets_per_file: int
    dummy: bool  # every file opens with an all-zero record
    group: str  # what a writer group is called: both renderings of a sheet share one
    model_set: int | None  # number of the set that holds the printed models

    @property
    def dtype(self) -> np.dtype:
        names = [*self.fields, "image"]
        packed = self.width * self.bits // 8 * self.height
        return np.dtype(
            {
                "names": names,
                "formats": [kind for kind, _ in self.fields.values()] + [f"({packed},)u1"],
                "offsets": [offset for _, offset in self.fields.values()] + [self.image],
                "itemsize": self.record,
            }
        )


# The official form sheets of ETL-9G (record 8,199 bytes; its image starts at 64, not at ETL8G's 60)
# and ETL-9B (record 576 bytes).
LAYOUTS = {
    "ETL9G": Layout(
        record=8199,
        fields={
            "sheet": (">u2", 0),
            "jis": (">u2", 2),
            "reading": ("S8", 4),
            "serial": (">u4", 12),
            "quality": ("u1", 16),
            "group_quality": ("u1", 17),
            "sex": ("u1", 18),
            "age": ("u1", 19),
            "industry": (">u2", 20),
            "occupation": (">u2", 22),
            "collected": (">u2", 24),
            "scanned": (">u2", 26),
            "x": ("u1", 28),
            "y": ("u1", 29),
        },
        image=64,
        width=128,
        height=127,
        bits=4,
        file_name="ETL9G_{:02d}",
        files=50,
        sets_per_file=4,
        dummy=False,
        group="ETL9",
        model_set=None,
    ),
    "ETL9B": Layout(
        record=576,
        fields={"sheet": (">u2", 0), "jis": (">u2", 2), "reading": ("S4", 4)},
        image=8,
        width=64,
        height=63,
        bits=1,
        file_name="ETL9B_{:d}",
        files=5,
        sets_per_file=40,
        dummy=True,
        group="ETL9",
        model_set=201,
    ),
}


def decode(packed: np.ndarray, layout: Layout) -> np.ndarray:
    """Image bytes (N, packed) to ink, uint8 (N, height, width), 0 = paper, 255 = full ink."""
    rows = packed.reshape(len(packed), layout.height, -1)
    if layout.bits == 1:
        return np.unpackbits(rows, axis=2) * np.uint8(255)
    pixels = np.empty((*rows.shape, 2), np.uint8)
    np.multiply(rows >> 4, 17, out=pixels[..., 0])
    np.multiply(rows & 0x0F, 17, out=pixels[..., 1])
    return pixels.reshape(len(packed), layout.height, layout.width)


# Half the mean of a byte's two pixels as 8-bit ink: two rows of it add up to the mean of four.
_HALF_MEAN = np.array([((b >> 4) + (b & 15)) * 17 / 4 + 0.25 for b in range(256)], np.uint8)


def decode_halved(packed: np.ndarray, layout: Layout) -> np.ndarray:
    """Like `decode`, at half the resolution: means of 2×2 pixels, (N, ⌈height/2⌉, width/2).

    An odd last row stands for its missing neighbour. One table look-up per byte does half of the
    work, which is why this is not `decode` and a mean.
    """
    rows = cv2.LUT(packed.reshape(-1, packed.shape[1]), _HALF_MEAN)
    rows = rows.reshape(len(packed), layout.height, layout.width // 2)
    even = layout.height // 2 * 2
    halved = np.empty((len(packed), (layout.height + 1) // 2, layout.width // 2), np.uint8)
    np.add(rows[:, 0:even:2], rows[:, 1:even:2], out=halved[:, : even // 2])
    halved[:, even // 2 :] = 2 * rows[:, even:]
    return halved


def encode(levels: np.ndarray, layout: Layout) -> np.ndarray:
    """Scanner levels (N, height, width), 0–15 or 0–1, to image bytes (N, packed)."""
    if layout.bits == 1:
        return np.packbits(levels, axis=2).reshape(len(levels), -1)
    return (levels[:, :, 0::2] << 4 | levels[:, :, 1::2]).reshape(len(levels), -1)


# ---------------------------------------------------------------------------------------------
# Reading


@dataclasses.dataclass(frozen=True)
class Source:
    """One file of an ETL set, in a folder or in a zip."""

    corpus: str
    layout: Layout
    number: int  # of the file inside its set, from 1
    path: Path
    member: str | None = None  # name inside a zip

    def __str__(self) -> str:
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    def records(self) -> np.ndarray:
        """The file's records (N,), without the dummy; a memory map where it is no zip member.

        Raises DataError for a length that is no multiple of the record's, a dummy that is not
        all zero, or a code that is not in JIS X 0208.
        """
        layout = self.layout
        if self.member:
            try:
                with zipfile.ZipFile(self.path) as bundle:
                    raw = np.frombuffer(bundle.read(self.member), np.uint8)
            except DAMAGED_ZIP as error:
                raise DataError(f"{self}: expected a readable zip member, found: {error}") from None
        else:
            length = self.path.stat().st_size
            raw = np.memmap(self.path, np.uint8, "r") if length else np.empty(0, np.uint8)
        if not len(raw) or len(raw) % layout.record:
            whole = len(raw) // layout.record
            raise DataError(
                f"{self}: offset {whole * layout.record}: expected records of {layout.record} "
                f"bytes, found {len(raw)} bytes in all, which is {whole} records and "
                f"{len(raw) % layout.record} bytes over: truncated, or no {self.corpus} file"
            )
        records = raw.view(layout.dtype)
        if layout.dummy:
            if raw[: layout.record].any():
                raise DataError(
                    f"{self}: offset 0: expected an all-zero dummy record, found data; "
                    f"is this really {self.corpus}?"
                )
            records = records[1:]
            if not len(records):
                raise DataError(
                    f"{self}: offset {layout.record}: expected records, found the dummy alone"
                )
        codes = records["jis"].astype(np.int64)
        wrong = np.flatnonzero(jis_table()[codes] == 0)
        if len(wrong):
            offset = (int(wrong[0]) + layout.dummy) * layout.record + layout.fields["jis"][1]
            raise DataError(
                f"{self}: offset {offset}: expected a JIS X 0208 code, found "
                f"0x{codes[wrong[0]]:04X} ({len(wrong)} such records)"
            )
        return records


def find_sources(root: Path, corpus: str) -> list[Source]:
    """The files of one corpus in the order of their numbers.

    Parameters
    ----------
    root : the data folder.
    corpus : "synthetic/ETL9G", "raw/ETL9B", …: a folder of that name, or a zip beside it.
    """
    place, _, name = corpus.partition("/")
    if place not in ("synthetic", "raw") or name not in LAYOUTS:
        known = ", ".join(f"{p}/{n}" for p in ("synthetic", "raw") for n in LAYOUTS)
        raise DataError(f"data.corpora: expected one of {known}, found {corpus!r}")
    folder, archive = root / place / name, root / place / f"{name}.zip"
    layout = LAYOUTS[name]
    expected = f"{layout.file_name.format(1)}…{layout.file_name.format(layout.files)}"
    if folder.is_dir():
        found = [(p.name, p, None) for p in sorted(folder.iterdir()) if p.is_file()]
        where = folder
    elif archive.is_file():
        found = [(PurePosixPath(m).name, archive, m) for m in _members(archive)]
        where = archive
    else:
        raise DataError(
            f"{folder}: expected the files {expected} of corpus {corpus} (or {archive}), found "
            "nothing; unpack the set there, or take it out of data.corpora"
        )
    pattern = re.compile(re.sub(r"\\{.*?\\}", r"(\\d+)", re.escape(layout.file_name)))
    sources = []
    for base, path, member in found:
        match = pattern.fullmatch(base)
        if match and 1 <= int(match[1]) <= layout.files:
            sources.append(Source(corpus, layout, int(match[1]), path, member))
        elif not (base.endswith("INFO") or base.startswith(".")):
            raise DataError(
                f"{path}{f': {member}' if member else ''}: expected {expected} or an INFO file "
                f"in corpus {corpus}, found {base!r}, which is no file of this set"
            )
    if not sources:
        raise DataError(f"{where}: expected {expected} of corpus {corpus}, found no such file")
    sources.sort(key=lambda s: s.number)
    for a, b in itertools.pairwise(sources):
        if a.number == b.number:
            raise DataError(f"{b}: expected file {b.number} of {corpus} once, found it also at {a}")
    return sources


def _members(archive: Path) -> Iterator[str]:
    """Files in a zip; refuses a name that leads out of the folder it would be unpacked to."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            names = sorted(i.filename for i in bundle.infolist() if not i.is_dir())
    except DAMAGED_ZIP as error:
        raise DataError(f"{archive}: expected a zip archive, found: {error}") from None
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", name):
            raise DataError(
                f"{archive}: expected names inside the archive's own folder, found {name!r}, "
                "which climbs out of it"
            )
    yield from names


def set_numbers(records: np.ndarray, source: Source) -> np.ndarray:
    """The number of the set that each record belongs to, int32 (N,), from its position alone.

    A set ends where its first code comes again. Sheet and serial numbers are not used: those of
    the official ETL9G samples are irregular.

    Raises DataError for a code that comes twice within a set, or a set cut short.
    """
    codes = records["jis"]
    starts = np.flatnonzero(codes == codes[0])
    lengths = np.diff(np.append(starts, len(codes)))
    per_set = lengths[0]
    header = int(source.layout.dummy)
    first = source.layout.sets_per_file * (source.number - 1) + 1
    for k, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        unique, counts = np.unique(codes[start : start + length], return_counts=True)
        if (counts > 1).any():
            twice = unique[counts > 1][0]
            at = np.flatnonzero(codes[start : start + length] == twice)[1] + start
            raise DataError(
                f"{source}: offset {(at + header) * source.layout.record}: expected every code "
                f"once in set {first + k}, found 0x{twice:04X} again"
            )
        if length != per_set:
            raise DataError(
                f"{source}: offset {(start + header) * source.layout.record}: expected "
                f"{per_set} records in set {first + k}, found {length}"
            )
    if len(starts) > source.layout.sets_per_file + (source.layout.model_set is not None):
        raise DataError(
            f"{source}: expected at most {source.layout.sets_per_file} sets in a file, found "
            f"{len(starts)}"
        )
    return np.repeat(np.arange(first, first + len(starts), dtype=np.int32), lengths)


# ---------------------------------------------------------------------------------------------
# Writing

FORM = 152  # samples on one form, in 16 columns
COLUMNS = 16
FORMS = 20  # of a complete ETL9 set
COLLECTED = 8212  # YYMM, as in the official ETL9G samples

# Where the official documents leave something open, this is what our own files hold:
#   sheet numbers of a file's 2nd to 4th set   go on counting (21…80), as the English page suggests
#   serial data number                         counts the records of the file from 1
#   place of the hiragana on a form            its last fields
#   scan date                                  the collection date
#   readings of kanji                          blank
#   undefined bytes, evaluations               zero


def sheet_order(jis: np.ndarray) -> np.ndarray:
    """Order in which a set's characters stand on its forms: indices into `jis`.

    Kanji in JIS order with the hiragana spread evenly over the forms, as in ETL9G.
    """
    order = np.argsort(jis, kind="stable")
    is_kana = jis[order] < 0x3021
    kana, kanji = order[is_kana].tolist(), order[~is_kana].tolist()
    total, placed, kana_placed = len(jis), 0, 0
    result: list[int] = []
    while placed < total:
        on_form = min(FORM, total - placed)
        kana_by_now = len(kana) * (placed + on_form) // total
        kana_here = kana_by_now - kana_placed
        kanji_start = placed - kana_placed
        result += kanji[kanji_start : kanji_start + on_form - kana_here]
        result += kana[kana_placed:kana_by_now]
        placed, kana_placed = placed + on_form, kana_by_now
    return np.array(result)


def etl9g_set(levels: np.ndarray, jis: np.ndarray, readings: list[str], place: int) -> np.ndarray:
    """One set as ETL9G records, in sheet order.

    Parameters
    ----------
    levels : uint8 (C, 127, 128), scanner levels 0–15, in the order of `jis`.
    jis : int (C,) JIS codes.
    readings : the "typical reading" of each character.
    place : of this set in its file, 0–3.
    """
    layout = LAYOUTS["ETL9G"]
    order = sheet_order(jis)
    position = np.arange(len(order))
    records = np.zeros(len(order), layout.dtype)
    records["sheet"] = FORMS * place + position // FORM + 1
    records["jis"] = jis[order]
    records["reading"] = [readings[i].encode("ascii").ljust(8)[:8] for i in order]
    records["serial"] = place * len(order) + position + 1
    records["collected"] = records["scanned"] = COLLECTED
    records["x"] = position % FORM % COLUMNS
    records["y"] = position % FORM // COLUMNS
    records["image"] = encode(levels[order], layout)
    return records


def etl9b_set(gray: np.ndarray, number: int) -> np.ndarray:
    """The ETL9B rendering of an ETL9G set: halved, thresholded, sorted into JIS order.

    Threshold T = λ·h + (1 − λ)·μ with λ = 0.4, h = Otsu's threshold (Otsu 1979) and μ the mean
    level, as the official ETL9B description gives it. The halving is ours: means of 2×2 pixels.

    Parameters
    ----------
    gray : ETL9G records (C,) of one set.
    number : of the set, from 1; sheets count on over all sets.
    """
    layout = LAYOUTS["ETL9B"]
    halves = decode(gray["image"], LAYOUTS["ETL9G"])[:, :126].astype(np.uint16)
    halves = halves.reshape(len(gray), 63, 2, 64, 2).sum((2, 4)) // 4 // 17
    threshold = 0.4 * _otsu(halves) + 0.6 * halves.mean((1, 2))
    records = np.zeros(len(gray), layout.dtype)
    records["sheet"] = FORMS * (number - 1) + np.arange(len(gray)) // FORM + 1
    records["jis"] = gray["jis"]
    records["reading"] = [reading.ljust(4)[:4] for reading in gray["reading"].tolist()]
    records["image"] = encode(halves > threshold[:, None, None], layout)
    order = np.argsort(records["jis"], kind="stable")
    # As bytes: indexing a structured array leaves the bytes between its fields undefined.
    return records.view(np.uint8).reshape(len(records), -1)[order].view(layout.dtype)[:, 0]


def _otsu(levels: np.ndarray) -> np.ndarray:
    """Otsu's threshold of each image of 16 levels, float (N,)."""
    flat = levels.reshape(len(levels), -1)
    histogram = np.stack([(flat == level).sum(1) for level in range(16)], 1) / flat.shape[1]
    weight = histogram.cumsum(1)
    mean = (histogram * np.arange(16)).cumsum(1)
    total = mean[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total * weight - mean) ** 2 / (weight * (1 - weight))
    return np.nan_to_num(between).argmax(1).astype(float)
