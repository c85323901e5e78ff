"""Which characters there are: JIS codes, the classes of the ETL sets, and the whole alphabet.

A *JIS code* is the two-byte JIS X 0208 code in its 7-bit form (0x2121–0x7E7E). What people write
does not tell a full-width letter from a plain one: where the two differ in nothing else, the class
is the plain character (ASCII, ¥), of whatever width a text has it.
"""

import functools
import unicodedata
from collections.abc import Iterator

import numpy as np

from kakitori.reading.characters.kanji_lists import JINMEIYO, JOYO

# ETL9 holds the 83 hiragana of JIS row 4 without the small ones and without ゐ ゑ, which nobody
# was asked to write (ETL-9 specification: 71 hiragana).
_NOT_WRITTEN = set("ぁぃぅぇぉっゃゅょゎゐゑ")

HARD = "-hard2"  # ends the name of a corpus by difficult writers, which only tests

_SCRIPTS = (
    ("digit", 0x30, 0x39),
    ("latin", 0x41, 0x5A),
    ("latin", 0x61, 0x7A),
    ("hiragana", 0x3041, 0x309F),
    ("katakana", 0x30A0, 0x30FF),
    ("kanji", 0x3400, 0x9FFF),
    ("kanji", 0xF900, 0xFAFF),
    ("kanji", 0x20000, 0x323AF),
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


@functools.cache
def alphabet_codes() -> dict[str, int]:
    """Under which code the set ALPHABET stores each character: its JIS code, or where it has none
    that of plane 1 of JIS X 0213, which fills cells that JIS X 0208 leaves empty (ゔ, 塡)."""
    codes: dict[str, int] = {}
    for codec in ("euc_jp", "euc_jis_2004"):
        for row in range(0x21, 0x7F):
            for cell in range(0x21, 0x7F):
                code = row << 8 | cell
                try:
                    character = bytes((row | 0x80, cell | 0x80)).decode(codec)
                except UnicodeDecodeError:
                    continue
                # Some codes of JIS X 0213 stand for a base and a mark, and are nobody's class.
                if len(character) == 1 and not (codec != "euc_jp" and jis_table()[code]):
                    codes.setdefault(_narrow(character), code)
    return codes


def _narrow(character: str) -> str:
    """The plain character of a full-width one, any other as it is."""
    if character == "−":
        return "-"
    narrow = unicodedata.normalize("NFKC", character)
    wide = 0xFF01 <= ord(character) <= 0xFF5E or character in "￥￠￡"
    return narrow if wide else character


@functools.cache
def alphabet_table() -> np.ndarray:
    """Code points of the codes of `alphabet_codes`: int32 (65536,), 0 where there is none."""
    table = np.zeros(0x10000, np.int32)
    for character, code in alphabet_codes().items():
        table[code] = ord(character)
    table.setflags(write=False)
    return table


def script(codepoint: int) -> str:
    """The script of a code point: digit, latin, hiragana, katakana, kanji or symbol."""
    for name, first, last in _SCRIPTS:
        if first <= codepoint <= last:
            return name
    return "symbol"


def _row_4() -> list[str]:
    return [chr(c) for c in jis_table()[0x2421:0x2474]]


def is_kana(codepoint: int) -> bool:
    return script(codepoint) in ("hiragana", "katakana")


@functools.cache
def etl9_characters() -> tuple[str, ...]:
    """The 3,036 characters of ETL9, in JIS order: 71 hiragana, 2,965 kanji of level 1."""
    table = jis_table()
    hiragana = [c for c in _row_4() if c not in _NOT_WRITTEN]
    kanji = [chr(c) for c in table[0x3021:0x4F54] if c]
    return tuple(hiragana + kanji)


# The 881 kanji of the school list of 1958, which ETL8 holds. In JIS order, as the files have them:
# ETL8B2's three files hold 320, 320 and 316 classes from あ on, and the last two begin with 0x384E
# and 0x4253, which this list meets.
_SCHOOL_KANJI = (
    "愛悪圧安暗案以位依囲委意易異移胃遺医育一壱印員因引飲院右雨運雲営栄永泳英衛液益駅"
    "円園延演遠塩央往応横王黄億屋恩温音下化仮何価加可夏家科果歌河火花荷課貨過我画芽賀"
    "会解回快改械海界絵開階貝外害各拡格確覚角革学楽額活株寒刊勧完官幹感慣歓漢管観間関"
    "館岸眼岩顔願喜器基寄希旗期機帰気汽季紀規記貴起技疑義議客逆久休宮急救求球究級給旧"
    "牛去居挙許漁魚京供競共協境強教橋興鏡業局曲極玉勤均禁近金銀九句区苦具空君訓群軍郡"
    "係兄型形敬景系経計軽芸欠決潔結血月件健兼券建憲検権犬研絹県見険験元原厳減現言限個"
    "古固己庫戸故湖五午後語誤護交候光公功効厚口向后孝工幸広康校構港皇耕考航行講鉱高号"
    "合告国穀黒今根混左差査再最妻才採済災祭細菜際在材罪財坂作昨策刷察殺雑三参山散産算"
    "蚕賛酸残仕使司史四士始姉子市師志思指支止死氏私糸紙至視詞詩試資歯事似児字寺持時次"
    "治示耳自辞式識七失室質実舎写社者謝車借釈弱主取守手種酒首受授需収周宗就州修拾秋終"
    "習衆週集住十従重宿祝出術述春準純順処初所暑書諸助女序除勝商唱小少承招昭消焼照省称"
    "章証象賞上乗場常情条状植織職色食信心新森深申真神臣親身進人仁図推水数世是制勢性成"
    "政整星晴正清生精聖声製西誠青静税席石積績責赤切接折設節説雪絶舌先千宣専川戦浅線船"
    "選銭前善然全祖素組創倉想早争相総草走送像増蔵造側則息測足速俗属族続卒存孫尊損村他"
    "多太打体対帯待態貸退隊代台大第題達谷単炭短団断男談知地池置築竹茶着中忠昼柱注虫著"
    "貯丁帳張朝町腸調長鳥直賃追通低停定底庭弟提程敵的適鉄典天展店転点伝田電徒登都努度"
    "土党冬刀島投東湯燈当等答統討頭働動同堂導童道銅得徳特毒独読届内南難二弐肉日入任認"
    "熱年念燃納能農波派破馬拝敗配倍買売博白麦畑八発判半反板版犯飯番否悲比皮肥費非飛備"
    "美鼻必筆百俵標氷票表評病秒品貧不付夫婦富布府父負武部風復幅服福複仏物分奮粉文聞兵"
    "平陛米別変編辺返便勉弁保歩補墓母包報放方法豊暴望貿防北牧本妹毎末万満味未脈民務無"
    "名命明盟迷鳴綿面毛木目問門夜野役約薬訳油輸勇友有由遊夕予余預容曜様洋用葉要陽養欲"
    "浴来落利理里陸律率立略流留旅両料良量領力緑林臨輪類令例冷礼歴列練連路労老六録論和"
    "話"
)

_KATAKANA = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
)
_HIRAGANA = "".join(chr(ord(c) - 0x60) for c in _KATAKANA)
# The whole table of fifty sounds, as ETL1, 4 and 5 had it written: イ, エ and ウ come twice.
_FIFTY_SOUNDS = _KATAKANA.replace("ヤユヨ", "ヤイユエヨ").replace("ワヲン", "ワヰウヱヲン")
_DIGITS, _CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# What the official pages leave open. ETL3's ▾ is in no JIS code: our files write ‾ in its place.
# No stored page lists ETL6's 32 symbols: these are all that JIS X 0201 has but five (@ ^ _ ` and
# the braces), which fits the mnemonics that readers report.
_ETL3_SYMBOLS = "¥+-*/=()・,_‾"
_ETL6_SYMBOLS = "!\"#$%&'()*+,-./:;<=>?@[¥]「」、。・゛゜"


@functools.cache
def etl_positions(name: str) -> tuple[str, ...]:
    """The characters that a writer of a set (`ETL1`, `ETL9G`, …) wrote, once for each time that
    they stand on the sheets; ALPHABET is ours and holds all that ETL9 does not. ETL2 is printed,
    and its official table is not ours to list."""
    if name.startswith("ETL8"):
        hiragana = [c for c in _row_4() if c not in _NOT_WRITTEN or c in "っゃゅょ"]
        return (*hiragana, *_SCHOOL_KANJI)
    return {
        "ETL1": tuple(_DIGITS + _CAPITALS + "¥+-*/=()・,?'" + _FIFTY_SOUNDS),
        "ETL3": tuple(_DIGITS + _CAPITALS + _ETL3_SYMBOLS),
        "ETL4": tuple(chr(ord(c) - 0x60) for c in _FIFTY_SOUNDS),
        "ETL5": tuple(_FIFTY_SOUNDS),
        "ETL6": tuple(_KATAKANA + _DIGITS + _CAPITALS + _ETL6_SYMBOLS),
        "ETL7": tuple(_HIRAGANA + "゛゜"),
        "ETL9B": etl9_characters(),
        "ETL9G": etl9_characters(),
        "ALPHABET": alphabet()[len(etl9_characters()) :],
    }[name]


@functools.cache
def etl_repertoire() -> tuple[str, ...]:
    """Every character of the handwritten ETL sets: ETL9's in JIS order, then the others'."""
    names = ("ETL1", "ETL3", "ETL4", "ETL5", "ETL6", "ETL7", "ETL8G")
    others = {c for name in names for c in etl_positions(name)} - set(etl9_characters())
    return etl9_characters() + tuple(sorted(others))


# What people write by hand in Japanese text beside kana, kanji, digits and letters.
_SIGNS = (
    "、。,.・:;?!゛゜々〆〇〜…_/|'\"()[]{}<>〈〉《》「」『』【】+-×÷=≠±%‰°℃¥$¢£&@#*§※〒○△□☆→←↑↓"
)


@functools.cache
def alphabets() -> dict[str, str]:
    """Named parts of the alphabet, each in the order of its codes."""
    table = jis_table()
    hiragana = "".join(_row_4()) + "ゔゝゞ"
    katakana = "".join(chr(c) for c in table[0x2521:0x2577]) + "ーヽヾ"
    return {
        "etl9": "".join(etl9_characters()),
        "hiragana": hiragana,
        "katakana": katakana,
        "kana": hiragana + katakana,
        "digits": _DIGITS,
        "latin": _CAPITALS + _CAPITALS.lower(),
        "signs": _SIGNS,
        "joyo": JOYO,
        "jis1": "".join(chr(c) for c in table[0x3021:0x4F54] if c),
        "jis2": "".join(chr(c) for c in table[0x5021:0x7427] if c),
    }


@functools.cache
def alphabet() -> tuple[str, ...]:
    """Every character that people write in Japanese: ETL9's first, then kana, digits, letters,
    signs, JIS level 2, and the kanji of general use and of names that JIS X 0208 lacks."""
    known = alphabets()
    names = ("etl9", "kana", "digits", "latin", "signs", "jis1", "jis2", "joyo")
    return tuple(dict.fromkeys("".join(known[name] for name in names) + JINMEIYO))


@functools.cache
def jisx0201_table() -> np.ndarray:
    """Code points of every JIS X 0201 code, half-width kana as their full-width characters.

    Returns
    -------
    int32 (256,), 0 where there is none.
    """
    table = np.zeros(256, np.int32)
    table[0x21:0x7F] = np.arange(0x21, 0x7F)
    table[0x5C], table[0x7E] = ord("¥"), ord("‾")
    for code in range(0xA1, 0xE0):
        table[code] = ord(unicodedata.normalize("NFKC", chr(0xFF61 + code - 0xA1)))
    table[0xDE], table[0xDF] = ord("゛"), ord("゜")  # not the combining marks that NFKC gives
    table.setflags(write=False)
    return table


# Characters that shape alone does not tell apart: as many strokes of the same kinds in the same
# places, once they are written by hand and scaled to fill the same frame. Size (っ つ), the place
# in the frame (一 _) or what stands beside them (カ 力) does. No character is in two groups. Kanji
# that proportions tell apart (土 士) and kana that differ by a stroke (せ セ) are in none.
_ALIKE = (
    "ぁあ ぃい ぅう ぇえ ぉお っつ ゃや ゅゆ ょよ ゎわ ァア ィイ ゥウ ェエ工 ォオ才 ッツ "
    "ャヤ ュユ ョヨ ヮワ ヵカ力 ヶケ へヘ べベ ぺペ りリ ゝヽ ゞヾ 一ー-_‾ 二ニ= 三ミ 八ハ "
    "十+ 井# 口ロ□囗 夕タ 卜ト 千チ 又ヌ 乂メ 匕ヒ 厶ム 丿ノ/ く<〈 >〉 0Oo〇○。゜° 1lI|' "
    "Cc Pp Ss Vv Ww Xx× Zz .・ 、,丶"
)


def _equivalents() -> Iterator[str]:
    """Groups of characters that Unicode holds for one (UAX #15): an old form of a name's kanji that
    has a code of its own, 勉 as U+FA33, becomes the usual 勉 wherever text is normalised."""
    forms: dict[str, str] = {}
    for character in alphabet():
        usual = unicodedata.normalize("NFC", character)
        if usual != character:
            forms[usual] = forms.get(usual, usual) + character
    yield from forms.values()


LOOK_ALIKES = (*_ALIKE.split(), *_equivalents())


@functools.cache
def look_alikes() -> dict[str, str]:
    """The group of each character that is in one."""
    return {character: group for group in LOOK_ALIKES for character in group}


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
} | {
    **{"や": "YA", "ゆ": "YU", "よ": "YO", "わ": "WA", "ゐ": "WI", "ゑ": "WE"},
    **{"を": "WO", "ん": "N"},
}


def etl_reading(character: str) -> str:
    """ETL's "typical reading" of a kana (`A.HIRA`); empty for any other character: the official
    sheets chose those of kanji by hand, and no table that pip installs holds them."""
    is_katakana = script(ord(character)) == "katakana"
    reading = _READINGS.get(chr(ord(character) - 0x60) if is_katakana else character)
    return f"{reading}.{'KATA' if is_katakana else 'HIRA'}" if reading else ""
