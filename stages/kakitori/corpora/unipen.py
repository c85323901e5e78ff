"""UNIPEN 1.0: pen trajectories as text, the form in which HANDS-kuchibue can be had.

Guyon, Schomaker, Plamondon, Liberman and Janet, "UNIPEN project of on-line data exchange and
recognizer benchmarks", ICPR 1994; the definition is `unipen.def` of the UNIPEN foundation:

- a keyword stands in the first column, a dot and capitals; what follows is its arguments, free of
  line ends;
- components are the .PEN_DOWN and .PEN_UP streams that are not empty, numbered from 0 in every
  file and after every .START_SET;
- .SEGMENT type delineation quality "label"; the delineation `1:40-3,5,6:0-6:12` takes component 1
  from point 40 on, all of 2, 3 and 5, and points 0 to 12 of component 6.

The definition allows ASCII labels only, so that Japanese files each have a way of their own.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from kakitori.corpora import archives, pen
from kakitori.corpora.folders import codepoint_of, is_character
from kakitori.corpora.source import Pen, Reject, Samples
from kakitori.errors import DataError
from kakitori.writing.charset import jis_table

LEVELS = (b"CHARACTER", b"CHAR", b"KANJI")  # what the hierarchy may call single characters
MOST = 200  # strokes in one character: more is a wrong delineation, not a character

_HEAD = re.compile(rb"^\.(VERSION|DATA_SOURCE|COORD|SEGMENT|PEN_DOWN|START_SET|INCLUDE)\b", re.M)
_STATEMENT = re.compile(rb"^\.([A-Z][A-Z0-9_]*)", re.M)
_INCLUDE = re.compile(rb"^\.INCLUDE[ \t]+(\S+)", re.M)
_SEGMENT = re.compile(rb"\s*(\S+)\s+(\S+)\s+(\S+)\s*\"(.*)\"\s*", re.S)
_RANGE = re.compile(r"(\d{1,9})(?:(?::(\d{1,9}))?-(\d{1,9})(?::(\d{1,9}))?)?", re.A)
_CODE = re.compile(r"(JISx)?(?:JIS[ :]?)?(?:0x)?([0-9A-Fa-f]{4})(?:_.*)?", re.S)
_ENCODINGS = ("utf-8", "euc_jp", "shift_jis", "iso2022_jp")

_NO_UNIPEN = re.compile(r"\.(png|jpe?g|bmp|webp|gif|tiff?|npz|npy|csv|json|pdf|gnt|pot)$", re.I)
_HANDS_FILE = re.compile(r"(NKY|KUC|MDB)\d+\b.*", re.I)
_HANDS = re.compile(r"nakayosi|kuchibue|ipdb", re.I)


@dataclasses.dataclass(frozen=True)
class Source:
    """One UNIPEN file, with what it includes."""

    corpus: str
    place: archives.File

    @property
    def file(self) -> str:
        return self.place.base

    def __str__(self) -> str:
        return str(self.place)

    def read(self, size: int) -> Samples:
        """All labelled characters; those with a wrong label or delineation are rejected.

        Raises DataError for coordinates that are no numbers, for a file that is included but not
        there, and for a file that delineates no characters at all.
        """
        segments = list(_segments(self.place))
        if not segments:
            raise DataError(f"{self}: expected segments of type CHARACTER, found none")
        codepoints = _codepoints([segment.label for segment in segments])
        kept, drawings, rejects = [], [], []
        for segment, codepoint in zip(segments, codepoints, strict=True):
            if not codepoint:
                label = segment.label.decode("latin-1")
                reason = f"expected the label of one character, found {label!r}"
            else:
                reason, strokes = _delineated(segment.delineation, segment.components)
            if reason:
                rejects.append(Reject(str(segment.file), segment.offset, reason))
            else:
                kept.append((codepoint, segment.writer))
                drawings.append(strokes)
        ink = _ink(drawings)
        unknown = next((s.writer for s in segments if s.writer), PurePosixPath(self.file).stem)
        place = self.corpus.rpartition("/")[2]
        groups = np.array([f"{place}/{writer or unknown}" for _, writer in kept], object)
        return Samples(
            np.array([codepoint for codepoint, _ in kept], np.int32),
            groups,
            pen.drawn(ink, size),
            rejects=rejects,
            pen=ink,
        )


def _ink(drawings: list[list[np.ndarray]]) -> Pen:
    """The strokes of all characters, y down.

    UNIPEN leaves open which way y points (its guidelines count from the bottom, many tablets from
    the top), so the file itself decides: on the whole, Japanese strokes run downwards.
    """
    strokes = [stroke for drawing in drawings for stroke in drawing]
    points = np.concatenate([np.empty((0, 2)), *strokes])
    if sum(stroke[-1, 1] - stroke[0, 1] for stroke in strokes) <= 0:
        points[:, 1] *= -1
    first_point = np.cumsum([0] + [len(stroke) for stroke in strokes])
    return pen.fitted(points, first_point, np.cumsum([0] + [len(d) for d in drawings]))


# ---------------------------------------------------------------------------------------------
# Finding


def sources(path: Path, corpus: str) -> list[Source]:
    """The UNIPEN files in a folder or in archives that no other one includes; else [].

    Raises DataError for the other forms of the HANDS sets.
    """
    everything = archives.files(path)
    files = [file for file in everything if not _NO_UNIPEN.search(file.name)]
    heads = dict(_heads(files))
    found = [file for file in files if _HEAD.search(heads[file])]
    others = [file for file in files if file not in set(found)]
    hands = [file for file in others if _HANDS_FILE.fullmatch(file.base)]
    if not found and len(files) == len(everything):
        hands += [file for file in others if _HANDS.search(f"{path.name}/{file.name}")]
    if hands:
        raise DataError(
            f"{hands[0]}: expected the UNIPEN form of the HANDS sets, found another one; the bytes "
            "of the text, binary and IPDB forms are described nowhere: use the UNIPEN version"
        )
    included = {
        PurePosixPath(name.decode("latin-1").replace("\\", "/")).name
        for file in found
        for name in _INCLUDE.findall(memoryview(file.read()))
    }
    return sorted((Source(corpus, f) for f in found if f.base not in included), key=str)


def _heads(files: list[archives.File]) -> Iterator[tuple[archives.File, bytes]]:
    """The first bytes of every file."""
    for root, group in itertools.groupby(files, lambda file: file.root):
        if root.is_dir():
            for file in group:
                with (root / file.name).open("rb") as stream:
                    yield file, stream.read(4096)
        else:
            names = [file.name for file in group]
            for name, head in archives.read_each(root, names, most=4096):
                yield archives.File(root, name), head


# ---------------------------------------------------------------------------------------------
# Reading


class _Segment(NamedTuple):
    """A character: what the file says of it, and the components of its set (complete at last)."""

    file: archives.File
    offset: int
    delineation: str
    label: bytes
    writer: str
    components: list[tuple[bool, np.ndarray]]  # whether the pen was down, points (n, 2)


def _segments(place: archives.File) -> Iterator[_Segment]:
    components: list[tuple[bool, np.ndarray]] = []
    columns, width, writer = [0, 1], 2, ""
    for file, offset, keyword, text in _statements(place):
        where = f"{file}: offset {offset}"
        if keyword in (b"PEN_DOWN", b"PEN_UP"):
            points = _points(where, text, width)[:, columns]
            if len(points):
                components.append((keyword == b"PEN_DOWN", points))
        elif keyword == b"START_SET":
            components = []
        elif keyword == b"COORD":
            names = text.split()
            if b"X" not in names or b"Y" not in names:
                raise DataError(f"{where}: expected .COORD with X and Y, found {text[:40]!r}")
            columns, width = [names.index(b"X"), names.index(b"Y")], len(names)
        elif keyword == b"WRITER_ID":
            writer = text.decode("utf-8", "replace").strip().strip("?")
        elif keyword == b"SEGMENT" and _is_single(text):
            match = _SEGMENT.fullmatch(text)
            if match:
                yield _Segment(
                    file, offset, match[2].decode("latin-1"), match[4], writer, components
                )
            else:
                yield _Segment(file, offset, "", text[:40], writer, components)


def _statements(
    place: archives.File, within: archives.File | None = None
) -> Iterator[tuple[archives.File, int, bytes, bytes]]:
    """File, offset, keyword and arguments of all statements, those of included files in place."""
    content = place.read().tobytes()
    marks = [*_STATEMENT.finditer(content), None]
    for mark, following in itertools.pairwise(marks):
        text = content[mark.end() : following.start() if following else len(content)]
        if mark[1] != b"INCLUDE":
            yield place, mark.start(), mark[1], text
            continue
        where = f"{place}: offset {mark.start()}"
        if within:
            raise DataError(f"{where}: expected no .INCLUDE in an included file, found {text!r}")
        yield from _statements(_included(place, where, text.decode("latin-1").strip()), place)


def _included(place: archives.File, where: str, name: str) -> archives.File:
    """The file that an .INCLUDE means: beside its own, or below a folder `include` further up."""
    inside = PurePosixPath(name.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in name or "\0" in name:
        raise DataError(
            f"{where}: expected an .INCLUDE inside the corpus, found {name!r}, which climbs out"
        )
    for folder in PurePosixPath(place.name).parents:
        for candidate in (folder / inside, folder / "include" / inside):
            file = archives.File(place.root, candidate.as_posix())
            if file.exists():
                return file
    raise DataError(f"{where}: expected the file {name!r} that it includes, found no such file")


def _points(where: str, text: bytes, width: int) -> np.ndarray:
    """Coordinates as float64 (n, width)."""
    try:
        points = np.fromstring(text, sep=" ") if text.strip() else np.empty(0)
    except ValueError as error:
        raise DataError(f"{where}: expected numbers, found: {error}") from None
    if len(points) % width:
        raise DataError(
            f"{where}: expected {width} coordinates a point, as .COORD says, found {len(points)} "
            "numbers"
        )
    if not (np.abs(points) < 1e9).all():
        raise DataError(f"{where}: expected coordinates of a tablet, found {points}")
    return points.reshape(-1, width)


def _delineated(
    delineation: str, components: list[tuple[bool, np.ndarray]]
) -> tuple[str, list[np.ndarray]]:
    """What is wrong, or "", and the pen-down strokes in the order in which they were drawn."""
    strokes: list[np.ndarray] = []
    for part in delineation.split(","):
        match = _RANGE.fullmatch(part)
        if not match:
            return f"expected a delineation such as 0-2 or 1:40-3,5, found {delineation!r}", []
        first, last = int(match[1]), int(match[3] or match[1])
        if not first <= last < len(components):
            return f"expected some of {len(components)} components, found {delineation!r}", []
        if last - first > 2 * MOST:
            break
        for k in range(first, last + 1):
            down, points = components[k]
            start = int(match[2] or 0) if k == first else 0
            stop = int(match[4] or len(points) - 1) if k == last else len(points) - 1
            if not start <= stop < len(points):
                return f"expected points of the components, found {delineation!r}", []
            if down:
                strokes.append(points[start : stop + 1])
        if len(strokes) > MOST:
            break
    else:
        reason = "" if strokes else f"expected strokes with the pen down, found {delineation!r}"
        return reason, strokes
    return f"expected at most {MOST} strokes, found {delineation!r}", []


# ---------------------------------------------------------------------------------------------
# Labels


def _codepoints(labels: list[bytes]) -> list[int]:
    """Code point of every label, 0 where it is not one character.

    Text is in the encoding that makes single characters of the most labels.
    """
    coded = [_of_code(label) for label in labels]
    text = [_unescaped(label) for label in labels]
    read = [[_of_text(label, encoding) for label in text] for encoding in _ENCODINGS]
    best = max(read, key=lambda codepoints: sum(c > 0 for c in codepoints))
    return [code or character for code, character in zip(coded, best, strict=True)]


def _of_code(label: bytes) -> int:
    """`U+4E9C`; `3021`, `0x3021`, `JIS 3021`; `JISx889f`, as the UNIPEN forum proposed."""
    name = label.decode("latin-1").strip()
    match = _CODE.fullmatch(name)
    if not match:
        return codepoint_of(name) or 0
    code = int(match[2], 16)
    euc = code & 0x8080 == 0x8080 and not match[1]
    jis = int(jis_table()[code & 0x7F7F if euc else code])
    return jis or _of_text(code.to_bytes(2, "big"), "shift_jis")


def _of_text(label: bytes, encoding: str) -> int:
    try:
        (character,) = label.decode(encoding)
    except ValueError:
        return 0
    return ord(character) if is_character(ord(character)) else 0


def _unescaped(label: bytes) -> bytes:
    """Without the backslash before a quote or a backslash; one may also end a Shift_JIS code."""
    label = label.strip()
    return label[1:] if label in (b'\\"', b"\\\\") else label


def _is_single(text: bytes) -> bool:
    words = text.split(maxsplit=1)
    return bool(words) and words[0].upper() in LEVELS
