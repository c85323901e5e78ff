"""Files as a corpus comes: in folders, or in archives, which are read without unpacking to disk."""

import dataclasses
import functools
import itertools
import lzma
import os
import re
import struct
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from kakitori.errors import DAMAGED_ZIP, DataError

MAX_MEMBER = 1 << 31  # bytes; the largest official file (a CASIA .gnt of many writers) is half

# What zipfile and tarfile raise for damage, as found by fuzzing them.
DAMAGED = (
    *DAMAGED_ZIP, tarfile.TarError, lzma.LZMAError, struct.error, ValueError, KeyError, IndexError,
)  # fmt: skip

_ARCHIVE = re.compile(
    r"\.(zip|tar|tgz|tbz2?|txz|7z|rar|alz|(tar\.)?(gz|bz2|xz|zst))$", re.IGNORECASE
)
_READABLE = re.compile(r"\.(zip|tar|tgz|tar\.gz|tbz2?|tar\.bz2|txz|tar\.xz)$", re.IGNORECASE)


def is_archive(path: Path) -> bool:
    """Whether a file is called like an archive that this module reads."""
    return path.is_file() and bool(_READABLE.search(path.name))


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a corpus.

    root : the folder or the archive that it is in. name : its path there, with "/".
    """

    root: Path
    name: str

    def __str__(self) -> str:
        return str(self.root / self.name) if self.root.is_dir() else f"{self.root}: {self.name}"

    @property
    def base(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name

    @property
    def place(self) -> str:
        """The name of its folder, or that of the archive where it has none."""
        return PurePosixPath(self.name).parent.name or _READABLE.sub("", self.root.name)

    def exists(self) -> bool:
        """Whether it is there."""
        if self.root.is_dir():
            return (self.root / self.name).is_file()
        return self.name in members(self.root)

    def read(self) -> np.ndarray:
        """Its bytes, uint8 (B,): a memory map on disk, in memory from an archive."""
        if not self.root.is_dir():
            ((_, content),) = read_each(self.root, [self.name])
            return np.frombuffer(content, np.uint8)
        path = self.root / self.name
        if not path.stat().st_size:
            return np.empty(0, np.uint8)
        return np.asarray(np.memmap(path, np.uint8, "r"))  # slices of a memmap object are slow


def files(path: Path) -> list[File]:
    """The files of a folder and its sub-folders, or of an archive; also of archives in a folder.

    In the order of their names; in an archive, in its own order, in which it is fast to read.
    Hidden files are left out. Raises DataError for an archive as `members` does.
    """
    if is_archive(path):
        return [File(path, name) for name in members(path) if not _hidden(name)]
    found = []
    for folder, folders, names in os.walk(path):
        folders.sort()
        relative = Path(folder).relative_to(path)
        inside = [path / relative / name for name in sorted(names)]
        for file in inside:
            name = file.relative_to(path).as_posix()
            if _hidden(name):
                continue
            found += files(file) if is_archive(file) else [File(path, name)]
    return found


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def members(archive: Path) -> list[str]:
    """The files in a zip or tar, in its order.

    Raises DataError for damage, for a name that leads out of the folder it would be unpacked to
    or comes twice, for links, encrypted members, members of over MAX_MEMBER bytes and archives
    in the archive.
    """
    stat = archive.stat()
    return list(_members(archive, stat.st_size, stat.st_mtime_ns))


@functools.lru_cache(maxsize=8)  # every family of corpora looks into the same archive
def _members(archive: Path, size: int, changed: int) -> tuple[str, ...]:
    with _open(archive) as bundle:
        names = [name for name, *_ in _entries(archive, bundle)]
    twice = next((a for a, b in itertools.pairwise(sorted(names)) if a == b), None)
    if twice is not None:
        raise DataError(f"{archive}: expected every name once, found {twice!r} again")
    return tuple(names)


def read_each(
    archive: Path, wanted: Collection[str], most: int = -1
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of some members, in the archive's order; of each `most` bytes if given.

    DataError as for `members`.
    """
    left = set(wanted)
    with _open(archive) as bundle:
        for name, entry in _entries(archive, bundle):
            if name not in left:
                continue
            try:
                is_zip = isinstance(bundle, zipfile.ZipFile)
                with bundle.open(entry) if is_zip else bundle.extractfile(entry) as stream:
                    content = stream.read(most)
            except DAMAGED as error:
                raise DataError(
                    f"{archive}: {name}: expected a readable member, found: {error}"
                ) from None
            yield name, content
            left.remove(name)
            if not left:
                return
    raise DataError(f"{archive}: expected the member {min(left)!r}, found no such file")


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    is_zip = archive.suffix.lower() == ".zip"
    try:
        return zipfile.ZipFile(archive) if is_zip else tarfile.open(archive)
    except DAMAGED as error:
        kind = "zip" if is_zip else "tar"
        raise DataError(f"{archive}: expected a {kind} archive, found: {error}") from None


def _entries(
    archive: Path, bundle: zipfile.ZipFile | tarfile.TarFile
) -> Iterator[tuple[str, zipfile.ZipInfo | tarfile.TarInfo]]:
    """Name and entry of every file, checked."""
    is_zip = isinstance(bundle, zipfile.ZipFile)
    for entry in bundle.infolist() if is_zip else _headers(archive, bundle):
        name, size = (entry.filename, entry.file_size) if is_zip else (entry.name, entry.size)
        parts = PurePosixPath(name.replace("\\", "/"))
        if not name or parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", name):
            raise DataError(
                f"{archive}: expected names inside the archive's own folder, found {name!r}, "
                "which climbs out of it or is none"
            )
        if entry.is_dir() if is_zip else entry.isdir():
            continue
        if not is_zip and (not entry.isfile() or entry.issparse()):
            raise DataError(f"{archive}: expected plain files, found {name!r}, a link or device")
        if is_zip and entry.flag_bits & 1:
            raise DataError(f"{archive}: expected no password, found {name!r} encrypted")
        if _ARCHIVE.search(name):
            raise DataError(
                f"{archive}: expected data files, found {name!r}, an archive in an archive; "
                "unpack the outer one"
            )
        if size > MAX_MEMBER:
            raise DataError(
                f"{archive}: expected members of at most {MAX_MEMBER:,} bytes, found {name!r} "
                f"with {size:,}"
            )
        yield name, entry


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
                f"{archive}: offset {start}: expected a tar header, found: {error}"
            ) from None
        if bundle.offset <= start:
            raise DataError(f"{archive}: offset {start}: expected a tar header, found a bad size")
        yield entry
