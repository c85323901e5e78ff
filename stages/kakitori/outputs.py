"""Outputs that appear whole or not at all, those of a stage together, and one writer at a time:
written beside their places, then renamed, by the script that holds the lock."""

import contextlib
import ctypes
import errno
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kakitori.errors import DataError

if TYPE_CHECKING:  # its import takes a third of a second, which every worker process would pay
    import h5py
    import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / ".checkpoints"  # in no git and no DVC; another checkout has its own
STAGES = "stages"  # the lock of everything that DVC runs; other scripts have one each
HELD = "KAKITORI_LOCK"  # tells the processes that a holder starts which lock it holds
FOLDERS = ("data", "models", "metrics")  # of ROOT, with the outputs of stages

_PART = re.compile(r"\.(.+)\.(\d+)(-old)?\.part")

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux's <fcntl.h> and <linux/fs.h>


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write a file to; it becomes `path` when the block ends well, else it goes. An
    OSError of the block that names no file names `path`."""
    with _written(path) as part:
        yield part


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Like `whole`, for a folder, which takes the place of whatever stood at `path`: at once where
    the system can exchange two names (Linux), else there is nothing for a few microseconds."""
    with _written(path) as part:
        part.mkdir()
        yield part


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Outputs of a stage that are written in the block take their places when it ends well, which
    is renaming alone and needs no room; else all that stood there before stands. What is written
    elsewhere, checkpoints and the files of a folder not yet in place among them, takes its own at
    once."""
    global _waiting
    parts = _waiting = {}
    try:
        yield
        for path, part in parts.items():
            with _named(path, part):
                _place(part, path)
    finally:
        _waiting = None
        for part in parts.values():
            _remove(part)


_waiting: dict[Path, Path] | None = None  # outputs, and where they are until `together` ends


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    with _named(path, part):
        try:
            yield part
            if _waiting is not None and _is_of_a_stage(path):
                _waiting[path] = part
            else:
                _place(part, path)
                _remove(part)
        except BaseException:
            _remove(part)
            raise


def _is_of_a_stage(path: Path) -> bool:
    here = path.relative_to(ROOT).parts if path.is_relative_to(ROOT) else ("",)
    return here[0] in FOLDERS and not any(map(_PART.fullmatch, here))


def _part(path: Path) -> Path:
    """Where this process writes what becomes `path`: no other's, so that two meet nowhere. What
    processes that are no more have left there goes."""
    for entry in path.parent.iterdir():
        left = _PART.fullmatch(entry.name)
        if left and left[1] == path.name and not _works(int(left[2])):
            _remove(entry)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _place(part: Path, path: Path) -> None:
    """Rename `part` to `path`; a folder that stood there is then at `part`, or nowhere."""
    if part.is_dir() and path.is_dir() and not path.is_symlink():
        if _exchanged(part, path):
            return
        old = part.with_name(f"{part.stem}-old.part")
        path.replace(old)
        part.replace(path)
        _remove(old)
    else:
        if part.is_dir():  # a file or a link in the place of a folder
            path.unlink(missing_ok=True)
        part.replace(path)


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _exchanged(path: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    try:
        exchange = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not glibc 2.28 or later; TypeError on Windows
        return False
    names = os.fsencode(path), os.fsencode(other)
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
    try:
        os.posix_fallocate(file.fileno(), 0, max(size, 1))
    except (AttributeError, OSError) as error:  # no such function, or not on this file system
        if getattr(error, "errno", None) not in (
            None,
            errno.EOPNOTSUPP,
            errno.EINVAL,
            errno.ENOSYS,
        ):
            raise
    file.truncate(size)


@contextlib.contextmanager
def hdf5(path: Path, size: int) -> Iterator["h5py.File"]:
    """A new HDF5 file with room for `size` bytes and as much about them as is usual; OSError where
    there is none. HDF5 cannot close a file whose last bytes find the disk full: it says so once
    more for each object, and then breaks down."""
    import h5py

    spare = path.with_name(f".{path.name}.spare")
    with _named(path, spare), contextlib.ExitStack() as stack:
        stack.callback(spare.unlink, missing_ok=True)
        with open(spare, "wb") as room:
            reserve(room, SPARE)
        file = h5py.File(path, "w")
        try:
            with open(file.id.get_vfd_handle(), "wb", closefd=False) as same:
                reserve(same, size + SPARE)
        except OSError:
            stack.close()  # so that what HDF5 has yet to write finds room
            file.close()
            raise
    with file:
        yield file
        file.flush()
        end = file.id.get_filesize()
    os.truncate(path, end)


SPARE = 1 << 16  # bytes; what HDF5 writes about our data is a few thousand


def mute() -> None:
    """Print no more, not even what is waiting: Python would say at its end that it could not."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stdout closed, or a test's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    until = time.monotonic() + 1  # who has just begun, or is about to end, does not say who it is
    while True:
        try:
            held.acquire(timeout=0)
            break
        except filelock.Timeout:
            who = _holder(lock)
            if not who and time.monotonic() < until:
                time.sleep(0.05)
                continue
            raise DataError(
                f"{path}: expected no other script that writes in this folder, found "
                f"{who or 'one'}, perhaps of an interrupted run: wait for it, or end it"
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
