"""What is to be read: images, folders of them, files of pen strokes."""

import os
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from kakitori.errors import DataError
from kakitori.reading import matching
from kakitori.reading.matching import Match, drawing, reference
from kakitori.reading.normalising import photos, rendering, tree
from kakitori.reading.normalising.photos import prepare

PAGED = {".tif", ".tiff", ".gif", ".webp", ".png"}  # what may hold more pictures than one


class Picture(NamedTuple):
    """What is to be read: an image's file, or pen strokes."""

    name: str
    label: str | None  # the character that its folder or its file names
    content: Path | list[np.ndarray] | DataError
    match: Match | None = None  # of pen strokes with those of the character that was meant
    frame: float | None = None  # the side of the writing area

    def prepared(self, size: int, frame: float | None = None) -> np.ndarray:
        """Normalised, uint8 (size, size), in a writing area of the side `frame` where it is given;
        DataError for what cannot be read."""
        if isinstance(self.content, DataError):
            raise self.content
        if isinstance(self.content, Path):
            return prepare(self.content, size, frame)
        if not rendering.has_lines(self.content):
            return np.zeros((size, size), np.uint8)
        drawn = photos.prepare_ink(rendering.draw(self.content), size)
        if frame is None:
            return drawn
        return photos.within(drawn, rendering.extent(self.content, frame), frame)


def pen_drawings(files: list[Path], characters: Path, judged: list[str]) -> list[Picture]:
    """The drawings of files of pen strokes, compared with the table `characters` where they say
    what was meant; what is wrong with those that cannot be."""
    drawings = [
        (f"{file}:{k}", outcome)
        for file in files
        for k, outcome in enumerate(drawing.read_each(file), 1)
    ]
    meant = {
        outcome.character for _, outcome in drawings if isinstance(outcome, drawing.Drawing)
    } - {None}
    references = reference.read(characters, meant, strict=False) if meant else {}
    return [_pen_drawing(name, outcome, references, judged) for name, outcome in drawings]


def _pen_drawing(
    name: str,
    outcome: drawing.Drawing | DataError,
    references: dict[str, reference.Reference],
    judged: list[str],
) -> Picture:
    name = tree.shown(name)
    if isinstance(outcome, DataError):
        return Picture(name, None, outcome)
    strokes, character = outcome
    if not character:
        return Picture(name, None, strokes)
    if character not in references:
        lacking = f"expected a character whose strokes are known, found {character}"
        return Picture(name, character, DataError(lacking))
    return Picture(
        name, character, strokes, matching.match(strokes, *references[character], judged=judged)
    )


def views(picture: Picture, size: int) -> np.ndarray | str:
    """The picture normalised, uint8 (1, size, size), and where a frame is known in that frame too,
    (2, size, size); or why it cannot be read."""
    frames = [None] if picture.frame is None else [None, picture.frame]
    views = [prepared(picture, size, frame) for frame in frames]
    return next((view for view in views if isinstance(view, str)), None) or np.stack(views)


def prepared(picture: Picture, size: int, frame: float | None = None) -> np.ndarray | str:
    """The picture normalised, or why it cannot be read."""
    try:
        return picture.prepared(size, frame)
    except DataError as error:
        reason = str(error).removeprefix(f"{picture.content}: ").removeprefix(f"{picture.name}: ")
        if Path(picture.name).suffix.lower() in (".heic", ".heif"):
            reason += "; save it as JPEG"
        return tree.shown(reason)


def find_pictures(paths: list[Path]) -> tuple[list[Picture], dict[str, str]]:
    """The images named, and those below the folders named, in the order of their names; and what
    was passed over there, by its name, and why."""
    pictures: list[Picture] = []
    passed_over: dict[str, str] = {}
    for path in paths:
        if path.is_dir():
            inside = tree.walk(path)
            names = [n for n in inside.files if PurePath(n).suffix.lower() in tree.PICTURES]
            if not names:
                kinds = ", ".join(sorted(tree.PICTURES))
                raise DataError(f"{tree.shown(path)}: expected images ({kinds}), found none")
            passed_over |= {f"{path / n}": why for n, why in inside.passed_over.items()}
            passed_over |= dict.fromkeys(
                (f"{path / n}" for n in sorted({*inside.files} - {*names})), "no image by its name"
            )
            for name in names:
                label = label_of(path / name, len(PurePath(name).parts))
                pictures.append(Picture(tree.shown(path / name), label, path / name))
        elif path.is_file():
            pictures.append(Picture(tree.shown(path), label_of(path), path))
        elif path.exists():
            reason = DataError(f"{path}: expected an image or a folder, found a pipe or a device")
            pictures.append(Picture(tree.shown(path), None, reason))
        else:
            kind = "a link to nothing" if path.is_symlink() else "nothing"
            raise DataError(f"{tree.shown(path)}: expected an image or a folder, found {kind}")
    return pictures, passed_over


def further_pages(pictures: list[Picture]) -> dict[str, str]:
    """The files that hold more pages or frames than the first, which is what is read."""
    paged = [p for p in pictures if PurePath(p.name).suffix.lower() in PAGED]
    counts = {p.name: photos.frames(p.content) for p in paged if isinstance(p.content, Path)}
    return {name: "pages or frames after the first" for name, n in counts.items() if n > 1}


def label_of(file: Path, folders: int = 1) -> str | None:
    """The character that the nearest of its last `folders` folders is called after, or None. The
    name that people see counts, wherever a link leads."""
    # Not resolved, which would follow links; of "x.png" alone the current folder counts.
    parents = Path(os.path.abspath(file)).parent.parts[-folders:]  # noqa: PTH100
    codepoint = tree.character_of(PurePath(*parents))
    return None if codepoint is None else chr(codepoint)
