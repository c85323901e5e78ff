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

UNIPEN's own sets keep labels and ink apart: `data/1a/apa/apa00/app0032.dat` has the segments and
says `.INCLUDE apa/data/apa00/app0032.dat`, which is below `include/` and has the ink; `.doc` files
beside them describe writers and tablets.
"""

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from kakitori.corpora import archives, pen
from kakitori.corpora.source import Pen, Reject, Samples
from kakitori.errors import DataError, is_shortage
from kakitori.reading.characters.charset import jis_table
from kakitori.reading.normalising.tree import codepoint_of, is_character, shown

# What the hierarchy may call single characters.
LEVELS = (b"CHARACTER", b"CHAR", b"KANJI", b"DIGIT", b"LETTER")
MOST = 200  # strokes in one character: more is a wrong delineation, not a character
# What a file can mean: a point is part of a character, of another reading of it, of its neighbour.
MOST_SHARED = 8  # characters that a point is part of, on the mean
FEW_POINTS = 1_000_000  # of all characters of a file, which may be shared as they like
MOST_INCLUDES = 1_000  # statements, those in included files among them
DEEPEST = 16  # includes in includes

_HEAD = re.compile(rb"^\.(VERSION|DATA_SOURCE|COORD|SEGMENT|PEN_DOWN|START_SET|INCLUDE)\b", re.M)
_STATEMENT = re.compile(rb"^\.([A-Z][A-Z0-9_]*)", re.M)
_INCLUDE = re.compile(rb"^\.INCLUDE[ \t]+(\S+)", re.M)
_CHARACTERS = re.compile(rb"^\.SEGMENT\s+(" + b"|".join(LEVELS) + rb")\s", re.M | re.I)
_SEGMENT = re.compile(rb"\s*(\S+)\s+(\S+)\s+(\S+)\s*\"(.*)\"\s*", re.S)
_RANGE = re.compile(r"(\d{1,9})(?:(?::(\d{1,9}))?-(\d{1,9})(?::(\d{1,9}))?)?", re.A)
_CODE = re.compile(r"(JISx)?(?:JIS[ :]?)?(?:0x)?([0-9A-Fa-f]{4})(?:_.*)?", re.S)
_ENCODINGS = ("utf-8", "euc_jp", "shift_jis", "iso2022_jp")

_NO_UNIPEN = re.compile(r"\.(png|jpe?g|bmp|webp|gif|tiff?|npz|npy|csv|json|pdf|gnt|pot)$", re.I)
_HANDS_FILE = re.compile(r"(NKY|KUC|MDB)\d+\b.*", re.I)
_HANDS = re.compile(r"nakayosi|kuchibue|ipdb", re.I)


@dataclasses.dataclass(frozen=True)
class UnipenFile:
    """One UNIPEN file, with what it includes."""

    corpus: str
    place: archives.File
    included: tuple[archives.File, ...] = ()

    @property
    def file(self) -> str:
        return shown(self.place.base)

    def __str__(self) -> str:
        return str(self.place)

    def files(self) -> list[archives.File]:
        return [self.place, *self.included]

    def read(self, size: int) -> Samples:
        """All labelled characters; those with a wrong label or delineation are rejected.

        Raises DataError for coordinates that are no numbers, for a file that is included but not
        there, and for a file that delineates no characters at all, or more than there is ink for.
        """
        segments = list(_segments(self.place))
        if not segments:
            raise DataError(f"{self}: expected segments of type CHARACTER, found none")
        codepoints = _codepoints([segment.label for segment in segments])
        kept, drawings, rejects = [], [], []
        sets = {id(segment.components): segment.components for segment in segments}
        there = sum(len(points) for components in sets.values() for _, points in components)
        taken, most = 0, max(MOST_SHARED * there, FEW_POINTS)
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
                taken += sum(map(len, strokes))
            if taken > most:
                raise DataError(
                    f"{segment.file}: offset {segment.offset}: expected segments that share few "
                    f"points, {most:,} in all of the {there:,} that there are, found more"
                )
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


def sources(path: Path, corpus: str) -> list[UnipenFile]:
    """The UNIPEN files in a folder or in archives that have segments of characters and that no
    other one includes; else [].

    Raises DataError for the other forms of the HANDS sets, where no file delineates characters, and
    for files that include each other in a circle.
    """
    everything = archives.files(path)
    files = [file for file in everything if not _NO_UNIPEN.search(file.name)]
    heads = dict(_heads(files))
    with_keywords = [file for file in files if _HEAD.search(heads.get(file, b""))]
    others = [file for file in files if file not in set(with_keywords)]
    hands = [file for file in others if _HANDS_FILE.fullmatch(file.base)]
    if not with_keywords and len(files) == len(everything):
        hands += [file for file in others if _HANDS.search(f"{path.name}/{file.name}")]
    if hands:
        raise DataError(
            f"{hands[0]}: expected the UNIPEN form of the HANDS sets, found another one; the bytes "
            "of the text, binary and IPDB forms are described nowhere: use the UNIPEN version"
        )
    there = set(everything)
    includes: dict[archives.File, list[archives.File]] = {}
    with_characters = set()
    for file in with_keywords:
        content = memoryview(file.read())
        names = {name.decode("utf-8", "surrogateescape") for name in _INCLUDE.findall(content)}
        meant = (_meant(file, name, there.__contains__) for name in sorted(names))
        includes[file] = [target for target in meant if target]
        if _CHARACTERS.search(content):
            with_characters.add(file)
    included = set().union(*includes.values())
    roots = {file: _closure(file, includes) for file in with_keywords if file not in included}
    unreached = sorted(included.difference(*roots.values()), key=str)
    if unreached:
        raise DataError(
            f"{unreached[0]}: expected no .INCLUDE that leads back to its own file, found one"
        )
    chosen = [
        UnipenFile(corpus, file, tuple(sorted(below, key=str)))
        for file, below in roots.items()
        if with_characters & {file, *below}
    ]
    if with_keywords and not chosen:
        raise DataError(
            f"{with_keywords[0]}: expected segments of type CHARACTER in it or in another file of "
            f"{corpus}, found none in {len(with_keywords)} files with UNIPEN keywords"
        )
    return sorted(chosen, key=str)


def _closure(
    file: archives.File, includes: dict[archives.File, list[archives.File]]
) -> set[archives.File]:
    """All files that one includes, those that they include among them."""
    reached: set[archives.File] = set()
    pending = [file]
    while pending:
        new = set(includes.get(pending.pop(), ())) - reached
        reached |= new
        pending += new
    return reached


def _heads(files: list[archives.File]) -> Iterator[tuple[archives.File, bytes]]:
    """The first bytes of every file that can be read."""
    for root, group in itertools.groupby(files, lambda file: file.root):
        if root.is_dir():
            for file in group:
                try:
                    with (root / file.name).open("rb") as stream:
                        head = stream.read(4096)
                except OSError as error:
                    if is_shortage(error):
                        raise
                    continue
                yield file, head
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
    place: archives.File, within: tuple[archives.File, ...] = (), count: list[int] | None = None
) -> Iterator[tuple[archives.File, int, bytes, bytes]]:
    """File, offset, keyword and arguments of all statements, those of included files in place.

    within : the files that include it. count : includes and bytes up to here.
    """
    count = [0, 0] if count is None else count
    content = place.read().tobytes()
    count[1] += len(content)
    # Coordinates take four times the bytes of their text, and are copied.
    archives.check_memory(str(place), 8 * count[1])
    marks = itertools.chain(_STATEMENT.finditer(content), [None])
    for mark, following in itertools.pairwise(marks):
        text = content[mark.end() : following.start() if following else len(content)]
        if mark[1] != b"INCLUDE":
            yield place, mark.start(), mark[1], text
            continue
        where = f"{place}: offset {mark.start()}"
        name = text.decode("utf-8", "surrogateescape").strip()
        file = _meant(place, name, archives.File.exists)
        count[0] += 1
        if file is None:
            raise DataError(
                f"{where}: expected {_asked(name)} that it includes, found no such file beside "
                "it, above it or below a folder `include` there"
            )
        if file in (*within, place):
            raise DataError(f"{where}: expected no file that includes itself, found {_asked(name)}")
        if count[0] > MOST_INCLUDES or len(within) >= DEEPEST:
            raise DataError(
                f"{where}: expected at most {MOST_INCLUDES:,} includes, {DEEPEST} of them in one "
                "another, found more"
            )
        yield from _statements(file, (*within, place), count)


def _asked(name: str) -> str:
    return f"the file {name[:80]!r}"


def _meant(
    place: archives.File, name: str, exists: Callable[[archives.File], bool]
) -> archives.File | None:
    """The file that an .INCLUDE means: below the folder of its own file or one further up, or
    below a folder `include` in one of these; None where none is there.

    Raises DataError for a name that climbs out.
    """
    inside = PurePosixPath(name.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in name or "\0" in name:
        raise DataError(
            f"{place}: expected every .INCLUDE inside the corpus, found {_asked(name)}, which "
            "climbs out"
        )
    for folder in PurePosixPath(place.name).parents:
        for candidate in (folder / inside, folder / "include" / inside):
            file = archives.File(place.root, candidate.as_posix())
            if file != place and exists(file):
                return file
    return None


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
