"""Files as a corpus comes: in folders, or in archives, which are read without unpacking to disk."""

import dataclasses
import functools
import itertools
import lzma
import posixpath
import re
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import psutil

from kakitori.errors import DAMAGED_ZIP, DataError
from kakitori.reading.normalising.tree import shown, visible, walk

MAX_MEMBER = 1 << 31  # bytes; the largest official file (a CASIA .gnt of many writers) is half
LITTLE = 1 << 20  # bytes that are there whatever the memory that is left
MOST_ALIASES = 100_000  # names that the links in an archive give its files

# What zipfile and tarfile raise for damage, as found by fuzzing them.
DAMAGED = (
    *DAMAGED_ZIP, tarfile.TarError, lzma.LZMAError, KeyError, IndexError,
)  # fmt: skip

_ARCHIVE = re.compile(
    r"\.(zip|tar|tgz|tbz2?|txz|7z|rar|alz|(tar\.)?(gz|bz2|xz|zst))$", re.IGNORECASE
)
NO_FILE = "no plain file: a pipe, a device or a sparse file"
INNER_ARCHIVE = "an archive in an archive; unpack the outer one"
OTHER_ARCHIVE = "an archive of a kind that is not read; unpack it, or pack it as zip or tar"
_READABLE = re.compile(r"\.(zip|tar|tgz|tar\.gz|tbz2?|tar\.bz2|txz|tar\.xz)$", re.IGNORECASE)


def is_archive(path: Path) -> bool:
    """Whether a file is called like an archive that this module reads."""
    return path.is_file() and bool(_READABLE.search(path.name))


def stem(path: Path) -> str:
    """An archive's name without what says which kind it is: HWDB1.1 of HWDB1.1.tar.gz."""
    return _READABLE.sub("", path.name)


def is_other_archive(path: Path) -> bool:
    """Whether a file is called like an archive that this module does not read."""
    return path.is_file() and bool(_ARCHIVE.search(path.name)) and not is_archive(path)


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a corpus.

    root : the folder or the archive that it is in. name : its path there, with "/".
    """

    root: Path
    name: str

    def __str__(self) -> str:
        inside = self.root.is_dir()
        return shown(self.root / self.name if inside else f"{self.root}: {self.name}")

    @property
    def base(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name

    @property
    def place(self) -> str:
        """The name of its folder, or that of the archive where it has none."""
        return PurePosixPath(self.name).parent.name or stem(self.root)

    def exists(self) -> bool:
        """Whether it is there."""
        if self.root.is_dir():
            return (self.root / self.name).is_file()
        return self.name in members(self.root)

    def read(self) -> np.ndarray:
        """Its bytes, uint8 (B,): a memory map on disk, in memory from an archive.

        Raises DataError for a file that may not be read, and as `read_each`.
        """
        if not self.root.is_dir():
            ((_, content),) = read_each(self.root, [self.name])
            return np.frombuffer(content, np.uint8)
        path = self.root / self.name
        try:
            if not path.stat().st_size:
                return np.empty(0, np.uint8)
            return np.asarray(np.memmap(path, np.uint8, "r"))  # slices of a memmap object are slow
        except OSError as error:
            raise DataError(
                f"{self}: expected a file that can be read, found: {error.strerror or error}"
            ) from None


class Listing(NamedTuple):
    """files : what can be read. passed_over : what is no file, or an archive of another kind, by
    its name as messages give it, and why."""

    files: list[File]
    passed_over: dict[str, str]


def files(path: Path) -> list[File]:
    """The files of a folder and its sub-folders, or of an archive; also of archives in a folder.

    In the order of their names; in an archive, in its own order, in which it is fast to read, and
    then those that are links there. Hidden files are left out. Raises DataError for an archive as
    `members` does.
    """
    return listing(path).files


def listing(path: Path) -> Listing:
    """`files`, and what was passed over on the way to them."""
    if is_archive(path):
        inside = _inside(path)
        visible_files = [File(path, name) for name in inside.files if visible(name)]
        return Listing(
            visible_files, {f"{path}: {n}": why for n, why in inside.passed_over.items()}
        )
    tree = walk(path)
    listed = Listing([], {f"{path}/{name}": why for name, why in tree.passed_over.items()})
    for name in tree.files:
        if _READABLE.search(name):
            inside = listing(path / name)
            listed.files.extend(inside.files)
            listed.passed_over.update(inside.passed_over)
        elif _ARCHIVE.search(name):
            listed.passed_over[f"{path}/{name}"] = OTHER_ARCHIVE
        else:
            listed.files.append(File(path, name))
    return listed


def members(archive: Path) -> list[str]:
    """The files in a zip or tar, in its order, and then the names that links in it give them.

    Raises DataError for damage, for a name that leads out of the folder it would be unpacked to
    or comes twice, for encrypted members, members of over MAX_MEMBER bytes and archives that are
    all that is in the archive.
    """
    return list(_inside(archive).files)


class _Inside(NamedTuple):
    """files : as `members`. member : of each that is a link, the file that it means. passed_over :
    links to nothing or out of the archive, devices, each with the reason."""

    files: tuple[str, ...]
    member: dict[str, str]
    passed_over: dict[str, str]


def _inside(archive: Path) -> _Inside:
    status = archive.stat()
    return _members(archive, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)  # every family of corpora looks into the same archive
def _members(archive: Path, size: int, changed: int) -> _Inside:
    names, links, passed_over = [], {}, {}
    with _open(archive) as bundle:
        for entry in _entries(archive, bundle):
            if entry.link is not None:
                links[posixpath.normpath(entry.name)] = entry.link
            elif entry.plain and _ARCHIVE.search(entry.name):
                passed_over[entry.name] = INNER_ARCHIVE
            elif entry.plain:
                names.append(entry.name)
            else:
                passed_over[entry.name] = NO_FILE
    inner = next((name for name, why in passed_over.items() if why == INNER_ARCHIVE), None)
    if inner and not any(map(visible, names)):
        raise DataError(f"{archive}: expected data files, found {inner!r} alone, {INNER_ARCHIVE}")
    member = _linked(archive, names, links, passed_over)
    everything = (*names, *member)
    twice = next((a for a, b in itertools.pairwise(sorted(everything)) if a == b), None)
    if twice is not None:
        raise DataError(f"{archive}: expected every name once, found {_short(twice)!r} again")
    return _Inside(everything, member, passed_over)


def _linked(
    archive: Path, names: list[str], links: dict[str, str], passed_over: dict[str, str]
) -> dict[str, str]:
    """The names that links give to files, and the file of each."""
    plain = {posixpath.normpath(name): name for name in names}
    below = sorted({*plain, *links})
    member: dict[str, str] = {}

    def add(name: str, link: str, above: tuple[str, ...]) -> None:
        target = _target(links, link)
        if len(member) > MOST_ALIASES:
            raise DataError(
                f"{archive}: expected at most {MOST_ALIASES:,} names by links, found more: do "
                "they lead to each other?"
            )
        if target is None:
            passed_over[name] = "a link out of the archive, or back to itself"
        elif target in plain:
            member[name] = plain[target]
        elif target in above or link.startswith(f"{target}/"):
            passed_over[name] = "a link to a folder that it is in"
        else:
            inside = [inner_name for inner_name in below if inner_name.startswith(f"{target}/")]
            for inner_name in inside:
                further = name + inner_name[len(target) :]
                if inner_name in plain:
                    member[further] = plain[inner_name]
                else:
                    add(further, inner_name, (*above, target))
            if not inside:
                passed_over[name] = "a link to nothing"

    for link in sorted(filter(visible, links)):
        add(link, link, ())
    return member


def _target(links: dict[str, str], path: str) -> str | None:
    """Where a path leads when the links on it are followed; None where that is out of the archive,
    or nowhere because they lead to each other."""
    done: list[str] = []
    left, followed = path.split("/")[::-1], 0
    while left:
        part = left.pop()
        here = "/".join([*done, part])
        if part == ".." and not done:
            return None
        if part == "..":
            done.pop()
        elif here in links:
            followed += 1
            if followed > 40 or links[here].startswith("/"):  # 40 as in Linux
                return None
            left += links[here].split("/")[::-1]
        elif part not in ("", "."):
            done.append(part)
    return "/".join(done)


def read_each(
    archive: Path, wanted: Collection[str], most: int = -1
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of some members, in the archive's order; of each `most` bytes if given.

    DataError as for `members`, and for a member that is larger than the memory that is left.
    """
    left, linked = set(wanted), _inside(archive).member
    names: dict[str, list[str]] = {}
    for name in wanted:
        names.setdefault(linked.get(name, name), []).append(name)
    with _open(archive) as bundle:
        for entry in _entries(archive, bundle):
            if entry.name not in names or not entry.plain:
                continue
            if most < 0:
                check_memory(f"{archive}: {entry.name}", entry.size)
            try:
                is_zip = isinstance(bundle, zipfile.ZipFile)
                with bundle.open(entry.raw) if is_zip else bundle.extractfile(entry.raw) as stream:
                    content = stream.read(most)
            except DAMAGED as error:
                raise DataError(
                    f"{archive}: {_short(entry.name)}: expected a readable member, found: "
                    f"{_short(error)}"
                ) from None
            for name in names[entry.name]:
                yield name, content
            left.difference_update(names[entry.name])
            if not left:
                return
    raise DataError(f"{archive}: expected the member {_short(min(left))!r}, found no such file")


def check_memory(what: str, size: int) -> None:
    """Raise DataError where `size` bytes are more than half of the memory that is left: the other
    half is for what is made of them."""
    if size <= LITTLE:
        return
    free = psutil.virtual_memory().available
    if 2 * size > free:
        raise DataError(
            f"{shown(what)}: expected at most half of the memory that is left, {free >> 20:,} MB, "
            f"found {size >> 20:,} MB; unpack the archive, or read it on a larger machine"
        )


def _short(name_or_error: str | Exception) -> str:
    """A name in an archive, or an error, on a line: names may hold anything, errors quote them, and
    tarfile has a line for each compression that a file is not of."""
    text = shown(
        name_or_error if isinstance(name_or_error, str) else " ".join(str(name_or_error).split())
    )
    return text if len(text) <= 200 else f"{text[:200]}…"


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    is_zip = archive.suffix.lower() == ".zip"
    try:
        return zipfile.ZipFile(archive) if is_zip else tarfile.open(archive)
    except DAMAGED as error:
        kind = "zip" if is_zip else "tar"
        raise DataError(f"{archive}: expected a {kind} archive, found: {_short(error)}") from None


class _Entry(NamedTuple):
    """An entry of an archive that is no folder.

    plain : whether it is a file. link : what it leads to, from its own folder; None for no link.
    """

    name: str
    size: int
    raw: zipfile.ZipInfo | tarfile.TarInfo
    plain: bool
    link: str | None


def _entries(archive: Path, bundle: zipfile.ZipFile | tarfile.TarFile) -> Iterator[_Entry]:
    """Every file, link and device, checked."""
    is_zip = isinstance(bundle, zipfile.ZipFile)
    for raw in bundle.infolist() if is_zip else _headers(archive, bundle):
        name, size = (_zip_name(raw), raw.file_size) if is_zip else (raw.name, raw.size)
        parts = PurePosixPath(name.replace("\\", "/"))
        if not name or parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", name):
            raise DataError(
                f"{archive}: expected names inside the archive's own folder, found "
                f"{_short(name)!r}, which climbs out of it or is none"
            )
        if raw.is_dir() if is_zip else raw.isdir():
            continue
        if is_zip and raw.flag_bits & 1:
            raise DataError(f"{archive}: expected no password, found {_short(name)!r} encrypted")
        if is_zip:
            # Only where Unix wrote it are the upper bits those of a file's kind.
            kind = stat.S_IFMT(raw.external_attr >> 16) if raw.create_system == 3 else 0
            plain, is_link = kind in (0, stat.S_IFREG), kind == stat.S_IFLNK
            link = _zip_link(archive, bundle, raw) if is_link else None
        else:
            plain = raw.isfile() and not raw.issparse()
            link = raw.linkname if raw.issym() else None
            if raw.islnk():  # a hard link names its target from the top
                top = posixpath.dirname(posixpath.normpath(name))
                link = "../" * len(PurePosixPath(top).parts) + raw.linkname
                link = raw.linkname if raw.linkname.startswith("/") else link
        if size > MAX_MEMBER:
            raise DataError(
                f"{archive}: expected members of at most {MAX_MEMBER:,} bytes, found "
                f"{_short(name)!r} with {size:,}"
            )
        yield _Entry(name, size, raw, plain and link is None, link)


def _zip_name(entry: zipfile.ZipInfo) -> str:
    """The name that was meant: without the flag for UTF-8, macOS writes UTF-8 all the same, and
    Japanese Windows its code page 932, where the format has code page 437."""
    if entry.filename.isascii() or entry.flag_bits & 0x800:
        return entry.filename
    for encoding in ("utf-8", "cp932"):
        try:
            return entry.filename.encode("cp437").decode(encoding)
        except UnicodeError:
            pass
    return entry.filename


def _zip_link(archive: Path, bundle: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    try:
        with bundle.open(entry) as stream:
            return stream.read(4096).decode("utf-8", "surrogateescape")
    except DAMAGED as error:
        raise DataError(
            f"{archive}: {_short(entry.filename)}: expected a readable link, found: {_short(error)}"
        ) from None


def _headers(archive: Path, bundle: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries up to the empty block that ends a tar.

    `TarFile.next` takes any damage but to the first header for the end.
    """
    bundle.offset = 0  # opening has read the first one
    while True:
        start = bundle.offset
        try:
            bundle.fileobj.seek(start)
            try:
                entry = tarfile.TarInfo.fromtarfile(bundle)
            except tarfile.EOFHeaderError:
                while bundle.fileobj.read(1 << 20):  # up to the checksum of a compressed one
                    pass
                return
        except DAMAGED as error:
            raise DataError(
                f"{archive}: offset {start}: expected a tar header, found: {_short(error)}"
            ) from None
        if bundle.offset <= start:
            raise DataError(f"{archive}: offset {start}: expected a tar header, found a bad size")
        yield entry
