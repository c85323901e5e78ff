"""What people read when a script cannot go on: one line, and status 1."""

import errno
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from kakitori import outputs
from kakitori.errors import DataError, refusal
from kakitori.running import stage

FULL = Path("/dev/full")  # every write there ends as on a full disk
ROOM = "expected room on the disk, found it full"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="/dev/full is Linux's")


def said(raised: BaseException) -> str:
    with (
        pytest.MonkeyPatch.context() as inside,
        pytest.raises(SystemExit) as caught,
        stage.ended_well("train"),
    ):
        inside.setattr(outputs, "mute", lambda: None)  # it would silence pytest
        raise raised
    line = caught.value.code
    assert isinstance(line, str) and line.startswith("train: ") and len(line.splitlines()) == 1
    return line


@needs_full
@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b"x"),
        lambda path: np.zeros(100_000).tofile(path),
        lambda path: pd.DataFrame({"a": [1]}).to_csv(path),
        lambda path: pd.DataFrame({"a": [1]}).to_parquet(path),
    ],
    ids=["bytes", "numpy", "csv", "parquet"],
)
def test_a_full_disk_is_called_a_full_disk(write):
    with pytest.raises(OSError) as caught:
        write(FULL)
    assert ROOM in said(caught.value)


@needs_full
def test_the_output_is_named_that_had_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "_part", lambda path: FULL)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(OSError) as caught:
        outputs.write_json(tmp_path / "metrics/train.json", {})
    assert f"{tmp_path}/metrics/train.json: {ROOM}" in said(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EROFS, "x", "/a/b"), "/a/b: expected to write, found a file system that is"),
        (PermissionError(errno.EACCES, "x", "/a/b"), "/a/b: expected to be let in, found no perm"),
        (OSError(errno.EMFILE, "x", "/a/b"), "/a/b: expected a file handle, found none left: rai"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "expected memory, found none left"),
        (MemoryError(), "expected memory, found none left"),
        (RuntimeError("can't start new thread"), "expected a process or thread, found none left"),
        # As torch 2.13, safetensors 0.8 and h5py 3.16 put it.
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"), ROOM),
        (RuntimeError("I/O error: No space left on device (os error 28)"), ROOM),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"
            ),
            "expected memory, found none left",
        ),
        (
            OSError(
                "Can't synchronously write data (file write failed: time = Sun, "
                "filename = '/a/b.h5', file descriptor = 3, errno = 28, error message = 'No space "
                "left on device')"
            ),
            f"/a/b.h5: {ROOM}",
        ),
        (ImportError("libx.so: failed to map segment from shared object"), "expected memory"),
        (DataError("a.h5: expected x, found y"), "a.h5: expected x, found y"),
        (FileNotFoundError(errno.ENOENT, "x", "a.h5"), "a.h5: expected a file, found none; `dvc"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "a"), "a: expected a file, found: Is a"),
        (
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            "expected a reader of what it prints, found a",
        ),
        # As Python's tempfile puts any reason.
        (
            FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"),
            "name another (T",
        ),
        (KeyboardInterrupt(), "interrupted; nothing was left half-written, and the results before"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_system_refuses_is_one_line(error, expected):
    assert expected in said(error)


def test_a_real_want_of_memory():
    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 52, np.uint8)  # more than addresses reach
    assert "expected memory, found none left" in said(caught.value)


@pytest.mark.parametrize("error", [ValueError("allocate"), KeyError(28), RuntimeError("shape")])
def test_other_errors_keep_their_traceback(error):
    assert refusal(error) is None
    with pytest.raises(type(error)), stage.ended_well("train"):
        raise error


def test_two_stages_at_once(tmp_path, monkeypatch):
    """The second ends before it has read or written anything."""
    monkeypatch.setattr(outputs, "LOCKS", tmp_path / ".checkpoints")
    monkeypatch.setattr(sys, "argv", ["stages/extract.py"])
    ran = []
    with outputs.alone("train"):
        monkeypatch.delenv(outputs.HELD)  # which only its own processes have
        with pytest.raises(SystemExit) as caught:
            stage.run(ran.append, "doc")
        monkeypatch.setenv(outputs.HELD, "another's")
    assert f"extract: {tmp_path}/.checkpoints/stages.lock: expected no other" in caught.value.code
    assert f"found train (process {os.getpid()}, since " in caught.value.code and not ran
    stage.run(ran.append, "doc")
    assert len(ran) == 1


def refused() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_was_kept_is_told(monkeypatch):
    """DVC removes the results before a stage runs."""
    with pytest.raises(OSError) as caught:
        refused()
    assert said(caught.value).endswith(
        "; nothing was left half-written, and the results before it were kept"
    )
    monkeypatch.setenv("DVC_STAGE", "train")
    assert said(caught.value).endswith("`dvc checkout` brings back the results before")


@needs_full
def test_results_are_in_place_before_the_last_word(tmp_path, monkeypatch):
    """As with the output of a stage in a file on a disk that it has just filled."""
    monkeypatch.setattr(outputs, "LOCKS", tmp_path / ".checkpoints")
    monkeypatch.setattr(sys, "argv", ["stages/extract.py"])
    with FULL.open("w") as full, monkeypatch.context() as inside, pytest.raises(SystemExit) as end:
        inside.setattr(sys, "stdout", full)
        stage.run(lambda _: None, "doc")
    assert end.value.code.startswith(f"extract: standard output: {ROOM}")
    assert end.value.code.endswith("; the results are in place")


@pytest.mark.parametrize("read", [pd.read_parquet, pd.read_csv, open])
def test_a_file_that_is_not_there_is_named(tmp_path, read):
    path = tmp_path / "index.parquet"
    with (
        pytest.raises(SystemExit, match=f"^split: {path}: expected a file, found none; "),
        stage.ended_well("split"),
    ):
        read(path)


def without_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("damage", [without_end, lambda path: path.write_bytes(b"no such thing")])
@pytest.mark.parametrize("kind", ["h5", "parquet"])
def test_a_damaged_result_of_an_earlier_stage_is_one_line(tmp_path, kind, damage):
    path = tmp_path / f"a.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["images"] = np.zeros(1000)
    else:
        pd.DataFrame({"sample": range(1000)}).to_parquet(path)
    damage(path)
    with pytest.raises(Exception) as caught:
        h5py.File(path) if kind == "h5" else pd.read_parquet(path)
    assert "found one damaged: " in said(caught.value)


def test_a_shard_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        h5py.File(tmp_path / "shard-000.h5")
    assert said(caught.value).startswith(f"train: {tmp_path}/shard-000.h5: expected a file, found")
