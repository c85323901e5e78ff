"""Files and folders that appear whole or not at all, by one writer at a time."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from kakitori import outputs
from kakitori.errors import DataError

GONE = 2**22 + 1  # above the largest number that Linux gives to a process


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A folder that stands for the checkout; nothing is written in the real one."""
    monkeypatch.setattr(outputs, "ROOT", tmp_path)
    monkeypatch.setattr(outputs, "LOCKS", tmp_path / ".checkpoints")
    return tmp_path


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- whole or not at all -------------------------------------------------------------------------


def test_a_block_that_fails_leaves_what_stood_there(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/one").write_text("before")
    for writer, name in ((outputs.whole, "a.txt"), (outputs.whole_folder, "b")):
        with pytest.raises(ZeroDivisionError), writer(tmp_path / name) as part:
            (part / "two" if part.is_dir() else part).write_text("half")
            raise ZeroDivisionError
    assert left(tmp_path) == ["a.txt", "b/one"] and (tmp_path / "a.txt").read_text() == "before"


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "renamed in turn"])
def test_a_folder_takes_the_place_of_what_stood_there(tmp_path, monkeypatch, exchange):
    if not exchange:  # as where the file system cannot
        monkeypatch.setattr(outputs, "_exchanged", lambda *names: False)
    for k in range(3):
        with outputs.whole_folder(tmp_path / "b") as part:
            (part / f"{k}").write_text("")
        assert left(tmp_path) == [f"b/{k}"]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_a_reader_beside_a_writer_always_finds_a_folder(tmp_path):
    target, sightings, done = tmp_path / "b", [], threading.Event()

    def read() -> None:
        while not done.is_set():
            sightings.append((target / "one").is_file())

    def write() -> None:
        with outputs.whole_folder(target) as part:
            (part / "one").write_text("")

    write()
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(300):
        write()
    done.set()
    reader.join()
    assert len(sightings) > 100 and all(sightings)


def test_two_writers_of_one_output_do_not_meet(tmp_path):
    """One in a process of its own writes while the other begins and ends."""
    code = (
        "import sys; from pathlib import Path; from kakitori import outputs\n"
        "with outputs.whole_folder(Path(sys.argv[1])) as part:\n"
        "    (part / 'one').write_text('slow'); print(flush=True); input()\n"
        "    assert (part / 'one').is_file()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(outputs.__file__).parents[1])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    slow = [sys.executable, "-c", code, str(tmp_path / "b")]
    with subprocess.Popen(slow, env=environment, **pipes) as process:
        process.stdout.readline()
        with outputs.whole_folder(tmp_path / "b") as part:
            (part / "one").write_text("quick")
        assert (tmp_path / "b/one").read_text() == "quick"
        process.communicate("\n")
    assert process.returncode == 0 and (tmp_path / "b/one").read_text() == "slow"
    assert left(tmp_path) == ["b/one"]


def test_what_the_dead_left_goes(tmp_path):
    (tmp_path / f".b.{GONE}.part").mkdir()
    (tmp_path / f".b.{GONE}.part/one").write_text("half")
    (tmp_path / f".b.{GONE}-old.part").mkdir()
    (tmp_path / f".b.{os.getppid()}.part").write_text("of one who lives")
    (tmp_path / f".b.txt.{GONE}.part").write_text("another's")
    with outputs.whole_folder(tmp_path / "b") as part:
        (part / "one").write_text("whole")
    assert left(tmp_path) == [f".b.{os.getppid()}.part", f".b.txt.{GONE}.part", "b/one"]


@pytest.mark.parametrize("inner", [None, "one"])
def test_an_error_names_the_output_not_its_part(tmp_path, inner):
    with pytest.raises(OSError) as caught, outputs.whole_folder(tmp_path / "b") as part:
        names = (str(part / inner),) if inner else ()
        raise OSError(errno.ENOSPC, "No space left on device", *names)
    expected = tmp_path / "b" / inner if inner else tmp_path / "b"
    assert caught.value.filename == str(expected)


def test_reserved_room_is_there(tmp_path):
    with open(tmp_path / "a", "wb") as file:
        outputs.reserve(file, 100_000)
    status = (tmp_path / "a").stat()
    assert status.st_size == 100_000 and status.st_blocks * 512 >= 100_000


# --- together ------------------------------------------------------------------------------------


def write(folder: Path, text: str) -> None:
    """What a stage writes: files and folders in either order, some of them within others."""
    with outputs.whole(folder / "metrics/a.json") as part:
        part.write_text(text)
    with outputs.whole_folder(folder / "data/b") as part:
        with outputs.whole(part / "one") as inner:
            inner.write_text(text)
        assert (part / "one").read_text() == text, "is in place at once"
    with outputs.whole(folder / "models/c") as part:
        part.write_text(text)


def test_results_of_a_stage_take_their_places_together(tmp_path):
    names = ["data/b/one", "metrics/a.json", "models/c"]
    write(tmp_path, "before")
    with pytest.raises(ZeroDivisionError), outputs.together():
        write(tmp_path, "after")
        raise ZeroDivisionError
    assert left(tmp_path) == names
    assert {(tmp_path / name).read_text() for name in names} == {"before"}
    with outputs.together():
        write(tmp_path, "after")
        write(tmp_path, "again")  # the same once more, for which the last counts
        with outputs.whole(tmp_path / ".checkpoints/run/1.pt") as part:
            part.write_text("")
        with outputs.whole(tmp_path / "elsewhere/c") as part:
            part.write_text("")
        assert (tmp_path / ".checkpoints/run/1.pt").is_file(), "checkpoints do not wait"
        assert (tmp_path / "elsewhere/c").is_file(), "nor does what is no result of a stage"
        assert {(tmp_path / name).read_text() for name in names} == {"before"}
    assert left(tmp_path) == [".checkpoints/run/1.pt", *names[:1], "elsewhere/c", *names[1:]]
    assert {(tmp_path / name).read_text() for name in names} == {"again"}


def test_an_error_of_the_last_renaming_names_the_output(tmp_path):
    with pytest.raises(IsADirectoryError) as caught, outputs.together():
        with outputs.whole(tmp_path / "data/a") as part:
            part.write_text("")
        (tmp_path / "data/a").mkdir()
    assert caught.value.filename == str(tmp_path / "data/a") and left(tmp_path) == []


# --- HDF5 ----------------------------------------------------------------------------------------


def fill(file: h5py.File) -> None:
    images = file.create_dataset("images", (50, 64, 64), np.uint8)
    images.attrs["corpus"] = "raw/x"
    for k in range(50):
        images[k] = k
    file["pen/points"] = np.zeros((100, 2), np.float32)


def test_hdf5_files_are_as_h5py_writes_them(tmp_path):
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        fill(file)
    with outputs.hdf5(tmp_path / "ours.h5", 50 * 64 * 64 + 800) as file:
        fill(file)
    assert (tmp_path / "ours.h5").read_bytes() == (tmp_path / "plain.h5").read_bytes()
    assert left(tmp_path) == ["ours.h5", "plain.h5"]


def test_where_no_room_can_be_reserved_files_are_made_longer(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unknown, raising=False)
    with open(tmp_path / "a", "wb") as file:
        outputs.reserve(file, 100)
    assert (tmp_path / "a").stat().st_size == 100


# --- one writer at a time ------------------------------------------------------------------------


def test_a_second_writer_is_told_who_the_first_is():
    with outputs.alone("train"):
        environ = os.environ.pop(outputs.HELD)  # a process that the first has not started
        with pytest.raises(DataError, match=rf"found train \(process {os.getpid()}, since "):
            outputs.alone("extract").__enter__()
        with outputs.alone("report", "report"):
            pass
        os.environ[outputs.HELD] = environ
        with outputs.alone("train"):  # as one of its own processes
            pass
    with outputs.alone("extract"):
        pass
    assert outputs.HELD not in os.environ


def test_a_first_writer_that_has_just_begun_is_waited_for(checkout):
    """It holds the lock before it says who it is."""
    with outputs.alone("train"):
        os.environ.pop(outputs.HELD)
        about = checkout / ".checkpoints/stages.json"
        text = about.read_text()
        about.write_text(text[:9])
        late = threading.Timer(0.2, about.write_text, [text])
        late.start()
        with pytest.raises(DataError, match=r"found train \(process"):
            outputs.alone("extract").__enter__()
        late.join()
        about.unlink()
        with pytest.raises(DataError, match="found one, perhaps"):
            outputs.alone("extract").__enter__()


def test_who_is_under_way(checkout):
    exports = checkout / "models/exports/int8.onnx"
    assert outputs.under_way(exports) == "" and "dvc repro" in outputs.remedy(exports)
    with outputs.alone("quantize"):
        assert outputs.under_way(exports).startswith("quantize (process ")
        assert outputs.under_way(Path("/elsewhere/int8.onnx")) == ""
    rwlock = checkout / ".dvc/tmp/rwlock"
    rwlock.parent.mkdir(parents=True)
    writer = {"pid": os.getpid(), "cmd": "/somewhere/bin/dvc repro"}  # as DVC 3.67 writes it
    entries = {"read": {}, "write": {str(checkout / "models/exports"): writer}}
    rwlock.write_text(json.dumps(entries))
    assert outputs.under_way(exports) == f"`dvc repro` (process {os.getpid()})"
    assert outputs.under_way(checkout / "models/model.json") == ""
    rwlock.write_text(json.dumps(entries).replace(f" {os.getpid()}", f" {GONE}"))
    assert outputs.under_way(exports) == "", "who is no more does nothing"
