"""ETL files as people have them: damaged, incomplete, in folders and archives."""

import itertools
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora import catalog, etl, extraction
from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SETS
from kakitori.errors import DataError
from kakitori.reading.characters import charset
from kakitori.reading.characters.charset import etl_positions, jis_code
from kakitori.synthesis import forms
from tests.fuzzing import fuzz
from tests.sheets import (
    CHARACTERS,
    ONE_FOLDER,
    gray_set,
    layout_of,
    sources,
    write,
)

# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 4000, 8198])
def test_truncated_file_names_offset_and_lengths(tmp_path, cut):
    source = write(tmp_path, "ETL9G", gray_set(CHARACTERS[:3])[:, :].reshape(-1)[:-cut])
    with pytest.raises(DataError, match=rf"ETL9G_01: offset {2 * 8199}: expected records of 8199"):
        source.raw()


@pytest.mark.parametrize("name", SETS)
def test_a_file_cut_at_any_byte_is_an_error_or_listed(tmp_path, name):
    """Every length of a small file: no crash, no hang, nothing left out in silence."""
    text = etl_positions("ETL6" if name == "ETL2" else name)[:2]
    if name == "ETL2":
        raw = np.zeros((4, 2745), np.uint8)
        layouts.put(raw, layouts.LAYOUTS["K"], "code", 21 << 6 | 6)
        (tmp_path / "euc_co59.dat").write_bytes("亜:21,6".encode("euc_jp"))
    else:
        base = f"{name[:-1]}G" if name.endswith("B") else name
        raw = np.concatenate([gray_set(text, w, name=base) for w in (0, 1)])
        if name.endswith("B"):
            raw = np.concatenate([forms.bilevel(r, name, 1) for r in np.split(raw, 2)])
            raw = raw[[0, 2, 1, 3]] if name == "ETL8B" else raw
    whole = write(tmp_path, name, raw)
    path = tmp_path / SETS[name].files[0]
    content = path.read_bytes()
    step = layout_of(name).record
    tried = itertools.chain(range(0, len(content), 97), range(0, len(content), step))
    for length in tried:
        path.write_bytes(content[:length])
        try:
            (source,) = etl.sources(tmp_path, f"raw/{name}", tmp_path / "none")
            samples = source.read(64)
        except DataError as error:
            assert str(path) in str(error)
            continue
        records = length // step - SETS[name].dummy
        assert length % step == 0 and len(samples.codepoint) + len(samples.rejects) == records
        assert sum(len(c.images) for c in samples.chunks) == len(samples.codepoint)
        if records == 3 and "sheet" in layout_of(name).fields:
            # Of two sheets, or sets, one is short: said here, or where all files are compared.
            assert samples.errata or SETS[name].writer == "set", name
    assert whole.file == path.name


@pytest.mark.parametrize("name", ["ETL1", "ETL4", "ETL7", "ETL8B", "ETL8G", "ETL9B", "ETL9G"])
@given(data=st.data())
@fuzz(200, **ONE_FOLDER)
def test_flipped_header_bytes_never_crash(tmp_path, name, data):
    text = etl_positions(name)[:3]
    base = name.replace("B", "G")
    raw = np.concatenate([gray_set(text, w, name=base) for w in (0, 1)])
    if name.endswith("B"):
        raw = np.concatenate([forms.bilevel(r, name, 1) for r in np.split(raw, 2)])
        raw = raw[[0, 3, 1, 4, 2, 5]] if name == "ETL8B" else raw
    raw = raw.copy()
    for _ in range(data.draw(st.integers(1, 4))):
        record = data.draw(st.integers(0, 5))
        byte = data.draw(st.integers(0, layout_of(name).image - 1))
        raw[record, byte] ^= data.draw(st.integers(1, 255))
    source = write(tmp_path, name, raw)
    try:
        samples = source.read(64)
        assert len(samples.codepoint) + len(samples.rejects) == 6
        assert sum(len(c.images) for c in samples.chunks) == len(samples.codepoint)
    except DataError as error:
        assert source.file in str(error)


@pytest.mark.parametrize("name", ["ETL8B", "ETL8G", "ETL9B", "ETL9G"])
@pytest.mark.parametrize("to", ["another of the set", "a foreign one"])
def test_a_flipped_label_is_caught_where_codes_are_unique(tmp_path, name, to):
    base = name.replace("B", "G")
    records = gray_set(CHARACTERS[71:77], name=base)
    if name.endswith("B"):
        records = forms.bilevel(records, name, 1)
    raw = np.repeat(records, 3, axis=0) if name == "ETL8B" else np.concatenate([records] * 3)
    raw[8, 2:4] = (
        raw[12, 2:4] if to == "another of the set" else np.frombuffer(b"\x5d\x21", np.uint8)
    )
    source = write(tmp_path, name, raw)
    with pytest.raises(DataError, match="expected"):
        source.read(64)


def test_a_record_of_another_set_in_the_middle(tmp_path):
    """ETL8G's are as long as ETL9G's: told by the codes of the set."""
    raw = np.concatenate([gray_set(CHARACTERS[71:77])] * 2)
    raw[8] = gray_set(("っ",), name="ETL8G")[0]
    with pytest.raises(DataError, match=rf"offset {8 * 8199 + 2}: expected a character of ETL9G"):
        write(tmp_path, "ETL9G", raw).read(64)
    raw[8] = gray_set((CHARACTERS[90],), name="ETL8G")[0]
    with pytest.raises(DataError, match="expected the same codes in every set"):
        write(tmp_path, "ETL9G", raw).read(64)


def test_empty_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected records of 8199 bytes, found 0 bytes"):
        write(tmp_path, "ETL9G").raw()


def test_code_outside_jis_names_its_offset(tmp_path):
    raw = gray_set(CHARACTERS[:3])
    raw[1, 2:4] = 0xFF
    with pytest.raises(DataError, match=rf"offset {8199 + 2}: expected a JIS X 0208 code.*0xFFFF"):
        write(tmp_path, "ETL9G", raw).read(64)


def test_missing_dummy_is_refused(tmp_path):
    raw = forms.bilevel(gray_set(CHARACTERS[:3]), "ETL9B", 1)
    source = write(tmp_path, "ETL9B", raw)
    path = tmp_path / "ETL9B_1"
    path.write_bytes(path.read_bytes()[576:])
    with pytest.raises(DataError, match="all-zero dummy"):
        source.raw()
    path.write_bytes(bytes(576))
    with pytest.raises(DataError, match="offset 576: expected records, found the dummy alone"):
        source.raw()


def test_repeated_code_inside_a_set_is_refused(tmp_path):
    raw = gray_set(CHARACTERS[:5])
    raw[3, 2:4] = raw[2, 2:4]
    with pytest.raises(DataError, match=rf"offset {3 * 8199}: expected every code once in set 1"):
        write(tmp_path, "ETL9G", raw).read(64)


def test_set_cut_at_a_record_is_refused(tmp_path):
    records = gray_set(CHARACTERS[:5])
    with pytest.raises(DataError, match="expected 5 records in set 2, found 3"):
        write(tmp_path, "ETL9G", records, records[:3]).read(64)


def test_a_file_cut_inside_its_only_set_is_refused(tmp_path):
    write(tmp_path / "raw/ETL9G", "ETL9G", gray_set(CHARACTERS[:6]))
    write(tmp_path / "raw/ETL9G", "ETL9G", gray_set(CHARACTERS[:6])[:4], number=2)
    (tmp_path / "shards").mkdir()
    with pytest.raises(DataError, match=r"ETL9G_0.: expected the same . characters in every set"):
        extraction.write_shards(sources(tmp_path, "ETL9G"), tmp_path / "shards", 64)


# --- folders, zips, names ----------------------------------------------------------------------


def test_zip_and_folder_read_alike(tmp_path):
    write(tmp_path / "raw/ETL9G", "ETL9G", gray_set(CHARACTERS[:9]))
    (folder,) = sources(tmp_path, "ETL9G")
    plain = folder.raw().tobytes()
    (tmp_path / "raw/ETL9G/ETL9G_01").unlink()
    (tmp_path / "raw/ETL9G").rmdir()
    with zipfile.ZipFile(tmp_path / "raw/ETL9G.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("ETL9G/ETL9G_01", plain)
        bundle.writestr("ETL9G/ETL9INFO", "about")
    (zipped,) = sources(tmp_path, "ETL9G")
    assert zipped.raw().tobytes() == plain


def test_names_in_any_case_with_hyphens_and_in_subfolders(tmp_path):
    folder = tmp_path / "raw/etl9g"
    write(folder, "ETL9G", gray_set(CHARACTERS[:9]))
    (folder / "ETL9G").mkdir()
    (folder / "ETL9G_01").rename(folder / "ETL9G/etl9g-01")
    (source,) = sources(tmp_path, "ETL9G")
    assert source.number == 1 and catalog.corpora(tmp_path) == ["raw/ETL9G"]


def test_two_copies_of_a_file_are_refused(tmp_path):
    for folder in ("raw/ETL9G", "raw/ETL9G/copy"):
        write(tmp_path / folder, "ETL9G", gray_set(CHARACTERS[:9]))
    with pytest.raises(DataError, match=r"expected file 1 of raw/ETL9G once, found it also at"):
        sources(tmp_path, "ETL9G")


def test_two_copies_of_a_set_are_refused(tmp_path, capsys):
    for folder in ("raw/ETL9G", "raw/etl9g"):
        write(tmp_path / folder, "ETL9G", gray_set(CHARACTERS[:9]))
    with pytest.raises(DataError, match=r"expected corpus raw/ETL9G once, found it also at"):
        sources(tmp_path, "ETL9G")
    (tmp_path / "raw/etl9g/ETL9G_01").unlink()
    (tmp_path / "raw/etl9g").rmdir()
    with zipfile.ZipFile(tmp_path / "raw/ETL9G.zip", "w") as bundle:
        bundle.writestr("ETL9G_01", b"")
    assert len(sources(tmp_path, "ETL9G")) == 1
    assert "not from the archive beside it" in capsys.readouterr().out


def test_auto_takes_every_set_but_one_rendering(tmp_path):
    for place, name in itertools.product(("raw", "synthetic"), ("ETL9G", "ETL9B", "ETL8B", "ETL4")):
        (tmp_path / place / name).mkdir(parents=True)
    (tmp_path / "raw/mine/U+3042").mkdir(parents=True)
    assert catalog.corpora(tmp_path) == [
        "raw/ETL4", "raw/ETL8B", "raw/ETL9G", "raw/mine",
        "synthetic/ETL4", "synthetic/ETL8B", "synthetic/ETL9G",
    ]  # fmt: skip
    assert "raw/ETL9B" in catalog.corpora(tmp_path, both_renderings=True)
    with pytest.raises(DataError, match="expected at least one corpus, found none"):
        catalog.corpora(tmp_path / "raw/mine")


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("raw/ETL9G", "expected the files of corpus raw/ETL9G in a folder or archive"),
        ("elsewhere/ETL9G", "data.corpora: expected auto, synthetic, or names such as"),
        ("ETL9G", "data.corpora: expected auto, synthetic, or names such as"),
    ],
)
def test_absent_corpus(tmp_path, corpus, message):
    with pytest.raises(DataError, match=message):
        catalog.sources(tmp_path, corpus)


def test_empty_folder_and_strange_files(tmp_path):
    folder = tmp_path / "raw/ETL9G"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match="found no such file"):
        sources(tmp_path, "ETL9G")
    (folder / "ETL9G_51").write_bytes(b"")
    with pytest.raises(DataError, match="'ETL9G_51', which is no file of this set"):
        sources(tmp_path, "ETL9G")
    (folder / "ETL9G_51").rename(folder / "ETL8G_01")
    with pytest.raises(DataError, match="'ETL8G_01', which is no file of this set"):
        sources(tmp_path, "ETL9G")
    (tmp_path / "raw/notes").mkdir()
    (tmp_path / "raw/notes/a.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"expected an ETL set .*found none of them"):
        sources(tmp_path, "notes")


def test_what_lies_beside_the_files_of_a_set_is_listed(tmp_path):
    """The official sample code writes its PNG, TXT and CSV files there."""
    folder = tmp_path / "raw/ETL9G"
    write(folder, "ETL9G", gray_set(CHARACTERS[:9]))
    official = ("ETL9INFO",)
    beside = ("ETL9G_01.csv", "ETL9G_01_unpack/0001.png", "README.txt", "Thumbs.db", "desktop.ini")
    for name in (*official, *beside):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    set_sources = sources(tmp_path, "ETL9G")
    assert [s.file for s in set_sources] == ["ETL9G_01"]
    left = catalog.passed_over(tmp_path, "raw/ETL9G", set_sources)
    assert sorted(p.file for p in left) == [f"raw/ETL9G/{name}" for name in beside]


def test_the_files_that_a_set_lacks_are_named(tmp_path):
    for number in (1, 2, 5, 6, 7, 50):
        write(tmp_path / "raw/ETL9G", "ETL9G", gray_set(CHARACTERS[:9]), number=number)
    set_sources = sources(tmp_path, "ETL9G")
    assert etl.missing(set_sources) == "ETL9G_03…ETL9G_04, ETL9G_08…ETL9G_49"
    assert etl.missing(set_sources[:1]) == "ETL9G_02…ETL9G_50"


@pytest.mark.parametrize("name", ["../ETL9G_01", "/ETL9G_01", "a/../../ETL9G_01", "C:\\ETL9G_01"])
def test_zip_that_climbs_out_is_refused(tmp_path, name):
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw/ETL9G.zip", "w") as bundle:
        bundle.writestr(name, b"x")
    with pytest.raises(DataError, match="climbs out"):
        sources(tmp_path, "ETL9G")


def test_a_zip_in_a_zip_is_refused(tmp_path):
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw/ETL9G.zip", "w") as bundle:
        bundle.writestr("ETL9G-1.zip", b"x")
    with pytest.raises(DataError, match="an archive in an archive"):
        sources(tmp_path, "ETL9G")


def test_file_that_is_no_zip(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/ETL9G.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="expected a zip archive"):
        sources(tmp_path, "ETL9G")


@pytest.mark.parametrize("flip", [100, 3000])
def test_damaged_zip_member_is_named(tmp_path, flip):
    (tmp_path / "raw").mkdir()
    path = tmp_path / "raw/ETL9G.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("ETL9G_01", gray_set(CHARACTERS[:9]).tobytes())
    content = bytearray(path.read_bytes())
    content[flip] ^= 0xFF
    path.write_bytes(content)
    (source,) = sources(tmp_path, "ETL9G")
    with pytest.raises(DataError, match="ETL9G_01: expected a readable member"):
        source.raw()


def test_look_alikes_are_pairs_of_different_classes():
    for group in charset.LOOK_ALIKES:
        assert len(set(group)) == len(group) > 1
    assert len(charset.look_alikes()) == sum(map(len, charset.LOOK_ALIKES)), "no two groups share"
    assert jis_code("一") != jis_code("ー")
