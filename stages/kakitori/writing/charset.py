"""Which characters there are: JIS X 0208 codes and the classes of the ETL sets.

A *JIS code* is the two-byte JIS X 0208 code in its 7-bit form (0x2121–0x7E7E).
"""

import functools
import unicodedata

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
    """The characters that a writer of an ETL set (`ETL1`, `ETL9G`, …) wrote, once for each time
    that they stand on the sheets. ETL2 is printed, and its official table is not ours to list."""
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
    }[name]


@functools.cache
def etl_repertoire() -> tuple[str, ...]:
    """Every character of the handwritten ETL sets: ETL9's in JIS order, then the others'."""
    names = ("ETL1", "ETL3", "ETL4", "ETL5", "ETL6", "ETL7", "ETL8G")
    others = {c for name in names for c in etl_positions(name)} - set(etl9_characters())
    return etl9_characters() + tuple(sorted(others))


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


# Classes that look alike across scripts, or so nearly that only the context tells them apart.
LOOK_ALIKES = (
    *(
        "へヘ",
        "べベ",
        "ぺペ",
        "りリ",
        "せセ",
        "やヤ",
        "一ー-‾_",
        "0Oo",
        "1Il",
        "カ力",
        "ロ口",
        "ハ八",
    ),
    *(
        "ニ二=",
        "エ工",
        "タ夕",
        "ト卜",
        "チ千",
        "ミ三",
        "メ乂",
        "オ才",
        "ヌ又",
        "゜。",
        "・.",
        "、,",
    ),
)


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
