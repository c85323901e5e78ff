import unicodedata

import numpy as np
import pytest

from kakitori.writing import charset


def test_etl9_has_71_hiragana_and_all_of_level_1():
    characters = charset.etl9_characters()
    assert len(characters) == len(set(characters)) == 3036
    hiragana = [c for c in characters if "HIRAGANA" in unicodedata.name(c)]
    assert len(hiragana) == 71
    assert not any("SMALL" in unicodedata.name(c) for c in characters)
    assert "ゐ" not in characters and "ゑ" not in characters


def test_first_and_last_kanji_of_level_1():
    kanji = charset.etl9_characters()[71:]
    assert (kanji[0], kanji[-1]) == ("亜", "腕")
    assert charset.jis_code("亜") == 0x3021
    assert charset.jis_code("腕") == 0x4F53


def test_jis_table_agrees_with_iso_2022_jp():
    table = charset.jis_table()
    for code in (0x2422, 0x3021, 0x4F53, 0x2573, 0x7426):
        text = (b"\x1b$B" + code.to_bytes(2, "big") + b"\x1b(B").decode("iso2022_jp")
        assert chr(table[code]) == text
        assert charset.jis_code(text) == code
    assert table[0] == 0
    assert np.count_nonzero(table) == 6879  # characters of JIS X 0208:1990


@pytest.mark.parametrize("character", ["a", "😀", "ｱ"])
def test_no_code_outside_jis_x_0208(character):
    with pytest.raises(ValueError, match="not in JIS X 0208"):
        charset.jis_code(character)


@pytest.mark.parametrize(
    ("character", "script"),
    [("あ", "hiragana"), ("ー", "katakana"), ("書", "kanji"), ("7", "digit")],
)
def test_script(character, script):
    assert charset.script(ord(character)) == script


def test_readings_as_the_official_records_print_them():
    assert charset.etl_reading("あ") == "A.HIRA"
    assert charset.etl_reading("ぢ") == "DI.HIRA"
    assert all(charset.etl_reading(c) for c in charset.etl9_characters()[:71])
