"""What lies below a folder, by the names that its owner sees; what is passed over and why; and
which characters folders are called after.

Links are followed, to wherever they lead: people keep data on another disk behind them.
"""

import errno
import os
import re
import stat
import unicodedata
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from kakitori.errors import DataError, is_shortage

CODE = re.compile(r"U\+([0-9A-F]{4,6})", re.IGNORECASE)  # how a folder names its character
PICTURES = {
    *(".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"),
    *(".jp2", ".avif", ".heic", ".heif"),
}
MOST_LINKS = 100_000  # to folders: more are links that multiply each other

# What would end a line, move the cursor, or turn the direction of what follows.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Tree(NamedTuple):
    """files : names below the folder, with "/", in their order. passed_over : those that are no
    plain files that can be read, each with the reason."""

    files: list[str]
    passed_over: dict[str, str]


def walk(root: Path) -> Tree:
    """Everything below a folder but hidden files.

    Raises DataError for a folder that cannot be read itself, and for links that multiply; OSError
    where the system lacks file handles.
    """
    files: list[str] = []
    passed_over: dict[str, str] = {}
    pending: list[tuple[str, tuple]] = [("", ())]
    links = 0
    while pending:
        name, above = pending.pop()
        path = root / name
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                here = status.st_dev, status.st_ino
                if here in above:
                    passed_over[name] = "a link to a folder that it is in"
                    continue
                links += path.is_symlink()
                if links > MOST_LINKS:
                    raise DataError(
                        f"{shown(root)}: expected at most {MOST_LINKS:,} links to folders, found "
                        f"more, the last at {shown(name)}: do they lead to each other?"
                    )
                inside = sorted((p.name for p in path.iterdir() if visible(p.name)), reverse=True)
                inner = (*above, here)
                pending += [(f"{name}/{child}" if name else child, inner) for child in inside]
            elif stat.S_ISREG(status.st_mode):
                files.append(name)
            else:
                passed_over[name] = "no plain file: a pipe, a socket or a device"
        except OSError as error:
            if is_shortage(error):
                raise
            if not name:
                raise DataError(
                    f"{shown(root)}: expected a folder that can be read, found: {error.strerror}"
                ) from None
            passed_over[name] = why_not(path, error)
    return Tree(files, passed_over)


def why_not(path: Path, error: OSError) -> str:
    """In words why a file or folder cannot be read."""
    if error.errno == errno.ELOOP:
        return "a link that leads back to itself"
    if error.errno == errno.ENOENT and path.is_symlink():
        return "a link to nothing"
    return f"cannot be read: {error.strerror}"


def visible(name: str) -> bool:
    """Whether no part of a name is hidden, as `.DS_Store`, `._x.png` and `__MACOSX` are."""
    return not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def shown(name: str | Path) -> str:
    """A name on one line, as a terminal, a table or an index can hold it: what is no UTF-8, and
    what ends lines or steers a terminal, as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _UNPRINTABLE.sub(lambda c: c[0].encode("unicode_escape").decode("ascii"), text)


def character_of(folder: PurePath) -> int | None:
    """The character of a folder: that of the nearest name on the way up from it that is one's, or
    None. The name that people see counts, wherever a link leads.

    ASCII characters need their number: `a` and `1` are names of many other things. What macOS
    spells as a letter and its mark (か and ゛) is one character.
    """
    for name in reversed(folder.parts):
        codepoint = codepoint_of(name)
        if codepoint is not None:
            return codepoint
        name = composed(name)
        if len(name) == 1 and not name.isascii() and is_character(ord(name)):
            return ord(name)
    return None


def composed(text: str) -> str:
    """Kana with their marks as one character each, が of か and ゛, as macOS does not spell names.
    Nothing else is changed: NFC would make other characters of some kanji."""
    return _MARKED.sub(lambda match: unicodedata.normalize("NFC", match[0]), text)


_MARKED = re.compile("[\u3041-\u30ff][\u3099\u309a]")


def codepoint_of(name: str) -> int | None:
    """The character that `U+XXXX` names, or None where it names none."""
    match = CODE.fullmatch(name)
    codepoint = int(match[1], 16) if match else -1
    return codepoint if is_character(codepoint) else None


def is_character(codepoint: int) -> bool:
    """Whether a code point is a character that can be written: no control, none for private use."""
    if not 0x21 <= codepoint <= 0x10FFFF:
        return False
    return unicodedata.category(chr(codepoint))[0] not in "CZ"
