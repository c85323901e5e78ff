import io
import tarfile
import types
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora import archives
from kakitori.errors import DataError
from tests.bundles import make_tar, make_zip
from tests.fuzzing import fuzz

CONTENT = {"a/one.png": b"1" * 700, "a/two.png": bytes(range(256)) * 3, "three": b""}


def make(path: Path, content: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        return make_zip(path, content)
    return make_tar(path, content, "w:gz" if path.suffix == ".gz" else "w")


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "X.ZIP"])
def test_members_come_as_they_were_written(tmp_path, name):
    path = make(tmp_path / name.lower(), CONTENT).rename(tmp_path / name)
    assert archives.members(path) == list(CONTENT)
    assert dict(archives.read_each(path, list(CONTENT))) == CONTENT
    heads = dict(archives.read_each(path, ["a/two.png"], most=3))
    assert heads == {"a/two.png": b"\0\1\2"}
    file = archives.File(path, "a/two.png")
    assert file.read().tobytes() == CONTENT["a/two.png"]
    assert (file.base, file.place, str(file)) == ("two.png", "a", f"{path}: a/two.png")


def test_folders_and_the_archives_in_them_are_listed_without_hidden_files(tmp_path):
    make_zip(tmp_path / "b.zip", CONTENT | {"__MACOSX/._x": b"", "a/.hidden": b""})
    for name in ("c/d", ".git/x", "a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    files = [(f.root.name, f.name) for f in archives.files(tmp_path)]
    zipped = [("b.zip", name) for name in CONTENT]
    assert files == [(tmp_path.name, "a"), *zipped, (tmp_path.name, "c/d")]


@pytest.mark.parametrize("suffix", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x"])
def test_names_that_climb_out_are_refused(tmp_path, suffix, name):
    path = make(tmp_path / f"x.{suffix}", {name: b"x"})
    with pytest.raises(DataError, match="climbs out"):
        archives.members(path)


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_nothing_but_an_archive_in_an_archive_is_refused(tmp_path, suffix):
    path = make(tmp_path / f"x.{suffix}", {"inner.zip": b"PK"})
    with pytest.raises(DataError, match="archive in an archive"):
        archives.files(tmp_path)
    with pytest.raises(DataError, match="archive in an archive"):
        list(archives.read_each(path, ["inner.zip"]))


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_an_archive_beside_files_in_an_archive_is_listed(tmp_path, suffix):
    content = {"a/1.dat": b"x", "a/more.7z": b"7z", "a/inner.zip": b"PK", "__MACOSX/b.zip": b"PK"}
    path = make(tmp_path / f"x.{suffix}", content)
    listing = archives.listing(tmp_path)
    assert [file.name for file in listing.files] == ["a/1.dat"]
    assert listing.passed_over[f"{path}: a/inner.zip"] == archives.INNER_ARCHIVE
    assert f"{path}: a/more.7z" in listing.passed_over
    assert list(archives.read_each(path, ["a/1.dat"])) == [("a/1.dat", b"x")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_a_name_that_comes_twice_is_refused(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w") as bundle:
            bundle.writestr("a", "1")
            bundle.writestr("a", "2")
    else:
        with tarfile.open(path, "w") as bundle:
            bundle.addfile(tarfile.TarInfo("a"))
            bundle.addfile(tarfile.TarInfo("a"))
    with pytest.raises(DataError, match="every name once"):
        archives.members(path)


def linked(path: Path, links: dict[str, str], hard: dict[str, str] | None = None) -> Path:
    """CONTENT and links, `hard` ones in a tar alone."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as bundle:
            for name, data in CONTENT.items():
                bundle.writestr(name, data)
            for name, target in links.items():
                entry = zipfile.ZipInfo(name)
                entry.create_system, entry.external_attr = 3, 0o120777 << 16
                bundle.writestr(entry, target)
        return path
    with tarfile.open(path, "w") as bundle:
        for name, data in CONTENT.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            bundle.addfile(entry, io.BytesIO(data))
        kinds = ((links, tarfile.SYMTYPE), (hard or {}, tarfile.LNKTYPE))
        for name, target, kind in [(n, t, kind) for some, kind in kinds for n, t in some.items()]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            bundle.addfile(entry)
    return path


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_links_in_an_archive_are_followed_inside_it(tmp_path, suffix):
    links = {
        "b/1.png": "../a/one.png",
        "b/2.png": "1.png",  # a link to a link
        "folder": "a",
        "deep/er": "../folder",
        "out": "../../etc/passwd",
        "absolute": "/etc/passwd",
        "nothing": "absent.png",
        "round": "trip",
        "trip": "round",
        "a/loop": "../a",
    }
    path = linked(tmp_path / f"x.{suffix}", links, {"hard.png": "a/one.png"})
    target, two = CONTENT["a/one.png"], CONTENT["a/two.png"]
    contents = dict(archives.read_each(path, archives.members(path)))
    hard = {"hard.png": target} if suffix == "tar" else {}
    assert contents == hard | CONTENT | {
        "b/1.png": target, "b/2.png": target, "folder/one.png": target, "folder/two.png": two,
        "deep/er/one.png": target, "deep/er/two.png": two,
    }  # fmt: skip
    left = archives.listing(path).passed_over
    reasons = {name.removeprefix(f"{path}: "): reason for name, reason in left.items()}
    assert {"out", "absolute", "nothing", "round", "trip", "a/loop"} <= reasons.keys()
    assert reasons["nothing"] == "a link to nothing" and "out of the archive" in reasons["out"]


def test_links_that_multiply_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_ALIASES", 500)
    links = {f"{k}/{side}": f"../{k + 1}" for k in range(12) for side in "ab"} | {"12": "a"}
    with pytest.raises(DataError, match="at most 500 names by links"):
        archives.members(linked(tmp_path / "x.tar", links))


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_devices_in_a_tar_are_passed_over(tmp_path, kind):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as bundle:
        entry = tarfile.TarInfo("a")
        entry.type = kind
        bundle.addfile(entry)
    assert archives.listing(path) == ([], {f"{path}: a": archives.NO_FILE})


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_japanese_names_in_a_zip_are_read_as_they_were_meant(tmp_path, encoding):
    """macOS writes UTF-8 without saying so, Japanese Windows its own code page."""
    path = tmp_path / "x.zip"
    name = "表/え/1.png".encode(encoding)
    make_zip(path, {"x" * len(name): b"ink"})
    path.write_bytes(path.read_bytes().replace(b"x" * len(name), name))
    assert dict(archives.read_each(path, ["表/え/1.png"])) == {"表/え/1.png": b"ink"}


def test_a_member_larger_than_the_memory_that_is_left_is_refused(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "x.zip", {"a": b"0" * (2 << 20)})
    free = types.SimpleNamespace(available=1 << 20)
    monkeypatch.setattr(archives.psutil, "virtual_memory", lambda: free)
    with pytest.raises(DataError, match=r"x\.zip: a: expected at most half of the memory"):
        archives.File(path, "a").read()
    assert dict(archives.read_each(path, ["a"], most=4)) == {"a": b"0000"}, "its head fits"


def test_archives_of_other_kinds_are_named(tmp_path):
    for name in ("a.7z", "b.rar", "c.tar.zst"):
        (tmp_path / name).write_bytes(b"x")
    assert list(archives.listing(tmp_path).passed_over.values()) == [archives.OTHER_ARCHIVE] * 3


def test_encrypted_and_oversized_members_are_refused(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "x.zip", {"a": b"x" * 100})
    monkeypatch.setattr(archives, "MAX_MEMBER", 99)
    with pytest.raises(DataError, match="at most 99 bytes, found 'a' with 100"):
        archives.members(path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\1\2") + 8] |= 1  # bit 0 of the flags in the central directory
    path.write_bytes(raw + b"")
    archives._members.cache_clear()
    with pytest.raises(DataError, match="encrypted"):
        archives.members(path)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_every_cut_is_noticed(tmp_path, suffix):
    path = make(tmp_path / f"x.{suffix}", CONTENT)
    whole = path.read_bytes()
    # Two empty blocks end a tar, and zeros fill its last record: the last one may go.
    end = len(whole.rstrip(b"\0")) + 512 if suffix == "tar" else len(whole)
    for cut in range(0, end, 1 if suffix != "tar" else 7):
        path.write_bytes(whole[:cut])
        archives._members.cache_clear()
        with pytest.raises(DataError):
            dict(archives.read_each(path, archives.members(path)))
            raise AssertionError(f"a cut at {cut} of {len(whole)} went unnoticed")


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_flipped_bytes_end_in_an_error_or_the_content(tmp_path_factory, suffix):
    folder = tmp_path_factory.mktemp("flip")
    path = make(folder / f"x.{suffix}", CONTENT)
    whole = path.read_bytes()

    @fuzz(400)
    @given(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)), min_size=1))
    def check(flips):
        raw = bytearray(whole)
        for at, value in flips:
            raw[at] ^= value
        path.write_bytes(raw)
        archives._members.cache_clear()
        try:
            dict(archives.read_each(path, archives.members(path)))
        except DataError as error:
            assert str(path) in str(error)

    check()
