"""Records of every ETL set: the writer against the form sheets, the reader against the writer."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora import etl
from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SAMPLES, SETS
from kakitori.errors import DataError
from kakitori.reading.characters import charset
from kakitori.reading.characters.charset import etl_positions, jis_code
from kakitori.synthesis import forms
from tests.fuzzing import fuzz
from tests.sheets import (
    CHARACTERS,
    HANDWRITTEN,
    ONE_FOLDER,
    PERSON,
    gray_set,
    layout_of,
    levels_of,
    write,
)

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
    fields = {name: layouts.field(raw, layout, name)[0] for name in layout.fields}
    assert fields.pop("mnemonic") == b"H  A"
    assert list(fields.values()) == [
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
    ink = layouts.decode(np.ascontiguousarray(raw[:, layout.packed]), layout)
    np.testing.assert_array_equal(ink, np.round(levels * scale))
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
    (source,) = etl.sources(folder, f"raw/{name}", folder / "none")
    raw = source.raw()
    for key, expected in values.items():
        np.testing.assert_array_equal(layouts.field(raw, layout, key), expected)
    ink = layouts.decode(np.ascontiguousarray(raw[:, layout.packed]), layout)
    np.testing.assert_array_equal(ink, np.round(levels * (255 / ((1 << layout.bits) - 1))))
    samples = source.read(64)
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
    records = gray_set(CHARACTERS[71:81])
    for rows in (np.arange(20), np.tile(np.arange(10), 2)):
        raw = np.concatenate([records, records])
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
    (source_with_table,) = etl.sources(tmp_path / "ETL2", "raw/ETL2", tmp_path / "none")
    samples = source_with_table.read(64)
    assert set(samples.codepoint) == {ord("亜")} and len(samples.codepoint) == 39
    assert samples.rejects[0].offset == 7 * 2745 + 21
    assert set(samples.writer_group) == {""}, "printed: nobody wrote"
    (tmp_path / "ETL2/euc_co59.dat").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="expected entries character:first,second"):
        source_with_table.read(64)


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
    records = forms.bilevel(gray, name, 1) if name == "ETL9B" else gray
    records[:, :2] = 7  # sheet numbers irregular on purpose: the sets must not come from here
    source = write(tmp_path, name, records, records, records)
    numbers, models = source.set_numbers(source.labels(source.raw())[0])
    np.testing.assert_array_equal(numbers, np.repeat([1, 2, 3], 20))
    assert not models.any()


def test_set_numbers_go_on_over_files(tmp_path):
    records = gray_set(CHARACTERS[:20])
    source = write(tmp_path, "ETL9G", records, records, records, records, number=17)
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
    records = forms.bilevel(gray_set(CHARACTERS[:3]), "ETL9B", 1)
    source = write(tmp_path, "ETL9B", *[records] * sets, number=5)
    numbers, is_model = source.set_numbers(source.labels(source.raw())[0])
    assert numbers[0] == first and numbers[-1] == (201 if models else 200)
    assert is_model.sum() == 3 * models and (not models or is_model[-3:].all())


def test_the_models_of_etl8g_are_a_file_of_their_own(tmp_path):
    samples = write(tmp_path, "ETL8G", gray_set(CHARACTERS[:4], name="ETL8G"), number=33).read(64)
    assert samples.is_model_sheet.all()
