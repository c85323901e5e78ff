"""Outputs that appear whole or not at all, and one writer at a time: written beside their place,
then renamed, by the script that holds the lock."""

import contextlib
import ctypes
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kakitori.errors import DataError

if TYPE_CHECKING:  # its import takes a third of a second, which every worker process would pay
    import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / ".checkpoints"  # in no git and no DVC; another checkout has its own
STAGES = "stages"  # the lock of everything that DVC runs; other scripts have one each
HELD = "KAKITORI_LOCK"  # tells the processes that a holder starts which lock it holds

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux's <fcntl.h> and <linux/fs.h>


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write a file to; it becomes `path` when the block ends well, else it goes. An
    OSError of the block that names no file names `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    with _named(path, part):
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Like `whole`, for a folder, which takes the place of whatever stood at `path`: at once where
    the system can exchange two names (Linux), else there is nothing for a few microseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    with _named(path, part):
        try:
            part.mkdir()
            yield part
            _place(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _part(path: Path) -> Path:
    """Where this process writes what becomes `path`: no other's, so that two meet nowhere. What
    processes that are no more have left there goes."""
    left = re.compile(rf"\.{re.escape(path.name)}\.(\d+)(-old)?\.part")
    for entry in path.parent.iterdir():
        if (found := left.fullmatch(entry.name)) and not _works(int(found[1])):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _place(part: Path, path: Path) -> None:
    """Rename `part` to `path`; what stood there is then at `part`, or nowhere."""
    if path.is_dir() and not path.is_symlink():
        if _exchanged(part, path):
            return
        old = part.with_name(f"{part.stem}-old.part")
        path.replace(old)
        part.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
        part.replace(path)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    try:
        exchange = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not glibc 2.28 or later; TypeError on Windows
        return False
    names = os.fsencode(one), os.fsencode(other)
    return not exchange(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)


@contextlib.contextmanager
def _named(path: Path, part: Path) -> Iterator[None]:
    """Errors of the system in the block say which output they were about."""
    try:
        yield
    except OSError as error:
        name = str(error.filename) if error.filename is not None else str(part)
        if name == str(part) or name.startswith(f"{part}{os.sep}"):
            error.filename, error.filename2 = f"{path}{name[len(str(part)) :]}", None
        raise


def reserve(file: IO[bytes], size: int) -> None:
    """Make an open file `size` bytes long, all zero, with room on the disk for each: OSError where
    there is none. A file that was only made longer gets its room page by page, and a full disk then
    kills whoever writes to a memory map of it."""
    if hasattr(os, "posix_fallocate") and size:
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


# -------------------------------------------------------------------------------------------------
# One writer at a time


@contextlib.contextmanager
def alone(script: str, lock: str = STAGES) -> Iterator[None]:
    """Held while `script` writes: others that ask for the same lock of this checkout, even those
    left behind by a `dvc repro` that was killed, raise DataError, which says who holds it. The
    processes that a holder starts share its lock. The system takes it from a holder that dies."""
    import filelock  # only here: worker processes need none

    path = LOCKS / f"{lock}.lock"
    if os.environ.get(HELD) == str(path):
        yield
        return
    LOCKS.mkdir(exist_ok=True)
    held = filelock.FileLock(path)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        raise DataError(
            f"{path}: expected no other script that writes in this folder, found "
            f"{_holder(lock) or 'one'}, perhaps of an interrupted run: wait for it, or end it"
        ) from None
    about = path.with_suffix(".json")
    try:
        with contextlib.suppress(OSError):  # a full disk: others then do not learn who it is
            who = {"script": script, "pid": os.getpid(), "since": time.time()}
            about.write_text(json.dumps(who), "utf-8")
        os.environ[HELD] = str(path)
        yield
    finally:
        os.environ.pop(HELD, None)
        about.unlink(missing_ok=True)
        held.release()


def under_way(path: Path) -> str:
    """Who is making `path` anew at the moment, such as "quantize (process 812, since 14:03)"; ""
    where nobody is. DVC removes an output before the stage starts that makes it."""
    try:
        inside = path.resolve().relative_to(ROOT)
    except ValueError:
        return ""
    return _dvc(inside) or _holder(STAGES)


def remedy(path: Path) -> str:
    """What to do about a file of the pipeline that is not there."""
    if who := under_way(path):
        return f"{who} is under way: try again when it has ended"
    return "`dvc repro` makes it"


def _holder(lock: str) -> str:
    try:
        who = json.loads((LOCKS / f"{lock}.json").read_text("utf-8"))
        if not _runs(who["pid"]):
            return ""
        since = time.strftime("%H:%M", time.localtime(who["since"]))
        return f"{who['script']} (process {who['pid']}, since {since})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _dvc(path: Path) -> str:
    """The run of DVC that has `path`, relative to the checkout, or a folder of it, in hand."""
    try:
        entries = json.loads((ROOT / ".dvc/tmp/rwlock").read_text("utf-8"))
        for name, writer in entries["write"].items():
            made = Path(name).resolve().relative_to(ROOT)
            if path.is_relative_to(made) and _runs(writer["pid"]):
                command, _, arguments = writer["cmd"].partition(" ")
                return f"`{Path(command).name} {arguments}` (process {writer['pid']})"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return ""


def _works(pid: int) -> bool:
    """Whether another process of this number runs."""
    return pid != os.getpid() and _runs(pid)


def _runs(pid: int) -> bool:
    import psutil  # only here: most writers find nothing to ask about

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


# -------------------------------------------------------------------------------------------------
# Whole files of a kind


def write_json(path: Path, content: dict) -> None:
    """A dict as JSON with two spaces; NaN and infinity are refused (ValueError)."""
    with whole(path) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """A table as CSV; no cell of it is a formula to a spreadsheet."""
    with whole(path) as part:
        texts = [name for name, kind in table.dtypes.items() if kind.kind not in "biufcmM"]
        cells = {name: table[name].map(cell) for name in texts}
        table.assign(**cells).to_csv(part, index=False, lineterminator="\n")


def cell(value: object) -> object:
    """A value as a spreadsheet is to show it: text that it would compute (`=HYPERLINK(…)`) gets an
    apostrophe before it. A sign alone is text already."""
    is_formula = isinstance(value, str) and len(value) > 1 and value[0] in "=+-@\t\r"
    return f"'{value}" if is_formula else value


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    with whole(path) as part:
        table.to_parquet(part, index=False, compression="zstd")
