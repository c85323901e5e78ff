"""Pictures in folders that are called after their character: `U+3042/anything.png`."""

import dataclasses
import io
import itertools
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from kakitori.corpora import archives
from kakitori.corpora.images import Normalised
from kakitori.corpora.photos import prepare
from kakitori.corpora.source import CHUNK, Reject, Samples
from kakitori.errors import DataError

PART = 16_384  # pictures in one source: enough for all cores of a machine, 67 MB at 64 pixels
_FOLDER = re.compile(r"U\+([0-9A-Fa-f]{4,6})")


@dataclasses.dataclass(frozen=True)
class Source:
    """Some of the pictures of a folder or an archive, without writers."""

    corpus: str
    root: Path
    names: tuple[str, ...]
    part: int = 0  # which of several; 0 where there is one only

    @property
    def file(self) -> str:
        return f"{self.root.name} part {self.part}" if self.part else self.root.name

    def __str__(self) -> str:
        return f"{self.root} part {self.part}" if self.part else str(self.root)

    def read(self, size: int) -> Samples:
        """All pictures; one that cannot be read, or has no character, is rejected by its number.

        Raises DataError for a damaged archive.
        """
        images = np.empty((len(self.names), size, size), np.uint8)
        codepoints: list[int] = []
        rejects = []
        for k, (name, content) in enumerate(self._contents()):
            codepoint = codepoint_of(PurePosixPath(name).parent.name)
            if codepoint is None:
                rejects.append(Reject(str(self), k, f"{name}: expected a character's folder"))
                continue
            try:
                images[len(codepoints)] = prepare(io.BytesIO(content), size)
            except DataError as error:
                reason = str(error).partition(": ")[2]  # after the name, here an address in memory
                rejects.append(Reject(str(self), k, f"{name}: {reason}"))
                continue
            codepoints.append(codepoint)
        images = images[: len(codepoints)]
        return Samples(np.array(codepoints, np.int32), "", _chunks(images), rejects=rejects)

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        if self.root.is_dir():
            return ((name, (self.root / name).read_bytes()) for name in self.names)
        return archives.read_each(self.root, self.names)


def _chunks(images: np.ndarray) -> Iterator[Normalised]:
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        inked = chunk.reshape(len(chunk), -1).any(1)
        yield Normalised(chunk, np.where(inked, 255, 0).astype(np.uint8))


def sources(path: Path, corpus: str) -> list[Source]:
    """Everything below folders `U+XXXX`, in a folder or in archives; [] where there is none.

    Kuzushiji-Kanji looks the same and is left to `kuzushiji`. DataError as `archives.members`.
    """
    return pictures(path, corpus, kuzushiji=False)


def pictures(path: Path, corpus: str, kuzushiji: bool) -> list[Source]:
    """The pictures of Kuzushiji-Kanji (below `kkanji…`, which is its own name), or all others."""
    found = []
    for root, group in itertools.groupby(archives.files(path), lambda file: file.root):
        names = [
            file.name
            for file in group
            if _FOLDER.fullmatch(PurePosixPath(file.name).parent.name)
            and kuzushiji == _is_kuzushiji(f"{root.name}/{file.name}")
        ]
        parts = [tuple(names[k : k + PART]) for k in range(0, len(names), PART)]
        several = len(parts) > 1
        found += [Source(corpus, root, part, k * several) for k, part in enumerate(parts, 1)]
    return found


def _is_kuzushiji(name: str) -> bool:
    return any(part.lower().startswith("kkanji") for part in PurePosixPath(name).parts)


def codepoint_of(name: str) -> int | None:
    """The character that `U+XXXX` names, or None where it names none."""
    match = _FOLDER.fullmatch(name)
    codepoint = int(match[1], 16) if match else -1
    return codepoint if is_character(codepoint) else None


def is_character(codepoint: int) -> bool:
    """Whether a code point is a character that can be written: no control, none for private use."""
    if not 0x21 <= codepoint <= 0x10FFFF:
        return False
    return unicodedata.category(chr(codepoint))[0] not in "CZ"
