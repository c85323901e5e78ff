import unicodedata

import numpy as np
import pytest

from kakitori.reading.characters import charset
from kakitori.reading.characters.kanji_lists import JINMEIYO, JOYO


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


def test_alphabet_is_what_people_write():
    characters = charset.alphabet()
    assert len(characters) == len(set(characters)) == 6768
    assert characters[:3036] == charset.etl9_characters()
    for text in (
        "っゃゅょゎゐゑゔ",
        "アヴヵヶー",
        "々〆〇ゝゞヽヾ",
        "09AZaz",
        "、。!?「」¥",
        "弌熙",
    ):
        assert set(text) <= set(characters)
    assert not [c for c in characters if 0xFF00 <= ord(c) <= 0xFFEF], "none by its width alone"
    assert set(charset.etl_repertoire()) - set(characters) == {"‾"}


def test_named_alphabets():
    named = charset.alphabets()
    counts = {name: len(text) for name, text in named.items()}
    assert counts["joyo"] == 2136 and counts["jis1"] == 2965 and counts["jis2"] == 3390
    assert counts["digits"] == 10 and counts["latin"] == 52 and counts["etl9"] == 3036
    assert set(named["kana"]) == set(named["hiragana"] + named["katakana"])
    assert all(len(set(text)) == len(text) for text in named.values())
    every = set(charset.alphabet())
    assert all(set(text) <= every for text in named.values())


def test_lists_of_kanji_are_those_of_kanji_lists():
    kanji_lists = pytest.importorskip("kanji_lists")
    assert set(JOYO) == kanji_lists.JOYO.HEISEI22
    assert set(JINMEIYO) == kanji_lists.JINMEIYO.REIWA8


def test_each_character_has_one_code_and_each_code_one_character():
    codes, table = charset.alphabet_codes(), charset.alphabet_table()
    assert all(chr(table[codes[c]]) == c for c in charset.alphabet())
    assert codes["あ"] == 0x2422 and codes["A"] == 0x2341 and codes["!"] == 0x212A
    assert codes["-"] == 0x215D and codes["¥"] == 0x216F
    # JIS X 0213, plane 1: rows 4 and 15 of the standard's own table.
    assert (
        codes["ゔ"] == 0x2474 and codes["塡"] == int("塡".encode("euc_jis_2004").hex(), 16) & 0x7F7F
    )
