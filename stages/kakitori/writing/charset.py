"""Which characters there are: JIS X 0208 codes and the classes of the ETL sets.

A *JIS code* is the two-byte JIS X 0208 code in its 7-bit form (0x2121–0x7E7E).
"""

import functools

import numpy as np

# ETL9 holds the 83 hiragana of JIS row 4 without the small ones and without ゐ ゑ, which nobody
# was asked to write (ETL-9 specification: 71 hiragana).
_NOT_WRITTEN = set("ぁぃぅぇぉっゃゅょゎゐゑ")

_SCRIPTS = (
    ("digit", 0x30, 0x39),
    ("latin", 0x41, 0x5A),
    ("latin", 0x61, 0x7A),
    ("hiragana", 0x3041, 0x309F),
    ("katakana", 0x30A0, 0x30FF),
    ("kanji", 0x3400, 0x9FFF),
)


@functools.cache
def jis_table() -> np.ndarray:
    """Code points of every JIS X 0208 code.

    Returns
    -------
    int32 array of shape (65536,): the code point at index *JIS code*, 0 where there is none.
    """
    table = np.zeros(0x10000, np.int32)
    for row in range(0x21, 0x7F):
        for cell in range(0x21, 0x7F):
            try:
                character = bytes((row | 0x80, cell | 0x80)).decode("euc_jp")
            except UnicodeDecodeError:
                continue
            table[row << 8 | cell] = ord(character)
    table.setflags(write=False)
    return table


def jis_code(character: str) -> int:
    """The JIS code of a character; ValueError where JIS X 0208 has none."""
    try:
        high, low = character.encode("euc_jp")
    except (UnicodeEncodeError, ValueError):
        high, low = 0, 0
    if high < 0xA1:  # 0x8E leads half-width katakana, which are JIS X 0201
        raise ValueError(f"{character!r} (U+{ord(character):04X}) is not in JIS X 0208")
    return (high & 0x7F) << 8 | (low & 0x7F)


def script(codepoint: int) -> str:
    """The script of a code point: digit, latin, hiragana, katakana, kanji or symbol."""
    for name, first, last in _SCRIPTS:
        if first <= codepoint <= last:
            return name
    return "symbol"


@functools.cache
def etl9_characters() -> tuple[str, ...]:
    """The 3,036 characters of ETL9, in JIS order: 71 hiragana, 2,965 kanji of level 1."""
    table = jis_table()
    hiragana = [chr(c) for c in table[0x2421:0x2474] if c and chr(c) not in _NOT_WRITTEN]
    kanji = [chr(c) for c in table[0x3021:0x4F54] if c]
    return tuple(hiragana + kanji)


# Romanised rows of the kana table, as ETL9's "typical reading" field spells them (`A.HIRA`).
_KANA_ROWS = {
    "": "あいうえお",
    "K": "かきくけこ",
    "G": "がぎぐげご",
    "S": "さしすせそ",
    "Z": "ざじずぜぞ",
    "T": "たちつてと",
    "D": "だぢづでど",
    "N": "なにぬねの",
    "H": "はひふへほ",
    "B": "ばびぶべぼ",
    "P": "ぱぴぷぺぽ",
    "M": "まみむめも",
    "R": "らりるれろ",
}
_READINGS = {
    kana: consonant + vowel
    for consonant, row in _KANA_ROWS.items()
    for kana, vowel in zip(row, "AIUEO", strict=True)
} | {"や": "YA", "ゆ": "YU", "よ": "YO", "わ": "WA", "を": "WO", "ん": "N"}


def etl_reading(character: str) -> str:
    """ETL's "typical reading" of a hiragana (`A.HIRA`); empty for a kanji, whose readings the
    official sheets chose by hand and which no table that pip installs holds."""
    reading = _READINGS.get(character)
    return f"{reading}.HIRA" if reading else ""
