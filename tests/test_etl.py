"""Records of every ETL set: the writer against the form sheets, the reader against the writer."""

import itertools
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from kakitori.corpora import archives, catalog, etl, extraction
from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SAMPLES, SETS
from kakitori.errors import DataError
from kakitori.reading.characters import charset
from kakitori.reading.characters.charset import etl_positions, jis_code
from kakitori.synthesis import forms
from tests.fuzzing import fuzz
from tests.sheets import CHARACTERS, PERSON, gray_set, layout_of, levels_of

HANDWRITTEN = [name for name in SETS if name != "ETL2"]
ONE_FOLDER = {"suppress_health_check": [HealthCheck.function_scoped_fixture]}


def write(folder: Path, name: str, *parts: np.ndarray, number: int = 1) -> etl.EtlFile:
    chosen = SETS[name]
    content = bytes(layout_of(name).record * chosen.dummy) + b"".join(p.tobytes() for p in parts)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / chosen.files[number - 1]).write_bytes(content)
    entry = archives.File(folder, chosen.files[number - 1])
    return etl.EtlFile(f"raw/{name}", name, number, entry)


def sources(root: Path, name: str) -> list:
    return catalog.sources(root, f"raw/{name}")


# --- the writer against the form sheets: offsets counted by hand -------------------------------


def test_etl9g_record_byte_by_byte():
    levels = levels_of(1)
    raw = forms.records("ETL9G", ("あ",), levels, 0, 0, PERSON)
    forms.number(raw, "ETL9G", np.array([0]))
    record = raw.tobytes()
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


def test_etl8g_image_starts_four_bytes_earlier_and_persons_are_filled():
    """The published first record of ETL8G: sheet 1, あ, sex 1, age 24, industry 3552, 8001."""
    levels = levels_of(1, "ETL8G")
    person = {"sex": 1, "age": 24, "industry": 3552, "occupation": 0}
    record = forms.records("ETL8G", ("あ",), levels, 0, 0, person).tobytes()
    assert struct.unpack(">HH8s", record[:12]) == (1, 0x2422, b"A.HIRA  ")
    assert record[16:20] == bytes([0, 0, 1, 24])
    assert struct.unpack(">HHH", record[20:26]) == (3552, 0, 8001)
    assert record[30:60] == bytes(30) and record[8188:] == bytes(11)
    assert record[60] == levels[0, 0, 0] << 4 | levels[0, 0, 1]


def test_m_type_record_byte_by_byte():
    levels = levels_of(1, "ETL6")
    raw = forms.records("ETL6", ("カ",), levels, 6, 0, PERSON)
    forms.number(raw, "ETL6", np.array([41]))
    record = raw.tobytes()
    assert len(record) == 2052
    assert struct.unpack(">H2sHB", record[:7]) == (1, b"KA", 7, 0xB6)
    assert record[8:12] == bytes([0, 0, 1, 23])
    assert struct.unpack(">IHHHH", record[12:24]) == (42, 9144, 11, 7604, 7604)
    assert record[24:26] == b"\x00\x00" and record[26:28] == bytes([levels.min(), levels.max()])
    assert record[32] == levels[0, 0, 0] << 4 | levels[0, 0, 1]
    assert record[32 + 32] == levels[0, 1, 0] << 4 | levels[0, 1, 1]
    assert record[28:32] == bytes(4) and record[2048:] == bytes(4)


def test_first_record_of_etl4():
    """The official one, packed here as a number of 36-bit fields: serial 500100, sheet 5001, 0xB1,
    EBCDIC 0x81, `H  A`, evaluations 0/0, Y 1, X 0, sex 1, age 23, industry 9144, occupation 11,
    741202/741216, 72, 76, 16, 133, 0."""
    t56 = {" ": 16, "A": 17, "H": 24}
    code = 0
    for letter in "H  A  ":
        code = code << 6 | t56[letter]
    values = [500100, 5001, 0xB1 << 28, 0x81 << 28, code, 0, 0, 1, 0, 1, 23, 9144, 11]
    values += [741202, 741216, 72, 76, 16, 133, 0]
    number = 0
    for value in values:
        number = number << 36 | value
    record = (number << 1008).to_bytes(216, "big") + bytes(2736)
    raw = np.frombuffer(record, np.uint8)[None]
    layout = layouts.LAYOUTS["C"]
    found = {name: layouts.field(raw, layout, name)[0] for name in layout.fields}
    assert found.pop("mnemonic") == b"H  A"
    assert list(found.values()) == [
        500100, 5001, 0xB1, 0x81, 0, 0, 1, 0, 1, 23, 9144, 11, 741202, 741216, 72, 76, 16, 133, 0,
    ]  # fmt: skip
    assert record[9] == 0xB1, "byte 9 is the code"
    # And ours holds the same, but for the EBCDIC code, which we leave out.
    ours = forms.records("ETL4", ("あ",), levels_of(1, "ETL4"), 0, 0, PERSON)
    forms.number(ours, "ETL4", np.array([0]))
    for name in ("serial", "sheet", "code", "mnemonic", "collected", "scanned", "levels", "age"):
        assert layouts.field(ours, layout, name)[0] == layouts.field(raw, layout, name)[0], name


def test_k_type_image_is_four_pixels_in_three_bytes():
    layout = layouts.LAYOUTS["K"]
    levels = levels_of(1, "ETL2")
    packed = layouts.encode(levels, layout)
    assert packed.shape == (1, 2700)
    bits = "".join(f"{byte:08b}" for byte in packed[0, :6].tolist())
    assert [int(bits[k : k + 6], 2) for k in range(0, 48, 6)] == levels[0, 0, :8].tolist()
    assert layouts.decode(np.full((1, 2700), 0xFF, np.uint8), layout).min() == 255


def test_t56_has_64_entries():
    assert len(layouts.T56) == 64
    assert (
        layouts.T56[17],
        layouts.T56[24],
        layouts.T56[33],
        layouts.T56[50],
        layouts.T56[63],
    ) == tuple("AHJS!")


# --- every layout, written and read ------------------------------------------------------------


@pytest.mark.parametrize("kind", layouts.LAYOUTS)
@given(data=st.data())
@fuzz(200, **ONE_FOLDER)
def test_random_records_survive(kind, data):
    """Every field and pixel of random records, and no bit of a neighbour's."""
    layout = layouts.LAYOUTS[kind]
    count = data.draw(st.integers(1, 3))
    raw = np.zeros((count, layout.record), np.uint8)
    seed = data.draw(st.integers(0, 2**32 - 1))
    levels = np.random.default_rng(seed).integers(
        0, 1 << layout.bits, (count, layout.height, layout.width), dtype=np.uint8
    )
    raw[:, layout.packed] = layouts.encode(levels, layout)
    written = {}
    for name, (what, _, bits) in layout.fields.items():
        if what == "u":
            value = st.integers(0, (1 << bits) - 1)
        else:
            letters = layouts.T56 if what == "t" else [chr(c) for c in range(32, 127)]
            size = bits // (6 if what == "t" else 8)
            value = st.text(st.sampled_from(sorted(set(letters))), min_size=size, max_size=size)
        written[name] = data.draw(st.lists(value, min_size=count, max_size=count))
        layouts.put(raw, layout, name, written[name])
    scale = 255 / ((1 << layout.bits) - 1)
    found = layouts.decode(np.ascontiguousarray(raw[:, layout.packed]), layout)
    np.testing.assert_array_equal(found, np.round(levels * scale))
    for name, values in written.items():
        read = layouts.field(raw, layout, name).tolist()
        assert [v.decode() if isinstance(v, bytes) else v for v in read] == values, name


@pytest.mark.parametrize("name", SETS)
@given(data=st.data())
@fuzz(50, **ONE_FOLDER)
def test_files_of_every_set_survive(tmp_path_factory, name, data):
    """Random records with codes of the set: identical pixels, labels and metadata from the file."""
    folder = tmp_path_factory.mktemp(name)
    layout, chosen = layout_of(name), SETS[name]
    count = data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    levels = levels_of(count, name, int(rng.integers(1 << 30)))
    if name == "ETL2":
        text, codes = ["亜"] * count, [21 << 6 | 6] * count
        (folder / "euc_co59.dat").write_bytes("亜:21,6".encode("euc_jp"))
    else:
        positions = etl_positions(name)
        picked = rng.choice(len(positions), count, replace=False)
        text = [positions[k] for k in (np.sort(picked) if name == "ETL8B" else picked)]
        code = {"X0208": jis_code, "X0213": charset.alphabet_codes().get}
        codes = [code.get(chosen.code, forms._x0201_code)(c) for c in text]
    values = {
        key: rng.integers(0, 1 << min(bits, 31), count)
        for key, (kind, _, bits) in layout.fields.items()
        if kind == "u"
    } | {"code": np.array(codes)}
    if chosen.writer == "sheet":
        values["sheet"] = np.full(count, 7)
    write(folder, name, layouts.pack(layout, levels, values))
    (found,) = etl.sources(folder, f"raw/{name}", folder / "none")
    raw = found.raw()
    for key, expected in values.items():
        np.testing.assert_array_equal(layouts.field(raw, layout, key), expected)
    ink = layouts.decode(np.ascontiguousarray(raw[:, layout.packed]), layout)
    np.testing.assert_array_equal(ink, np.round(levels * (255 / ((1 << layout.bits) - 1))))
    samples = found.read(64)
    assert "".join(map(chr, samples.codepoint)) == "".join(text)
    if "quality" in values:
        np.testing.assert_array_equal(samples.quality, values["quality"].clip(max=32767))
    if "sheet" in values:
        np.testing.assert_array_equal(samples.sheet, values["sheet"])


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_written_characters_are_read_as_themselves(tmp_path, name):
    """Each character of each set, through its codes: ヰ and ヱ as small kana, hiragana as
    katakana, ¥ and ‾ for the two codes that are not ASCII's."""
    characters = etl_positions(name)
    if name.endswith("B"):
        gray = gray_set(characters, name=name.replace("B", "G"))
        raw = forms.bilevel(gray, name, 1)
    else:
        raw = gray_set(characters, name=name)
    labels, errata = write(tmp_path, name, raw).labels(raw)
    assert "".join(map(chr, sorted(labels))) == "".join(sorted(characters))
    assert not errata


def test_official_totals():
    """FORMATS of the official pages: samples of ETL6 to 9 and distinct characters."""
    official = {"ETL1": 141_319, "ETL2": 52_796, "ETL3": 9_600, "ETL4": 6_120, "ETL5": 10_608}
    for name, total in official.items():
        assert sum(SETS[name].records) == total
    models = {"ETL8G": 956, "ETL8B": 956 + 3, "ETL9G": 0, "ETL9B": 3036 + 5}  # and dummies
    kept = {n: sum(SETS[n].records) - m for n, m in models.items()}
    assert kept == {"ETL8G": 152_960, "ETL8B": 152_960, "ETL9G": 607_200, "ETL9B": 607_200}
    etl6_to_9 = SAMPLES["ETL6"] + sum(SETS["ETL7"].records)
    assert etl6_to_9 + kept["ETL8G"] + kept["ETL9G"] == 951_422
    distinct = set().union(*(etl_positions(n) for n in ("ETL6", "ETL7", "ETL8G", "ETL9G")))
    assert 3_154 <= len(distinct) <= 3_156


def test_file_lengths_are_the_published_ones():
    def length(name, number):
        return SETS[name].records[number - 1] * layout_of(name).record

    assert length("ETL9G", 50) == 99_568_656
    assert (length("ETL9B", 4), length("ETL9B", 5)) == (69_950_016, 71_698_752)
    assert (length("ETL8G", 1), length("ETL8G", 33)) == (39_191_220, 7_838_244)
    assert (length("ETL8B", 1), length("ETL8B", 3)) == (26_214_912, 26_376_704)
    assert (length("ETL4", 1), length("ETL5", 1)) == (18_066_240, 31_314_816)
    assert [length("ETL1", n) for n in (1, 7, 9, 13)] == [
        23_721_120, 23_162_976, 23_160_924, 8_686_116,
    ]  # fmt: skip
    assert [length("ETL2", n) for n in (1, 3, 5)] == [24_858_720, 31_183_200, 31_347_900]
    assert (length("ETL7", 1), length("ETL7", 4)) == (19_699_200, 14_774_400)


def test_halved_decoding_is_the_mean_of_four_pixels():
    layout = layouts.LAYOUTS["G9"]
    packed = layouts.encode(levels_of(5), layout)
    full = layouts.decode(packed, layout).astype(float)
    mean = full[:, :126].reshape(5, 63, 2, 64, 2).mean((2, 4))
    halved = layouts.decode_halved(packed, layout)
    assert halved.shape == (5, 64, 64)
    assert np.abs(halved[:, :63] - mean).max() <= 1.5  # rounding of two halvings


# --- labels ------------------------------------------------------------------------------------


def test_known_wrong_codes_are_read_from_the_mnemonic(tmp_path):
    raw = gray_set(tuple("AB()[¥"), name="ETL6")
    layout = layouts.LAYOUTS["M"]
    code = layout.fields["code"][1] // 8
    raw[2, code], raw[3, code] = 0x29, 0x28  # ( and ) exchanged
    raw[4, code] = raw[5, code] = 0  # empty, mnemonics (( and $Y
    labels, errata = write(tmp_path, "ETL6", raw).labels(raw)
    assert "".join(map(chr, labels)) == "AB()[¥"
    assert errata == {
        "code empty, read from the mnemonic": 2,
        "parentheses exchanged, read from the mnemonic": 2,
    }


def test_known_defects_of_the_g_type_are_counted(tmp_path):
    """A scan date of month 80 (ETL8G's first record) and the serial number 49 in place of 201, as
    one of the official ETL9G samples has it; counting in the file or in the set is regular."""
    one = gray_set(CHARACTERS[71:81])
    for rows in (np.arange(20), np.tile(np.arange(10), 2)):
        raw = np.concatenate([one, one])
        forms.number(raw, "ETL9G", rows)
        assert not write(tmp_path, "ETL9G", raw).read(64).errata
    raw[3, 12:16], raw[4, 26:28] = [0, 0, 0, 49], [0x41, 0xF0]  # 16880
    assert write(tmp_path, "ETL9G", raw).read(64).errata == {
        "scan date that is no year and month": 1,
        "serial number that counts neither file nor set": 1,
    }


def test_a_code_that_the_set_cannot_hold_is_listed(tmp_path):
    raw = gray_set(tuple("アイウエオ") * 8, name="ETL6")
    raw[7, 6], raw[9, 6] = 0xA7, 0  # ァ was never written; no code at all, and no mnemonic
    raw[9, 2:4] = 0x20
    samples = write(tmp_path, "ETL6", raw).read(64)
    assert len(samples.codepoint) == 38 == sum(len(c.images) for c in samples.chunks)
    assert [(r.offset, r.reason[-4:]) for r in samples.rejects] == [
        (7 * 2052 + 6, "0xA7"),
        (9 * 2052 + 6, "0x00"),
    ]


def test_a_file_of_another_set_is_refused(tmp_path):
    digits = gray_set(tuple("0123456789"), name="ETL6")
    with pytest.raises(DataError, match=r"offset 6: expected a character of ETL7.*10 records"):
        write(tmp_path, "ETL7", digits).read(64)


def test_co59_by_the_users_table(tmp_path):
    """Two six-bit numbers; ▲ marks a position that nobody could read."""
    layout = layouts.LAYOUTS["K"]
    raw = np.zeros((40, layout.record), np.uint8)
    layouts.put(
        raw,
        layout,
        "code",
        [4 << 6 | 59 if k == 7 else 21 << 6 | 6 for k in range(40)],
    )
    source = write(tmp_path / "ETL2", "ETL2", raw)
    assert raw[0, 21] == 21 << 2 | 6 >> 4 and raw[0, 22] == (6 & 15) << 4
    with pytest.raises(DataError, match=r"euc_co59.dat.*expected the official table|expected the"):
        source.read(64)
    (tmp_path / "ETL2/euc_co59.dat").write_bytes("亜:21,6\n▲:4,59 Ａ:5,5".encode("euc_jp"))
    (found,) = etl.sources(tmp_path / "ETL2", "raw/ETL2", tmp_path / "none")
    samples = found.read(64)
    assert set(samples.codepoint) == {ord("亜")} and len(samples.codepoint) == 39
    assert samples.rejects[0].offset == 7 * 2745 + 21
    assert set(samples.writer_group) == {""}, "printed: nobody wrote"
    (tmp_path / "ETL2/euc_co59.dat").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="expected entries character:first,second"):
        found.read(64)


# --- writer groups -----------------------------------------------------------------------------


def test_sheets_are_writers_where_counts_agree(tmp_path):
    raw = np.concatenate([gray_set(tuple("アイウ"), w, name="ETL6") for w in (0, 1)])
    groups = write(tmp_path, "ETL6", raw).read(64).writer_group
    assert groups.tolist() == ["ETL6/sheet00001"] * 3 + ["ETL6/sheet00002"] * 3


@pytest.mark.parametrize("name", ["ETL5", "ETL7"])
def test_persons_are_writers_where_sheets_are_not(tmp_path, name):
    """Two sheets of one person are one group; the same sheet number of another person is not."""
    text = etl_positions(name)[:4]
    levels = levels_of(4, name)
    other = PERSON | {"age": 24}
    raw = np.concatenate(
        [
            forms.records(name, text, levels, 0, 0, PERSON),
            forms.records(name, text, levels, 3, 1, PERSON),
            forms.records(name, text, levels, 0, 0, other),
        ]
    )
    groups = write(tmp_path, name, raw).read(64).writer_group
    assert len(set(groups[:8])) == 1 and set(groups[:8]) != set(groups[8:])


@pytest.mark.parametrize("name", ["ETL8G", "ETL9B", "ETL9G"])
def test_sets_are_numbered_by_position(tmp_path, name):
    gray = gray_set(CHARACTERS[:20], name=name.replace("B", "G"))
    one = forms.bilevel(gray, name, 1) if name == "ETL9B" else gray
    one[:, :2] = 7  # sheet numbers irregular on purpose: the sets must not come from here
    source = write(tmp_path, name, one, one, one)
    numbers, models = source.set_numbers(source.labels(source.raw())[0])
    np.testing.assert_array_equal(numbers, np.repeat([1, 2, 3], 20))
    assert not models.any()


def test_set_numbers_go_on_over_files(tmp_path):
    one = gray_set(CHARACTERS[:20])
    source = write(tmp_path, "ETL9G", one, one, one, one, number=17)
    numbers, _ = source.set_numbers(source.labels(source.raw())[0])
    assert numbers.tolist()[::20] == [65, 66, 67, 68]


def test_etl8b_holds_all_of_one_character_and_then_the_next(tmp_path):
    gray = gray_set(CHARACTERS[:6], name="ETL8G")
    sets = np.stack([forms.bilevel(gray, "ETL8B", n + 1) for n in range(5)])  # (5, 6, 512)
    source = write(tmp_path, "ETL8B", sets.transpose(1, 0, 2).reshape(30, 512))
    numbers, models = source.set_numbers(source.labels(source.raw())[0])
    np.testing.assert_array_equal(numbers, np.tile([1, 2, 3, 4, 5], 6))
    assert not models.any()
    # The last file ends with the models: its codes begin anew, with the first of all.
    last = write(tmp_path, "ETL8B", sets.transpose(1, 0, 2)[4:].reshape(10, 512), sets[0], number=3)
    samples = last.read(64)
    assert samples.is_model_sheet.tolist() == [False] * 10 + [True] * 6
    assert samples.writer_group[10] == "ETL8/set161"


@pytest.mark.parametrize(
    ("sets", "first", "models"), [(41, 161, True), (21, 181, True), (40, 161, False)]
)
def test_etl9b_5_ends_with_the_models_also_when_it_was_split(tmp_path, sets, first, models):
    one = forms.bilevel(gray_set(CHARACTERS[:3]), "ETL9B", 1)
    source = write(tmp_path, "ETL9B", *[one] * sets, number=5)
    numbers, is_model = source.set_numbers(source.labels(source.raw())[0])
    assert numbers[0] == first and numbers[-1] == (201 if models else 200)
    assert is_model.sum() == 3 * models and (not models or is_model[-3:].all())


def test_the_models_of_etl8g_are_a_file_of_their_own(tmp_path):
    samples = write(tmp_path, "ETL8G", gray_set(CHARACTERS[:4], name="ETL8G"), number=33).read(64)
    assert samples.is_model_sheet.all()


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
            (found,) = etl.sources(tmp_path, f"raw/{name}", tmp_path / "none")
            samples = found.read(64)
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
    one = gray_set(CHARACTERS[71:77], name=base)
    if name.endswith("B"):
        one = forms.bilevel(one, name, 1)
    raw = np.repeat(one, 3, axis=0) if name == "ETL8B" else np.concatenate([one] * 3)
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
    one = gray_set(CHARACTERS[:5])
    with pytest.raises(DataError, match="expected 5 records in set 2, found 3"):
        write(tmp_path, "ETL9G", one, one[:3]).read(64)


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
    (found,) = sources(tmp_path, "ETL9G")
    assert found.number == 1 and catalog.corpora(tmp_path) == ["raw/ETL9G"]


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
    found = sources(tmp_path, "ETL9G")
    assert [s.file for s in found] == ["ETL9G_01"]
    left = catalog.passed_over(tmp_path, "raw/ETL9G", found)
    assert sorted(p.file for p in left) == [f"raw/ETL9G/{name}" for name in beside]


def test_the_files_that_a_set_lacks_are_named(tmp_path):
    for number in (1, 2, 5, 6, 7, 50):
        write(tmp_path / "raw/ETL9G", "ETL9G", gray_set(CHARACTERS[:9]), number=number)
    found = sources(tmp_path, "ETL9G")
    assert etl.missing(found) == "ETL9G_03…ETL9G_04, ETL9G_08…ETL9G_49"
    assert etl.missing(found[:1]) == "ETL9G_02…ETL9G_50"


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
