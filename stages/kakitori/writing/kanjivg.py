"""KanjiVG: strokes, stroke types and decomposition, as its official releases hold them.

© Ulrich Apel, Creative Commons Attribution-Share Alike 3.0. pip brings it; the project reads it
there, or in the archive of a newer release where a user puts one, and never carries it.
"""

import dataclasses
import importlib.metadata
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.parsers import expat

import numpy as np
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path

from kakitori.errors import DAMAGED_ZIP, DataError
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import Strokes

VERSION = "20260714"  # of the package; a change of it runs `characters` again
SIDE = 109.0  # its view box
LARGEST = 1 << 20  # bytes of an SVG; the official ones stay under 20 kB

# 寓's eleventh stroke has a full-width digit for its type; it rises to the right.
_MISPRINTS = {"６": "㇀"}

# Ideographic description characters with a letter or a number stand in a few files for the
# positions that the others spell out: the enclosing part comes first.
_POSITIONS = {"⿵A": "kamae", "⿵B": "kamaec", "⿶1": "kamae", "⿶2": "kamaec"}


@dataclasses.dataclass(frozen=True)
class Character:
    """One character as KanjiVG writes it."""

    character: str
    strokes: Strokes  # polylines in the unit square, in writing order
    types: tuple[str, ...]  # per stroke its base symbol (strokes.TYPES); "" where it has none
    tree: Component


def release(archive: Path) -> Path:
    """Where KanjiVG is read: `archive` where there is one, or else the folder of SVGs that the
    package kanjivg brings.

    Raises DataError for a package that is missing, of another version or of another layout.
    """
    if archive.is_file():
        return archive
    remedy = f"`pip install --force-reinstall kanjivg=={VERSION}` brings it, or put KanjiVG's "
    remedy += f"release archive there as {archive}"
    try:
        package = importlib.metadata.distribution("kanjivg")
    except importlib.metadata.PackageNotFoundError:
        raise DataError(f"expected the package kanjivg {VERSION}, found none; {remedy}") from None
    if package.version != VERSION:
        raise DataError(
            f"expected the package kanjivg {VERSION}, found {package.version}; {remedy}"
        )
    folder = Path(str(package.locate_file("kanji")))
    # Not by importlib.resources: another package may be called kanji as well.
    if not (folder / "04e00.svg").is_file():
        raise DataError(
            f"{folder}: expected the files of kanjivg {VERSION}, 04e00.svg (一) among them, found "
            f"none; {remedy}"
        )
    return folder


def read(release: Path, characters: Iterable[str], form: str = "") -> Iterator[Character]:
    """Characters of a release of KanjiVG, in the order asked for.

    Parameters
    ----------
    release : the official archive (kanjivg-YYYYMMDD-all.zip), or a folder of its SVGs.
    form : the suffix of a variant file, such as "Kaisho" (brush-regular forms, which half of the
        kanji have); empty for the base form.

    Yields
    ------
    Those characters that the release has in this form.

    Raises
    ------
    DataError for an archive or an SVG that is not KanjiVG's.
    """
    suffix = f"-{form}" if form else ""
    names = ((character, f"{ord(character):05x}{suffix}.svg") for character in characters)
    if release.is_dir():
        for character, name in names:
            path = release / name
            if path.is_file():
                _check_length(path.stat().st_size, f"{path}")
                yield parse(path.read_bytes(), character, f"{path}")
        return
    if not release.is_file():
        raise DataError(
            f"{release}: expected KanjiVG's release archive (kanjivg-YYYYMMDD-all.zip), found no "
            "file; download it from the project's releases"
        )
    try:
        with zipfile.ZipFile(release) as bundle:
            members = {Path(m.filename).name: m for m in bundle.infolist()}
            for character, name in names:
                if name in members:
                    where = f"{release}: {members[name].filename}"
                    _check_length(members[name].file_size, where)
                    yield parse(bundle.read(members[name]), character, where)
    except DAMAGED_ZIP as error:
        raise DataError(
            f"{release}: expected a zip archive, found: {error}; download the official release "
            "again"
        ) from None


def _check_length(length: int, where: str) -> None:
    if length > LARGEST:
        raise DataError(
            f"{where}: expected an SVG of KanjiVG, at most {LARGEST} bytes, found {length}; "
            "download the official release again"
        )


# ---------------------------------------------------------------------------------------------
# One SVG


@dataclasses.dataclass
class _Group:
    """A <g> while it is read; its members are groups and, as their numbers, loose strokes."""

    attributes: dict[str, str]
    members: "list[_Group | int]" = dataclasses.field(default_factory=list)


def parse(svg: bytes, character: str, where: str) -> Character:
    """One SVG of KanjiVG; `where` names it in errors.

    Expat reads no outer entity, and the declaration of an inner one (which no file of KanjiVG
    needs, and which can grow without bound) is refused.
    """
    paths: list[dict[str, str]] = []
    stack: list[_Group | None] = []  # None: a group outside the strokes
    root = _Group({})
    split: dict[tuple[str, str], _Group] = {}  # groups of which another part may follow

    def start(name: str, attributes: dict[str, str]) -> None:
        inside = stack[-1] if stack else None
        if name == "g":
            group = None
            if attributes.get("id", "").startswith("kvg:StrokePaths_"):
                group = root
            elif inside is not None:
                key = attributes.get("kvg:element", ""), attributes.get("kvg:number", "")
                part = attributes.get("kvg:part", "")
                if part not in ("", "1") and key in split:
                    group = split[key]  # its other strokes were written before its neighbours
                else:
                    group = _Group(attributes)
                    inside.members.append(group)
                    if part:
                        split[key] = group
            stack.append(group)
        elif name == "path" and inside is not None:
            inside.members.append(len(paths))
            paths.append(attributes)

    def end(name: str) -> None:
        if name == "g":
            stack.pop()

    def refuse(name: str, *_: object) -> None:
        raise DataError(
            f"{where}: expected an SVG of KanjiVG, found a declaration of the entity {name!r}, "
            "which could grow without bound; download the official release again"
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(svg, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: encodings
        raise DataError(f"{where}: expected an SVG of KanjiVG, found: {error}") from None
    if not paths:
        raise DataError(
            f"{where}: expected at least one <path> stroke in the group kvg:StrokePaths_…, found "
            "none; is this a release of KanjiVG?"
        )
    types = tuple(_base_type(p.get("kvg:type", "")) for p in paths)
    strokes = [_polyline(p, f"{where}: stroke {i}") for i, p in enumerate(paths, 1)]
    # The outer group holds one group, the character itself.
    whole = root.members[0] if len(root.members) == 1 else root
    tree = _part(whole if isinstance(whole, _Group) else root, types)
    return Character(character, strokes, types, dataclasses.replace(tree, element=character))


def _base_type(raw: str) -> str:
    """`㇔/㇏` and `㇐a` as ㇔ and ㇐: the first of the shapes allowed, without how it touches."""
    base = re.sub("[a-z]", "", raw.split("/")[0])
    return _MISPRINTS.get(base, base)


def _part(group: _Group, types: tuple[str, ...]) -> Component:
    """The tree below a group.

    A named group of nothing but strokes is a leaf; strokes beside groups, and those of a group
    without a name, are leaves of their own, named by their type.
    """
    names = group.attributes
    element = names.get("kvg:element", "")
    below: tuple[Component, ...] = ()
    if not element or any(isinstance(m, _Group) for m in group.members):
        below = tuple(
            _part(m, types) if isinstance(m, _Group) else Component(types[m], strokes=(m,))
            for m in group.members
        )
    loose = [m for m in group.members if isinstance(m, int)]
    strokes = itertools.chain.from_iterable(p.strokes for p in below) if below else loose
    position = names.get("kvg:position", "")
    return Component(
        element=element,
        position=_POSITIONS.get(position, position),
        strokes=tuple(sorted(strokes)),
        parts=below,
        original=names.get("kvg:original", ""),
        variant=names.get("kvg:variant") == "true",
        partial=names.get("kvg:partial") == "true",
        radical=names.get("kvg:radical", ""),
        phon=names.get("kvg:phon", ""),
    )


# Bernstein polynomials of a cubic Bézier's four points, at twelve even steps of its parameter.
_T = np.arange(1, 13)[:, None] / 12
_STEPS = np.hstack([(1 - _T) ** 3, 3 * (1 - _T) ** 2 * _T, 3 * (1 - _T) * _T**2, _T**3])


def _polyline(attributes: dict[str, str], where: str) -> np.ndarray:
    """A path of cubic Béziers as float32 (points, 2), twelve steps a segment."""
    path = attributes.get("d", "")
    pen = RecordingPen()
    try:
        parse_path(path, pen)
    except Exception as error:  # fontTools raises what its arithmetic meets: any kind
        raise DataError(
            f'{where}: expected a path (d="M… c…"), found {path[:40]!r}: {error!r}'
        ) from None
    points: list[np.ndarray] = []
    for command, control in pen.value:
        if command in ("moveTo", "lineTo"):
            points.append(np.array(control, float))
        elif command == "curveTo":
            points.append(_STEPS @ np.array([points[-1][-1], *control], float))
    if len(points) < 2 or not np.isfinite(np.concatenate(points)).all():
        raise DataError(
            f'{where}: expected a path (d="M… c…") of one line or curve at least, found '
            f"{path[:40]!r}; download the official release again"
        )
    return (np.concatenate(points) / SIDE).astype(np.float32)
