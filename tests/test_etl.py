import struct
import zipfile

import cv2
import numpy as np
import pytest

from kakitori.corpora import etl, extraction
from kakitori.errors import DataError
from kakitori.writing.charset import etl9_characters, etl_reading, jis_code

CHARACTERS = list(etl9_characters())


def levels_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 16, (count, 127, 128), dtype=np.uint8)


def gray_set(characters: list[str], place: int = 0, seed: int = 0) -> np.ndarray:
    jis = np.array([jis_code(c) for c in characters])
    readings = [etl_reading(c) for c in characters]
    return etl.etl9g_set(levels_of(len(characters), seed), jis, readings, place)


@pytest.fixture(scope="module")
def whole_set() -> np.ndarray:
    """All 3,036 records of the second set of a file, with empty images."""
    jis = np.array([jis_code(c) for c in CHARACTERS])
    blank = np.zeros((len(CHARACTERS), 127, 128), np.uint8)
    return etl.etl9g_set(blank, jis, [etl_reading(c) for c in CHARACTERS], 1)


# --- the writer against the form sheets: offsets counted by hand


def test_etl9g_record_byte_by_byte():
    levels = levels_of(1)
    record = etl.etl9g_set(levels, np.array([0x2422]), ["A.HIRA"], 0).tobytes()
    assert len(record) == 8199
    assert record[0:2] == b"\x00\x01"  # sheet 1
    assert record[2:4] == b"\x24\x22"  # あ
    assert record[4:12] == b"A.HIRA  "
    assert record[12:16] == b"\x00\x00\x00\x01"  # serial data number
    assert record[16:24] == bytes(8)  # evaluations and demographics, as in the official samples
    assert struct.unpack(">HH", record[24:28]) == (8212, 8212)
    assert record[28:30] == b"\x00\x00"  # X, Y
    assert record[30:64] == bytes(34)
    assert record[8192:] == bytes(7)
    # High nibble first, 64 bytes a row, from offset 64.
    for row, column in [(0, 0), (0, 1), (1, 0), (126, 127), (63, 40)]:
        byte = record[64 + 64 * row + column // 2]
        nibble = byte >> 4 if column % 2 == 0 else byte & 15
        assert nibble == levels[0, row, column]


def test_etl9g_geometry_of_every_record(whole_set):
    """ETL-9 specification: 152 samples a form in 16 columns, twenty forms, the last with 148."""
    r = np.arange(3036)
    np.testing.assert_array_equal(whole_set["sheet"], 20 + r // 152 + 1)
    np.testing.assert_array_equal(whole_set["x"], (r % 152) % 16)
    np.testing.assert_array_equal(whole_set["y"], (r % 152) // 16)
    assert np.bincount(r // 152)[-1] == 148
    np.testing.assert_array_equal(whole_set["serial"], 3036 + r + 1)


def test_etl9g_order_starts_with_kanji_and_interleaves_hiragana(whole_set):
    codes = whole_set["jis"].astype(int)
    assert codes[0] == 0x3021
    kanji = codes[codes >= 0x3021]
    assert (np.diff(kanji) > 0).all() and len(kanji) == 2965
    per_form = [int((codes[f * 152 : (f + 1) * 152] < 0x3021).sum()) for f in range(20)]
    assert set(per_form) == {3, 4} and sum(per_form) == 71


def test_etl9b_order_and_sheets(whole_set):
    """The official ETL9B samples: records 100, 200, 300, 400 are kana and then kanji ranks 29, …;
    their sheets say on which form of the set the character stood."""
    gray = whole_set.copy()
    gray["image"][:, ::7] = 0xFF
    bilevel = etl.etl9b_set(gray, 121)
    codes = bilevel["jis"].astype(int)
    assert (np.diff(codes) > 0).all()
    assert codes[0] == 0x2422 and bilevel["reading"][0] == b"A.HI"
    for record, rank in [(100, 29), (200, 129), (300, 229), (400, 329)]:
        assert codes[record - 1] == jis_code(CHARACTERS[71:][rank - 1])
    assert bilevel["sheet"][0] == 20 * 120 + 1
    assert bilevel["sheet"].max() == 20 * 121


def test_etl9b_record_length_and_threshold():
    gray = gray_set(["書"])
    bilevel = etl.etl9b_set(gray, 1)
    assert len(bilevel.tobytes()) == 576
    levels = etl.decode(gray["image"], etl.LAYOUTS["ETL9G"])[0] // 17
    halved = levels[:126].reshape(63, 2, 64, 2).astype(int).sum((1, 3)) // 4
    otsu, _ = cv2.threshold(halved.astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    expected = halved > 0.4 * otsu + 0.6 * halved.mean()
    ink = etl.decode(bilevel["image"], etl.LAYOUTS["ETL9B"])[0]
    np.testing.assert_array_equal(ink == 255, expected)


# --- the reader against the writer -------------------------------------------------------------


def write(folder, name: str, *sets: np.ndarray) -> etl.Source:
    layout = etl.LAYOUTS[name]
    path = folder / layout.file_name.format(1)
    content = bytes(layout.record * layout.dummy) + b"".join(s.tobytes() for s in sets)
    path.write_bytes(content)
    return etl.Source(f"raw/{name}", layout, 1, path)


def test_pixels_survive_writing_and_reading(tmp_path):
    characters = CHARACTERS[60:90]
    levels = levels_of(30, seed=3)
    jis = np.array([jis_code(c) for c in characters])
    records = etl.etl9g_set(levels, jis, [""] * 30, 0)
    read = write(tmp_path, "ETL9G", records).records()
    order = etl.sheet_order(jis)
    ink = etl.decode(np.ascontiguousarray(read["image"]), etl.LAYOUTS["ETL9G"])
    np.testing.assert_array_equal(ink, levels[order] * 17)


def test_halved_decoding_is_the_mean_of_four_pixels():
    packed = etl.encode(levels_of(5), etl.LAYOUTS["ETL9G"])
    full = etl.decode(packed, etl.LAYOUTS["ETL9G"]).astype(float)
    mean = full[:, :126].reshape(5, 63, 2, 64, 2).mean((2, 4))
    halved = etl.decode_halved(packed, etl.LAYOUTS["ETL9G"])
    assert halved.shape == (5, 64, 64)
    assert np.abs(halved[:, :63] - mean).max() <= 1.5  # rounding of two halvings


@pytest.mark.parametrize("name", ["ETL9G", "ETL9B"])
def test_sets_are_numbered_by_position(tmp_path, name):
    gray = gray_set(CHARACTERS[:20])
    one = gray if name == "ETL9G" else etl.etl9b_set(gray, 1)
    one["sheet"] = 7  # irregular on purpose: the numbers must not come from here
    source = write(tmp_path, name, one, one, one)
    numbers = etl.set_numbers(source.records(), source)
    np.testing.assert_array_equal(numbers, np.repeat([1, 2, 3], 20))


def test_set_numbers_go_on_over_files(tmp_path):
    one = gray_set(CHARACTERS[:20])
    write(tmp_path, "ETL9G", one, one, one, one)
    path = tmp_path / "ETL9G_01"
    source = etl.Source("raw/ETL9G", etl.LAYOUTS["ETL9G"], 17, path)
    assert etl.set_numbers(source.records(), source).tolist()[::20] == [65, 66, 67, 68]


def test_zip_and_folder_read_alike(tmp_path):
    (tmp_path / "raw/ETL9G").mkdir(parents=True)
    write(tmp_path / "raw/ETL9G", "ETL9G", gray_set(CHARACTERS[:9]))
    (folder,) = etl.find_sources(tmp_path, "raw/ETL9G")
    content = folder.path.read_bytes()
    plain = folder.records().tobytes()
    folder.path.unlink()
    folder.path.parent.rmdir()
    with zipfile.ZipFile(tmp_path / "raw/ETL9G.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("ETL9G/ETL9G_01", content)
        bundle.writestr("ETL9G/ETL9INFO", "about")
    (zipped,) = etl.find_sources(tmp_path, "raw/ETL9G")
    assert zipped.records().tobytes() == plain


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 4000, 8198])
def test_truncated_file_names_offset_and_lengths(tmp_path, cut):
    source = write(tmp_path, "ETL9G", gray_set(CHARACTERS[:3]))
    source.path.write_bytes(source.path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=rf"ETL9G_01: offset {2 * 8199}: expected records of 8199"):
        source.records()


def test_empty_file_is_refused(tmp_path):
    source = write(tmp_path, "ETL9G")
    with pytest.raises(DataError, match="expected records of 8199 bytes, found 0 bytes"):
        source.records()


def test_code_outside_jis_names_its_offset(tmp_path):
    records = gray_set(CHARACTERS[:3])
    records["jis"][1] = 0xFFFF
    with pytest.raises(DataError, match=rf"offset {8199 + 2}: expected a JIS X 0208 code.*0xFFFF"):
        write(tmp_path, "ETL9G", records).records()


def test_missing_dummy_is_refused(tmp_path):
    source = write(tmp_path, "ETL9B", etl.etl9b_set(gray_set(CHARACTERS[:3]), 1))
    source.path.write_bytes(source.path.read_bytes()[576:])
    with pytest.raises(DataError, match="all-zero dummy"):
        source.records()


def test_repeated_code_inside_a_set_is_refused(tmp_path):
    records = gray_set(CHARACTERS[:5])
    records["jis"][3] = records["jis"][2]
    source = write(tmp_path, "ETL9G", records)
    with pytest.raises(DataError, match=rf"offset {3 * 8199}: expected every code once in set 1"):
        etl.set_numbers(source.records(), source)


def test_set_cut_at_a_record_is_refused(tmp_path):
    one = gray_set(CHARACTERS[:5])
    source = write(tmp_path, "ETL9G", one, one[:3])
    with pytest.raises(DataError, match="expected 5 records in set 2, found 3"):
        etl.set_numbers(source.records(), source)


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("raw/ETL9G", "expected the files ETL9G_01…ETL9G_50 of corpus raw/ETL9G"),
        ("raw/ETL99", "data.corpora: expected one of .*synthetic/ETL9G.*found 'raw/ETL99'"),
        ("elsewhere/ETL9G", "data.corpora: expected one of"),
    ],
)
def test_absent_corpus(tmp_path, corpus, message):
    with pytest.raises(DataError, match=message):
        etl.find_sources(tmp_path, corpus)


def test_empty_folder_and_strange_file(tmp_path):
    folder = tmp_path / "raw/ETL9G"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match="found no such file"):
        etl.find_sources(tmp_path, "raw/ETL9G")
    (folder / "ETL9G_51").write_bytes(b"")
    with pytest.raises(DataError, match="'ETL9G_51', which is no file of this set"):
        etl.find_sources(tmp_path, "raw/ETL9G")


@pytest.mark.parametrize("name", ["../ETL9G_01", "/ETL9G_01", "a/../../ETL9G_01", "C:\\ETL9G_01"])
def test_zip_that_climbs_out_is_refused(tmp_path, name):
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw/ETL9G.zip", "w") as bundle:
        bundle.writestr(name, b"x")
    with pytest.raises(DataError, match="climbs out"):
        etl.find_sources(tmp_path, "raw/ETL9G")


def test_file_that_is_no_zip(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/ETL9G.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="expected a zip archive"):
        etl.find_sources(tmp_path, "raw/ETL9G")


@pytest.mark.parametrize("flip", [100, 3000])
def test_damaged_zip_member_is_named(tmp_path, flip):
    (tmp_path / "raw").mkdir()
    path = tmp_path / "raw/ETL9G.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("ETL9G_01", gray_set(CHARACTERS[:9]).tobytes())
    content = bytearray(path.read_bytes())
    content[flip] ^= 0xFF
    path.write_bytes(content)
    (source,) = etl.find_sources(tmp_path, "raw/ETL9G")
    with pytest.raises(DataError, match="ETL9G_01: expected a readable zip member"):
        source.records()


def test_a_dummy_alone_is_refused(tmp_path):
    with pytest.raises(DataError, match="offset 576: expected records, found the dummy alone"):
        write(tmp_path, "ETL9B").records()


def test_a_file_cut_inside_its_only_set_is_refused(tmp_path):
    folder = tmp_path / "raw/ETL9G"
    folder.mkdir(parents=True)
    gray_set(CHARACTERS[:6]).tofile(folder / "ETL9G_01")
    gray_set(CHARACTERS[:6])[:4].tofile(folder / "ETL9G_02")
    shards = tmp_path / "shards"
    shards.mkdir()
    with pytest.raises(DataError, match=r"ETL9G_02: expected 6 records in every set.*found 4"):
        extraction.write_shards(etl.find_sources(tmp_path, "raw/ETL9G"), shards, 64)
