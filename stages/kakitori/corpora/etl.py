"""Files of the ETL Character Database, read: labels, writer groups, models, errata.

What differs between the sets is in database.py; what differs between kinds of code is here.
"""

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from kakitori.corpora import archives
from kakitori.corpora.records.database import MNEMONICS, SETS, Set, set_name
from kakitori.corpora.records.layouts import LAYOUTS, Layout, decode, decode_halved, field
from kakitori.corpora.source import CHUNK, Reject, Samples
from kakitori.errors import DataError
from kakitori.reading.characters import charset
from kakitori.reading.normalising import images

# ---------------------------------------------------------------------------------------------
# Labels

_STORED_SMALL = {0xA8: "ヰ", 0xAA: "ヱ"}  # JIS X 0201 lacks them; no genuine small kana was written
# Of a file's records; with more of them it is no such file. Readers report a whole class of ETL6
# without a code, one of ten in its file.
MOST_REJECTS = 0.5


def x0201_labels(
    raw: np.ndarray, layout: Layout, hiragana: bool
) -> tuple[np.ndarray, dict[str, int]]:
    """Code points int32 (N,) of records whose code is JIS X 0201, 0 where none can be told, and
    what had to be corrected."""
    codes = field(raw, layout, "code")
    table = charset.jisx0201_table().copy()
    for code, character in _STORED_SMALL.items():
        table[code] = ord(character)
    labels = table[codes]
    errata = {}
    if "mnemonic" in layout.fields and layout.fields["mnemonic"][0] == "a":
        # Only where readers found the code to be wrong: empty, or ( and ) exchanged.
        suspect = np.flatnonzero((codes == 0) | (codes == 0x28) | (codes == 0x29))
        mnemonics = [m.decode("ascii", "replace") for m in field(raw[suspect], layout, "mnemonic")]
        by_mnemonic = np.array([ord(MNEMONICS.get(m.ljust(2), "\0")) for m in mnemonics], np.int32)
        empty = (codes[suspect] == 0) & (by_mnemonic > 0)
        swapped = (codes[suspect] > 0) & np.isin(by_mnemonic, (0x28, 0x29))
        swapped &= by_mnemonic != codes[suspect]
        labels[suspect[empty | swapped]] = by_mnemonic[empty | swapped]
        errata = {
            "code empty, read from the mnemonic": int(empty.sum()),
            "parentheses exchanged, read from the mnemonic": int(swapped.sum()),
        }
    if hiragana:
        kana = (labels >= ord("ァ")) & (labels <= ord("ヶ"))
        labels = np.where(kana, labels - 0x60, labels)
    return labels.astype(np.int32), {k: v for k, v in errata.items() if v}


def read_co59(path: Path) -> np.ndarray:
    """Code points int32 (4096,) of the 12-bit CO-59 codes, 0 where there is none or the official
    table marks the position unreadable (▲).

    `path` is the official table `euc_co59.dat`: EUC-JP, entries `character:first,second`.
    """
    try:
        entries = path.read_bytes().decode("euc_jp").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: expected the official CO-59 table euc_co59.dat in EUC-JP, found: {error}"
        ) from None
    table = np.zeros(4096, np.int32)
    for entry in entries:
        match = re.fullmatch(r"(.):(\d+),(\d+)", entry)
        if not match or not (int(match[2]) < 64 and int(match[3]) < 64):
            raise DataError(f"{path}: expected entries character:first,second, found {entry!r}")
        if match[1] != "▲":
            character = unicodedata.normalize("NFKC", match[1])
            table[int(match[2]) << 6 | int(match[3])] = ord(character[0])
    if not table.any():
        raise DataError(f"{path}: expected the CO-59 codes, found none")
    return table


# ---------------------------------------------------------------------------------------------
# Reading


@dataclasses.dataclass(frozen=True)
class EtlFile:
    """One file of an ETL set, in a folder or in a zip: a `source.Source`."""

    corpus: str
    name: str  # of the set
    number: int  # of the file inside its set, from 1
    entry: archives.File
    co59: Path | None = None  # where the table of ETL2's codes is looked for

    @property
    def set(self) -> Set:
        return SETS[self.name]

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.set.layout]

    @property
    def file(self) -> str:
        return self.set.files[self.number - 1]

    def __str__(self) -> str:
        return str(self.entry)

    def files(self) -> list[archives.File]:
        return [self.entry]

    def offset(self, record: int, name: str = "") -> int:
        """Where a record's field stands in the file, in bytes; records count without the dummy."""
        within = self.layout.fields[name][1] // 8 if name else 0
        return (record + self.set.dummy) * self.layout.record + within

    def raw(self) -> np.ndarray:
        """The records as bytes uint8 (N, record), without the dummy; a memory map where the file is
        no zip member.

        Raises DataError for a length that is no multiple of the record's, or a dummy that is not
        all zero.
        """
        length = self.layout.record
        data = self.entry.read()
        if not len(data) or len(data) % length:
            whole = len(data) // length
            raise DataError(
                f"{self}: offset {whole * length}: expected records of {length} bytes, found "
                f"{len(data)} bytes in all, which is {whole} records and {len(data) % length} "
                f"bytes over: truncated, or no {self.corpus} file"
            )
        records = data.reshape(-1, length)
        if not self.set.dummy:
            return records
        if records[0].any():
            raise DataError(
                f"{self}: offset 0: expected an all-zero dummy record, found data; is this really "
                f"{self.corpus}?"
            )
        if len(records) == 1:
            raise DataError(f"{self}: offset {length}: expected records, found the dummy alone")
        return records[1:]

    def read(self, size: int) -> Samples:
        raw = self.raw()
        labels, errata = self.labels(raw)
        models = np.zeros(len(raw), bool)
        if self.set.writer == "set":
            numbers, models = self.set_numbers(labels)
            groups = _named(numbers, lambda n: f"{self.set.family}/set{n:03d}")
        elif self.set.writer == "sheet":
            sheets = field(raw, self.layout, "sheet")
            groups = _named(sheets, lambda n: f"{self.name}/sheet{n:05d}")
        elif self.set.writer == "person":
            groups = self._persons(raw)
        else:
            groups = np.full(len(raw), "", object)
        kept, rejects = self._rejected(raw, labels)
        if "sheet" in self.layout.fields:
            sheets = field(raw, self.layout, "sheet").astype(np.int32)
            errata |= self._uneven(sheets) if self.set.writer in ("sheet", "person") else {}
        else:
            sheets = np.full(len(raw), -1, np.int32)
        if "quality" in self.layout.fields:
            quality = field(raw, self.layout, "quality").clip(max=32767).astype(np.int16)
        else:
            quality = np.full(len(raw), -1, np.int16)
        if "scanned" in self.layout.fields and self.set.layout[0] == "G":
            month = field(raw, self.layout, "scanned") % 100
            errata["scan date that is no year and month"] = int(((month < 1) | (month > 12)).sum())
            serial = field(raw, self.layout, "serial") - 1
            counted = np.arange(len(raw))
            here = counted - np.searchsorted(numbers, numbers)  # within the set
            irregular = (serial != counted) & (serial != here)
            errata["serial number that counts neither file nor set"] = int(irregular.sum())
        return Samples(
            codepoint=labels[kept],
            writer_group=groups[kept],
            chunks=self._images(raw, kept, size),
            sheet=sheets[kept],
            quality=quality[kept],
            is_model_sheet=models[kept],
            rejects=rejects,
            errata={reason: count for reason, count in errata.items() if count},
        )

    def labels(self, raw: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        """Code points int32 (N,), 0 where the record has none that can be, and what had to be
        corrected. DataError for a code outside JIS X 0208 where the set's codes are that."""
        if self.set.code == "X0201":
            return x0201_labels(raw, self.layout, self.set.hiragana)
        codes = field(raw, self.layout, "code")
        if self.set.code == "CO-59":
            if not self.co59 or not self.co59.is_file():
                raise DataError(
                    f"{self.co59}: expected the official table of CO-59 codes, which {self.corpus} "
                    "needs, found no file; put euc_co59.dat there or beside the set's files, or "
                    "take the set out of data.corpora"
                )
            return read_co59(self.co59)[codes], {}
        ours = self.set.code == "X0213"
        labels = (charset.alphabet_table() if ours else charset.jis_table())[codes]
        inventory = np.array([ord(c) for c in charset.etl_positions(self.name)])
        wrong = np.flatnonzero(~np.isin(labels, inventory))
        if len(wrong):
            kind = "a JIS X 0208 code" if labels[wrong[0]] == 0 else f"a character of {self.name}"
            raise DataError(
                f"{self}: offset {self.offset(wrong[0], 'code')}: expected {kind}, found "
                f"0x{codes[wrong[0]]:04X} ({len(wrong)} such records): damaged, or a record of "
                "another set"
            )
        return labels, {}

    def set_numbers(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The number of the set that each record belongs to, int32 (N,), from its position alone,
        and whether it belongs to the printed models, bool (N,).

        Sheet and serial numbers are not used: those of the official ETL9G samples are irregular.

        Raises DataError for a code that comes twice within a set, or a set cut short.
        """
        ordered = self._class_major if self.set.sets_per_file == 0 else self._set_major
        return ordered(labels)

    def _set_major(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One set after the other: a set ends where its first code comes again."""
        most = self.set.sets_per_file
        starts = np.flatnonzero(labels == labels[0])
        lengths = np.diff(np.append(starts, len(labels)))
        first = most * (self.number - 1) + 1
        expected = np.sort(labels[: lengths[0]])
        for k, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            here = labels[start : start + length]
            unique, at, counts = np.unique(here, return_index=True, return_counts=True)
            if (counts > 1).any():
                twice = unique[counts > 1][0]
                again = start + np.flatnonzero(here == twice)[1]
                raise DataError(
                    f"{self}: offset {self.offset(again)}: expected every code once in set "
                    f"{first + k}, found U+{twice:04X} {chr(twice)} again"
                )
            if length != len(expected):
                raise DataError(
                    f"{self}: offset {self.offset(start)}: expected {len(expected)} records in set "
                    f"{first + k}, found {length}"
                )
            if (unique != expected).any():
                other = np.flatnonzero(~np.isin(unique, expected))[0]
                raise DataError(
                    f"{self}: offset {self.offset(start + at[other])}: expected the same codes in "
                    f"every set, found U+{unique[other]:04X} {chr(unique[other])} in set "
                    f"{first + k} alone"
                )
        # The models follow the last set of the last file; some distributions halve that file.
        last = self.number == len(self.set.files)
        model_file = self.name == "ETL8G" and last
        with_models = self.name == "ETL9B" and last and len(starts) in (most + 1, most // 2 + 1)
        if len(starts) > most + with_models or (model_file and len(starts) > 1):
            raise DataError(
                f"{self}: expected at most {1 if model_file else most} sets in a file, found "
                f"{len(starts)}"
            )
        numbers = np.arange(first, first + len(starts), dtype=np.int32)
        if with_models and len(starts) == most // 2 + 1:
            numbers += most // 2  # the second half: the models stand at the end of all
        is_model = np.zeros(len(starts), bool)
        is_model[-1] = with_models or model_file
        return np.repeat(numbers, lengths), np.repeat(is_model, lengths)

    def _class_major(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All samples of one character after those of another, each in the order of the sets.

        Codes rise, but where the models begin in the last file, which go through them once more.
        """
        codes = _jis_codes(labels)
        falls = np.flatnonzero(np.diff(codes) < 0) + 1
        models = falls[0] if len(falls) else len(codes)
        last = self.number == len(self.set.files)
        if len(codes) > models and (not last or (np.diff(codes[models:]) <= 0).any()):
            at = models if not last else models + 1 + np.argmax(np.diff(codes[models:]) <= 0)
            raise DataError(
                f"{self}: offset {self.offset(at, 'code')}: expected rising codes, found "
                f"0x{codes[at]:04X} after 0x{codes[at - 1]:04X}"
            )
        starts = np.flatnonzero(np.diff(codes[:models], prepend=-1))
        lengths = np.diff(np.append(starts, models))
        odd = np.flatnonzero(lengths != np.bincount(lengths).argmax())
        if len(odd):
            at, length = starts[odd[0]], lengths[odd[0]]
            raise DataError(
                f"{self}: offset {self.offset(at)}: expected {np.bincount(lengths).argmax()} "
                f"records of each character one after the other, found {length} of "
                f"{chr(labels[at])}"
            )
        sets = lengths[0] if len(lengths) else 0
        if sets > self.set.writers:
            raise DataError(
                f"{self}: expected at most {self.set.writers} records of each character, found "
                f"{sets}"
            )
        numbers = np.full(len(codes), self.set.writers + 1, np.int32)
        numbers[:models] = np.arange(models) - np.repeat(starts, lengths) + 1
        return numbers, np.arange(len(codes)) >= models

    def _persons(self, raw: np.ndarray) -> np.ndarray:
        keys = np.zeros(len(raw), np.int64)
        names = ("collected", "sex", "age", "industry", "occupation")
        columns = np.stack([field(raw, self.layout, name) for name in names], 1)
        unique, keys = np.unique(columns, axis=0, return_inverse=True)
        return _named(
            keys.ravel(),
            lambda k: self.name + "/{:06d}-{:d}-{:02d}-{:04d}-{:04d}".format(*unique[k]),
        )

    def _rejected(self, raw: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, list[Reject]]:
        """Which records are used, bool (N,), and why the others are not."""
        if self.set.code == "CO-59":
            kept = labels > 0
            expected = "a code of the CO-59 table that is readable"
        elif self.set.code == "X0201":
            inventory = np.array([ord(c) for c in charset.etl_positions(self.name)])
            if self.name == "ETL6":  # no page lists its symbols: any that is none of a script
                symbols = [c for c in charset.jisx0201_table() if charset.script(c) == "symbol"]
                inventory = np.union1d(inventory, symbols)
            kept = np.isin(labels, inventory) & (labels > 0)
            expected = f"a character of {self.name}"
        else:
            return np.ones(len(raw), bool), []
        bad = np.flatnonzero(~kept)
        if len(bad) > max(MOST_REJECTS * len(raw), 1):
            raise DataError(
                f"{self}: offset {self.offset(bad[0], 'code')}: expected {expected}, found "
                f"{len(bad)} records of {len(raw)} with another code: damaged, or no {self.name} "
                "file"
            )
        codes = field(raw[bad], self.layout, "code")
        return kept, [
            Reject(str(self), self.offset(k, "code"), f"expected {expected}, found 0x{code:02X}")
            for k, code in zip(bad.tolist(), codes.tolist(), strict=True)
        ]

    def _uneven(self, sheets: np.ndarray) -> dict[str, int]:
        """Sheets with fewer samples than the file's others: cut short, or known to lack some."""
        unique, counts = np.unique(sheets, return_counts=True)
        fewer = unique[counts < counts.max()]
        if not len(fewer):
            return {}
        shown = ", ".join(map(str, fewer[:3].tolist())) + (", …" if len(fewer) > 3 else "")
        return {f"{self.file}: sheets with fewer samples than its others ({shown})": len(fewer)}

    def _images(self, raw: np.ndarray, kept: np.ndarray, size: int) -> Iterator[images.Normalised]:
        layout = self.layout
        halved = layout.bits == 4 and size * 2 <= layout.width
        for start in range(0, len(raw), CHUNK):
            packed = raw[start : start + CHUNK, layout.packed]
            here = kept[start : start + CHUNK]
            if not here.all():
                packed = packed[here]
            if len(packed):
                frames = (decode_halved if halved else decode)(packed, layout)
                yield images.measured(frames, size, resize=cv2.resize)


def _named(keys: np.ndarray, name: Callable[[int], str]) -> np.ndarray:
    """Names of keys, object (N,); each is made once."""
    unique, inverse = np.unique(keys, return_inverse=True)
    return np.array([name(k) for k in unique.tolist()], object)[inverse]


def _jis_codes(labels: np.ndarray) -> np.ndarray:
    table = charset.jis_table()
    codes = np.flatnonzero(table)
    order = np.argsort(table[codes])
    return codes[order][np.searchsorted(table[codes], labels, sorter=order)]


_LIKE_A_FILE = re.compile(r"ETL\d+\w*([-_]\w+)?", re.IGNORECASE | re.ASCII)


def is_official(file: archives.File) -> bool:
    """Whether a file without records comes with the sets: ETLnINFO, or the table of CO-59."""
    return file.base.upper().endswith("INFO") or file.base.lower() == "euc_co59.dat"


def missing(files: list[EtlFile]) -> str:
    """The names of a set's files that are not among `files`, neighbours as `ETL9G_03…ETL9G_07`."""
    names, numbers = files[0].set.files, {file.number for file in files}
    absent = [k for k in range(len(names)) if k + 1 not in numbers]
    runs = [
        [k for _, k in run]
        for _, run in itertools.groupby(enumerate(absent), lambda p: p[1] - p[0])
    ]
    return ", ".join("…".join(dict.fromkeys((names[run[0]], names[run[-1]]))) for run in runs)


def sources(path: Path, corpus: str, co59: Path) -> list[EtlFile]:
    """The files of an ETL set, in the order of their numbers.

    Parameters
    ----------
    path : a folder (searched with its subfolders) or an archive.
    corpus : as data.corpora names it; ends with the set's name.
    co59 : where the table of ETL2's codes is, unless it lies beside the set's files.

    What lies beside them (the official sample code writes PNG, TXT and CSV files there) is left
    alone. Raises DataError for a file of another set, one that comes twice, or none at all.
    """
    name = set_name(corpus.rpartition("/")[2])
    numbers = {file.upper(): k + 1 for k, file in enumerate(SETS[name].files)}
    expected = f"{SETS[name].files[0]}…{SETS[name].files[-1]}"
    files: dict[int, EtlFile] = {}
    for entry in archives.files(path):
        number = numbers.get(entry.base.upper().replace("-", "_"))
        if entry.base.lower() == "euc_co59.dat" and path.is_dir():
            co59 = path / entry.name
        elif not number and _LIKE_A_FILE.fullmatch(entry.base) and not is_official(entry):
            raise DataError(
                f"{entry}: expected {expected} or an INFO file in corpus {corpus}, found "
                f"{entry.base!r}, which is no file of this set"
            )
        elif not number:
            pass
        elif number in files:
            raise DataError(
                f"{entry}: expected file {number} of {corpus} once, found it also at "
                f"{files[number]}"
            )
        else:
            files[number] = EtlFile(corpus, name, number, entry)
    if not files:
        raise DataError(f"{path}: expected {expected} of corpus {corpus}, found no such file")
    return [dataclasses.replace(files[n], co59=co59) for n in sorted(files)]
