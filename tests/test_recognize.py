"""The command line over the files that people have; what a model answers is tested elsewhere."""

import contextlib
import csv
import errno
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

import recognize
from kakitori.reading import shipped
from kakitori.reading.program import command
from tests import tables
from tests.pictures import picture


class Reader:
    """Stands for a model that reads 十 in everything."""

    size, classes, threshold, deciles = 64, "十一", 0.5, "{}"

    def __init__(self, *models, candidates="", prior="", providers=()) -> None:
        pass

    def read_normalised(self, images, top):
        return [[("十", 0.9), ("一", 0.1)] for _ in images]


@pytest.fixture
def read(monkeypatch, capsys):
    """Runs the command; returns its status or its last words, and what it printed."""

    def run(*arguments):
        monkeypatch.setattr(command, "Recognizer", Reader)
        monkeypatch.setattr(sys, "argv", ["recognize.py", *map(str, arguments)])
        status = 0
        try:
            recognize.main()
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


def fill(folder, names) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture())


def test_one_bad_file_of_pen_strokes_gets_its_line(tmp_path, read):
    """Of several files, and of several drawings in one; and a character that nobody knows."""
    level = {"strokes": [[[0, 5], [10, 5]]]}
    for name, content in {
        "a": json.dumps([level, {"strokes": "none"}, level]),
        "b": "no JSON",
        "c": json.dumps(level | {"character": "☃"}),
        "d": json.dumps(level),
    }.items():
        (tmp_path / f"{name}.json").write_text(content)
    tables.characters("一").to_parquet(tmp_path / "characters.parquet")
    files = [argument for name in "abcde" for argument in ("--pen", tmp_path / f"{name}.json")]
    status, out, _ = read("--json", "--characters", tmp_path / "characters.parquet", *files)
    lines = [json.loads(line) for line in out.splitlines()]
    names = ["a.json:1", "a.json:2", "a.json:3", "b.json:1", "c.json:1", "d.json:1", "e.json:1"]
    assert [Path(line["file"]).name for line in lines] == names
    wrong = {Path(line["file"]).name: line["error"] for line in lines if "error" in line}
    assert list(wrong) == ["a.json:2", "b.json:1", "c.json:1", "e.json:1"]
    assert "expected a character whose strokes are known, found ☃" in wrong["c.json:1"]
    assert "4 of 7 could not be read" in status


def test_one_bad_file_of_two_hundred_gets_its_line(tmp_path, read):
    fill(tmp_path, [f"{k:03d}.png" for k in range(200)])
    (tmp_path / "064.png").write_bytes(picture()[:60])
    (tmp_path / "._001.png").write_bytes(b"\0\5\x16\7")  # what a Mac leaves beside 001.png
    status, out, err = read("--json", tmp_path)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["file"] for line in lines] == [str(tmp_path / f"{k:03d}.png") for k in range(200)]
    (bad,) = [line for line in lines if "error" in line]
    assert bad["file"].endswith("064.png") and bad["error"].startswith("expected an image, found")
    assert "top" not in bad and "._" not in err
    assert status.startswith("recognize: 1 of 200 could not be read, the first")
    for form in ("--csv", None):
        status, out, _ = read(*filter(None, [form]), tmp_path)
        assert len(out.splitlines()) == 200 + (form == "--csv") and "1 of 200" in status
        assert out.count("expected an image, found") == 1


def test_what_is_passed_over_is_said(tmp_path, read):
    fill(tmp_path, ["a.png", "b/c.jfif", "notes.txt"])
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "b/up").symlink_to("..")
    pages = [Image.new("L", (20, 20), 255 - k) for k in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "phone.heic").write_bytes(b"x")
    status, out, err = read(tmp_path)
    assert "phone.heic" in status and "save it as JPEG" in out
    for reason in (
        "1, no plain file: a pipe, a socket or a device: ", "1, a link to nothing: ",
        "1, a link to a folder that it is in: ", "1, no image by its name: ",
        "1, pages or frames after the first: ",
    ):  # fmt: skip
        assert f"recognize: passed over {reason}" in err


def test_labels_are_those_of_the_names_that_people_see(tmp_path, read, monkeypatch):
    fill(tmp_path, ["disk/U+65E5/1.png", "disk/2.png"])
    here = tmp_path / "here"
    fill(here, ["え/1.png", "u+3046/w1/1.png", "U+D800/1.png", "か\u3099/1.png", "a/1.png"])
    (here / "U+66DC").mkdir()
    (here / "U+66DC/1.png").symlink_to(tmp_path / "disk/U+65E5/1.png")
    (here / "U+6708").symlink_to(tmp_path / "disk/U+65E5")
    (here / "x.png").symlink_to(tmp_path / "disk/U+65E5/1.png")
    status, out, _ = read("--json", here)
    lines = [json.loads(line) for line in out.splitlines()][:-1]
    labels = {os.path.relpath(line["file"], here): line["label"] for line in lines}
    assert status == 0 and labels == {
        "え/1.png": "え", "u+3046/w1/1.png": "う", "U+D800/1.png": None, "か\u3099/1.png": "が",
        "a/1.png": None, "U+66DC/1.png": "曜", "U+6708/1.png": "月", "x.png": None,
    }  # fmt: skip
    monkeypatch.chdir(here / "え")
    assert json.loads(read("--json", "1.png")[1].splitlines()[0])["label"] == "え"
    _, out, _ = read("--json", here / "U+66DC")
    assert json.loads(out.splitlines()[0])["label"] == "曜"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("form", ["--json", "--csv", ""])
def test_any_name_goes_to_any_output(tmp_path, read, monkeypatch, encoding, form):
    folder = tmp_path / "U+66F8"
    names = [b"caf\xe9.png", b"a\nb.png", b"\x1b[31m.png", "曜.png".encode()]
    fill(folder, map(os.fsdecode, names))
    out = io.BytesIO()
    stdout = io.TextIOWrapper(out, encoding=encoding, newline="")
    monkeypatch.setattr(sys, "stdout", stdout)
    status = read(*filter(None, [form]), folder)[0]
    stdout.flush()
    assert status == 0
    content = out.getvalue()
    assert b"\x1b" not in content and b"\r" not in content
    lines = content.decode("utf-8" if form == "--csv" else encoding).splitlines()
    assert len(lines) == 5, "four names and the summary, or the heading"
    if form == "--json":
        assert {json.loads(line).get("label") for line in lines} == {"書", None}
    if form == "--csv":
        assert content.startswith(b"\xef\xbb\xbf")
        assert {row["label"] for row in csv.DictReader(lines)} == {"書"}


def test_no_cell_is_a_formula(tmp_path, read, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = '=HYPERLINK("x").png'
    fill(tmp_path, [name])
    _, out, _ = read("--csv", name)
    (row,) = csv.DictReader(out[1:].splitlines())
    assert row["file"] == f"'{name}" and row["answer1"] == "十"


def test_a_reader_that_has_seen_enough(tmp_path, read, monkeypatch):
    fill(tmp_path, ["a.png"])
    ends = os.pipe()
    os.close(ends[0])
    monkeypatch.setattr(sys, "stdout", os.fdopen(ends[1], "w"))
    status, _, err = read(tmp_path)
    assert status == 141 and not err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "expected the name of a file or folder, found nothing"),
        (["--explain", "a.png", "a.png"], "--explain: expected a folder, found the file a.png"),
        (["pipe"], "pipe: expected an image or a folder, found a pipe or a device"),
        (["gone"], "gone: expected an image or a folder, found a link to nothing"),
        (["absent"], "absent: expected an image or a folder, found nothing"),
    ],
)
def test_bad_arguments_end_in_one_line(tmp_path, read, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, ["a.png"])
    os.mkfifo("pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    status, _, err = read(*arguments)
    assert message in (err if status == 2 else status)


# --- what the system refuses ---------------------------------------------------------------------


@contextlib.contextmanager
def printing_to(monkeypatch, stream):
    with monkeypatch.context() as inside, stream:
        inside.setattr(sys, "stdout", stream)
        yield


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")  # noqa: PTH110
@pytest.mark.parametrize("kind", [[], ["--json"], ["--csv"]], ids=["table", "json", "csv"])
def test_a_full_disk_under_the_answers_is_one_line(tmp_path, read, monkeypatch, kind):
    fill(tmp_path, ["a.png"])
    with printing_to(monkeypatch, open("/dev/full", "w")):
        status, _, err = read(*kind, tmp_path)
    assert status.startswith("recognize: standard output: expected room on the disk, found it full")
    assert len(status.splitlines()) == 1 and not err


def test_a_closed_pipe_ends_it_silently(tmp_path, read, monkeypatch):
    fill(tmp_path, ["a.png"])
    end, start = os.pipe()
    os.close(end)
    with printing_to(monkeypatch, os.fdopen(start, "w")):
        assert read(tmp_path)[::2] == (command.CLOSED, "")


@pytest.mark.parametrize("path", [".", "U+5341/a.png"], ids=["folder", "file"])
def test_without_file_handles_nothing_is_passed_over(tmp_path, read, monkeypatch, path):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(shipped, "about", dict)
    fill(tmp_path, ["U+5341/a.png"])
    assert read(tmp_path)[0] == 0  # imports what it needs
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, before[1]))
        try:
            status, out, _ = read("--model", "any.onnx", tmp_path / path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not out and len(status.splitlines()) == 1
    assert re.match(rf"recognize: {tmp_path}\S*: expected a file handle, found none left", status)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(errno.EACCES, "x", "why/1.png"), "why/1.png: expected to be let in"),
        (OSError(errno.EROFS, "x", "why"), "why: expected to write, found a file system"),
        (OSError(errno.ENOSPC, "x", "why/\n.png"), r"why/\n.png: expected room on the disk"),
        (MemoryError(), "expected memory, found none left"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "why"), "why: Is a directory"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_the_system_refuses_is_one_line(tmp_path, read, monkeypatch, error, expected):
    fill(tmp_path, ["a.png"])

    def refuse(*_):
        raise error

    monkeypatch.setattr(recognize, "explain", refuse)
    status, out, err = read("--explain", tmp_path / "why", tmp_path / "a.png")
    assert status.startswith(f"recognize: {expected}") and len(status.splitlines()) == 1
    assert not out and not err
