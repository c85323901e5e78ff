import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kakitori.corpora import folders
from kakitori.errors import DataError
from kakitori.reading.normalising import tree
from tests.bundles import drain, make_tar, make_zip, write
from tests.fuzzing import fuzz
from tests.pictures import HANDWRITING, picture

CONTENT = {
    "set/U+3042/a.png": picture(),
    "set/U+3042/b.jpg": picture(False, "JPEG"),
    "set/U+4E9C/1.bmp": picture(kind="BMP"),
    "set/U+4e9c/2.webp": picture(False, "WEBP", "RGB"),
    "set/U+20089/long.png": picture(),
}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_pictures_of_any_kind_come_with_their_folders_character(tmp_path, kind):
    make = {"folder": write, "zip": make_zip, "tar": make_tar}[kind]
    path = make(tmp_path / ("x" if kind == "folder" else f"x.{kind}"), CONTENT)
    (source,) = folders.sources(path, "raw/x")
    samples = source.read(64)
    characters = ["U+3042", "U+3042", "U+4E9C", "U+4E9C", "U+20089"]
    assert sorted(samples.codepoint) == sorted(int(c[2:], 16) for c in characters)
    assert samples.writer_group == "" and not samples.rejects
    images = drain(samples)
    assert (images[:, 32, 32] > 200).all(), "ink is bright, whatever it was"
    assert (images[:, 10, 10] < 60).all()
    assert source.file == path.name
    assert pickle.loads(pickle.dumps(source)) == source


def test_contrast_tells_blank_pictures(tmp_path):
    blank = io.BytesIO()
    Image.new("L", (20, 20), 255).save(blank, "PNG")
    write(tmp_path, {"U+3042/a.png": picture(), "U+3042/b.png": blank.getvalue()})
    (source,) = folders.sources(tmp_path, "raw/x")
    (chunk,) = source.read(32).chunks
    assert chunk.contrast.tolist() == [255, 0]


def test_what_is_no_picture_or_has_no_character_is_rejected(tmp_path):
    content = CONTENT | {
        "set/U+3042/Thumbs.db": b"\xd0\xcf\x11\xe0",
        "set/U+3042/cut.png": picture()[:60],
        "set/U+D800/a.png": picture(),
        "set/U+110000/a.png": picture(),
        "set/U+E000/a.png": picture(),
        "set/U+3042/.hidden.png": b"",
    }
    (source,) = folders.sources(write(tmp_path, content), "raw/x")
    samples = source.read(32)
    assert len(drain(samples)) == 5
    assert len(samples.rejects) == 5
    reasons = {r.reason.partition(": ")[0]: r.reason.partition(": ")[2] for r in samples.rejects}
    assert reasons["set/U+3042/cut.png"].startswith("expected an image, found")
    assert reasons["set/U+D800/a.png"] == "expected a character's folder"
    assert not any("0x" in r.reason or "BytesIO" in r.reason for r in samples.rejects)


def test_other_folders_are_not_of_this_kind(tmp_path):
    write(tmp_path, {"a/1.png": picture(), "U+30/1.png": picture(), "kkanji2/U+3042/1.png": b""})
    assert folders.sources(tmp_path, "raw/x") == []


def test_many_pictures_are_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "PART", 2)
    sources = folders.sources(write(tmp_path, CONTENT), "raw/x")
    assert [len(s.names) for s in sources] == [2, 2, 1]
    assert [s.file for s in sources] == [f"{tmp_path.name} part {k}" for k in (1, 2, 3)]
    assert sum(len(drain(s.read(32))) for s in sources) == 5


@pytest.mark.parametrize(
    ("name", "codepoint"),
    [("U+3042", 0x3042), ("U+20089", 0x20089), ("U+0041", 0x41), ("3042", None), ("U+0020", None),
     ("U+FFFFFF", None), ("U+FFFF", None), ("U+304", None), ("u+3042", 0x3042), ("え", None)],
)  # fmt: skip
def test_names_of_characters(name, codepoint):
    assert tree.codepoint_of(name) == codepoint


@pytest.mark.parametrize(
    ("folder", "character"),
    [("set/u+3046", "う"), ("え", "え"), ("か\u3099", "が"), ("U+3042/writer 1/page", "あ"),
     ("U+3042/U+3044", "い"), ("é", "é"), ("a", None), ("1", None), ("あい", None), ("", None),
     ("U+D800", None), ("\u3000", None)],
)  # fmt: skip
def test_folders_that_mean_a_character(folder, character):
    assert tree.character_of(Path(folder)) == (character and ord(character))


def test_folders_by_any_name_and_at_any_depth_are_read(tmp_path):
    names = ("u+3046/a.png", "え/b.png", "U+304A/w1/c.png", "x/か\u3099/d.png", "a/e.png", "f.png")
    (source,) = folders.sources(write(tmp_path, dict.fromkeys(names, picture())), "raw/x")
    assert sorted(source.read(32).codepoint) == sorted(map(ord, "うえおが"))


def test_pages_after_the_first_are_counted(tmp_path):
    out = io.BytesIO()
    pages = [Image.open(io.BytesIO(picture())) for _ in range(3)]
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    write(tmp_path, {"U+3042/scan.tif": out.getvalue(), "U+3042/b.png": picture()})
    (source,) = folders.sources(tmp_path, "raw/x")
    samples = source.read(32)
    assert len(drain(samples)) == 2 and set(samples.errata.values()) == {2}


def test_links_keep_the_character_of_the_name_that_people_see(tmp_path):
    write(tmp_path, {"disk/U+65E5/1.png": picture(), "disk/2.png": picture(), "x/a": b""})
    (tmp_path / "x/U+66DC").mkdir()
    (tmp_path / "x/U+66DC/1.png").symlink_to(tmp_path / "disk/U+65E5/1.png")
    (tmp_path / "x/U+6708").symlink_to(tmp_path / "disk/U+65E5")
    (source,) = folders.sources(tmp_path / "x", "raw/x")
    samples = source.read(32)
    assert sorted(map(chr, samples.codepoint)) == sorted("曜月") and not samples.rejects


@fuzz(300)
@given(st.sampled_from(sorted(CONTENT)), st.data())
def test_damaged_pictures_are_rejects(tmp_path_factory, name, data):
    raw = bytearray(CONTENT[name])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    path = write(tmp_path_factory.mktemp("fuzz"), {"U+3042/x": bytes(raw)})
    (source,) = folders.sources(path, "raw/x")
    samples = source.read(16)
    assert len(drain(samples)) + len(samples.rejects) == 1


@pytest.mark.parametrize(
    ("name", "count", "classes"), [("kanjicanvas", 2225, 2225), ("omniglot-katakana", 940, 47)]
)
def test_real_drawings(name, count, classes):
    path = HANDWRITING / f"{name}.zip"
    if not path.is_file():
        pytest.skip("no ../shared/handwriting here")
    (source,) = folders.sources(path, f"raw/{name}")
    assert len(source.names) == count
    few = folders.ImageFolder(source.corpus, source.root, source.names[:60])
    samples = few.read(64)
    images = drain(samples)
    assert not samples.rejects and len(images) == 60
    ink = (images > 127).mean((1, 2))
    assert ink.min() > 0.01 and ink.max() < 0.5
    codepoints = {tree.codepoint_of(Path(n).parent.name) for n in source.names}
    assert len(codepoints) == classes and None not in codepoints


def test_a_damaged_zip_is_an_error(tmp_path):
    path = make_zip(tmp_path / "x.zip", CONTENT)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"x\.zip: expected a zip archive"):
        folders.sources(path, "raw/x")


def test_images_of_one_size_at_any_size(tmp_path):
    (source,) = folders.sources(write(tmp_path, CONTENT), "raw/x")
    assert drain(source.read(48)).shape == (5, 48, 48)
    assert np.array_equal(drain(source.read(48)), drain(source.read(48)))
