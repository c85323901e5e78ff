"""Pictures in folders that are called after their character: `U+3042/anything.png`.

Also `u+3042/`, `あ/`, and folders below these, `U+3042/writer 1/anything.png`.
"""

import dataclasses
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from kakitori.corpora import archives
from kakitori.corpora.source import CHUNK, Reject, Samples
from kakitori.errors import DataError, is_shortage
from kakitori.reading.normalising.images import Normalised
from kakitori.reading.normalising.photos import frames, prepare
from kakitori.reading.normalising.tree import CODE, character_of, shown

PART = 16_384  # pictures in one source: enough for all cores of a machine, 67 MB at 64 pixels
_ADDRESS = re.compile(r"<\S+ object at 0x[0-9a-f]+>")


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """Some of the pictures of a folder or an archive, without writers."""

    corpus: str
    root: Path
    names: tuple[str, ...]
    part: int = 0  # which of several; 0 where there is one only

    @property
    def file(self) -> str:
        return shown(f"{self.root.name} part {self.part}" if self.part else self.root.name)

    def __str__(self) -> str:
        return shown(f"{self.root} part {self.part}" if self.part else self.root)

    def files(self) -> list[archives.File]:
        return [archives.File(self.root, name) for name in self.names]

    def read(self, size: int) -> Samples:
        """All pictures; one that cannot be read, or has no character, is rejected by its number.

        Raises DataError for a damaged archive.
        """
        images = np.empty((len(self.names), size, size), np.uint8)
        codepoints: list[int] = []
        rejects = []
        further = 0
        for k, (name, content) in enumerate(self._contents()):
            codepoint = character_of(PurePosixPath(name).parent)
            if codepoint is None:
                reason = "expected a character's folder"
            elif isinstance(content, OSError):
                reason = f"expected a file that can be read, found: {content.strerror}"
            else:
                try:
                    images[len(codepoints)] = prepare(io.BytesIO(content), size)
                except DataError as error:
                    # Without the name, which is here an address in memory.
                    reason = _ADDRESS.sub("the file", str(error).partition(": ")[2])
                else:
                    codepoints.append(codepoint)
                    further += frames(content) - 1
                    continue
            rejects.append(Reject(str(self), k, f"{shown(name)}: {reason}"))
        images = images[: len(codepoints)]
        return Samples(
            np.array(codepoints, np.int32),
            "",
            _chunks(images),
            rejects=rejects,
            errata={"further pages or frames of a picture, not read": further} if further else {},
        )

    def _contents(self) -> Iterator[tuple[str, bytes | OSError]]:
        if not self.root.is_dir():
            yield from archives.read_each(self.root, self.names)
            return
        for name in self.names:
            try:
                yield name, (self.root / name).read_bytes()
            except OSError as error:
                if is_shortage(error):
                    raise
                yield name, error


def _chunks(images: np.ndarray) -> Iterator[Normalised]:
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        inked = chunk.reshape(len(chunk), -1).any(1)
        yield Normalised(chunk, np.where(inked, 255, 0).astype(np.uint8))


def sources(path: Path, corpus: str) -> list[ImageFolder]:
    """Everything below folders called after a character, in a folder or in archives; [] where there
    is none.

    Kuzushiji-Kanji looks the same and is left to `kuzushiji`. DataError as `archives.members`.
    """
    return pictures(path, corpus, kuzushiji=False)


def pictures(path: Path, corpus: str, kuzushiji: bool) -> list[ImageFolder]:
    """The pictures of Kuzushiji-Kanji (below `kkanji…`, which is its own name), or all others."""
    image_folders = []
    for root, group in itertools.groupby(archives.files(path), lambda file: file.root):
        names = [
            file.name
            for file in group
            if _is_labelled(PurePosixPath(file.name).parent)
            and kuzushiji == _is_kuzushiji(f"{root.name}/{file.name}")
        ]
        parts = [tuple(names[k : k + PART]) for k in range(0, len(names), PART)]
        several = len(parts) > 1
        image_folders += [
            ImageFolder(corpus, root, part, k * several) for k, part in enumerate(parts, 1)
        ]
    return image_folders


def _is_kuzushiji(name: str) -> bool:
    return any(part.lower().startswith("kkanji") for part in PurePosixPath(name).parts)


def _is_labelled(folder: PurePosixPath) -> bool:
    """Whether a folder is called after a character, or by a number that is none's."""
    return character_of(folder) is not None or any(CODE.fullmatch(n) for n in folder.parts)
