"""What went wrong in the user's terms: one line that names file, offset, expected and found."""

import errno
import re
import struct
import zipfile
import zlib

# What Python raises for a zip that is cut short, damaged, encrypted or of an unknown compression.
# Names that are no UTF-8 although they say so raise a ValueError.
DAMAGED_ZIP = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError,
    ValueError, struct.error,
)  # fmt: skip


class DataError(Exception):
    """Input data that is missing, damaged or of another kind than expected."""


class SettingsError(Exception):
    """A setting in params.yaml that is unknown, of the wrong type or impossible."""


ROOM = ("room on the disk", "it full", "make room and run it again")
MEMORY = (
    "memory",
    "none left",
    "close other programs, raise the limit (ulimit -v), or set smaller batches or fewer workers",
)
REFUSALS = {  # what was expected of the system, what was found, what to do
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ("room on the disk", "the quota used up", ROOM[2]),
    errno.EFBIG: ("room for a file", "a limit on its size (ulimit -f)", "raise it"),
    errno.EPIPE: ("a reader of what it prints", "a closed pipe", "let it read to the end"),
    errno.EROFS: ("to write", "a file system that is read-only", "work in a folder of your own"),
    errno.EACCES: ("to be let in", "no permission", "look at the rights of file and folder"),
    errno.EPERM: ("to be let in", "no permission", "look at the rights of file and folder"),
    errno.EMFILE: ("a file handle", "none left", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("a file handle", "none left on this machine", "close other programs"),
    errno.EAGAIN: ("a process or thread", "none left", "raise the limit (ulimit -u)"),
    errno.ENOMEM: MEMORY,
    errno.EIO: ("a disk that works", "it failing", "look at the machine's log"),
}
# What is lacking whatever file is being read: no reason to leave that one out.
_SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
_KINDS = (OSError, MemoryError, RuntimeError, ImportError)
_LIBRARIES = {"cv2", "onnxruntime", "safetensors_rust"}  # whose errors are of their own kinds
_SAID = (  # by libraries that pass on no number
    (
        r"(can.?t|cannot|unable to|failed to) (allocate|map segment)|bad_alloc|"
        r"(insufficient|out of) memory",
        errno.ENOMEM,
    ),
    (r"start new thread|thread constructor|pthread_create", errno.EAGAIN),
    (r"No space left|requested and \d+ written|unexpected pos", errno.ENOSPC),
    (r"Read-only file system", errno.EROFS),
)


def refusal(error: BaseException, place: str = "") -> str | None:
    """What the system refused, in one line: where, as far as the error knows, or else `place`; what
    was expected and found, and what to do; None for errors of another kind."""
    text = str(error)
    number = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
    library = type(error).__module__.partition(".")[0]
    if not isinstance(error, _KINDS) and library not in _LIBRARIES:
        return None
    if "No usable temporary directory" in text:  # tempfile's, an ENOENT whatever the reason
        return (
            "expected a folder for temporary files that can be written to, found none: make room "
            "in one or name another (TMPDIR)"
        )
    if number is None and (match := re.search(r"errno[ =]+(\d+)|os error (\d+)", text)):
        number = int(match[1] or match[2])  # HDF5's, Arrow's; Rust's
    if number is None:
        number = next((n for pattern, n in _SAID if re.search(pattern, text, re.IGNORECASE)), None)
    if number not in REFUSALS:
        return None
    expected, actual, remedy = REFUSALS[number]
    named = getattr(error, "filename", None)
    if named is None and (match := re.search(r"name = '([^']+)'", text)):
        named = match[1]  # HDF5's
    where = f"{named or place}: " if named or place else ""
    return f"{where}expected {expected}, found {actual}: {remedy}"


def is_shortage(error: BaseException) -> bool:
    """Whether the system ran out of something (memory, file handles) while a file was read, rather
    than the file being what cannot be read."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _SHORT
