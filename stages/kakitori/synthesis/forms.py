"""What stands where on a set's sheets and in its files: how ETL files are written.

Where the official documents leave something open, our own files hold this:

    sheet numbers of an ETL9G file's 2nd to 4th set   go on counting (21…80), as the English page
                                                      suggests
    serial data number                                counts the records of the file from 1
    place of the hiragana on an ETL9 form             its last fields
    place of a character on the other sheets          16 columns, row by row
    order inside a file of ETL1 and ETL6              all samples of a character, then the next's
    order inside a file of ETL3, 4, 5 and 7           sheet by sheet
    characters of an ETL6 file                        ten, the twelfth holds the last four
    sheet numbers                                     ETL1 from 1001, ETL4 from 5001 (official),
                                                      the others from 1; ETL7's small sheets repeat
                                                      those of the large ones
    ETL5's two sheets of a writer                     one after the other
    persons of ETL8G                                  one per set
    scan date                                         the collection date, but for ETL4
    EBCDIC codes, readings of kanji, evaluations      zero or blank
    undefined bytes                                   zero
"""

import numpy as np

from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import MNEMONICS, SETS
from kakitori.reading.characters import charset

FORM = 152  # samples on one form of ETL9, in 16 columns; ETL8's hold a tenth of its characters
COLUMNS = 16
FORMS = 20  # of a complete ETL9 set
ETL8_FORMS = 10
COLLECTED = {  # YYMM, or YYMMDD on the C-type; as in official samples or the year of the collection
    "ETL1": 7310,
    "ETL3": 740401,
    "ETL4": 741202,
    "ETL5": 741202,
    "ETL6": 7604,
    "ETL7": 7704,
    "ETL8G": 8001,
    "ETL9G": 8212,
    "ALPHABET": 8212,
}
SCANNED = COLLECTED | {"ETL4": 741216, "ETL5": 741216}
FIRST_SHEET = {"ETL1": 1001, "ETL4": 5001}
PAGES = {"ETL5": 2, "ETL7": 4}  # times that a writer wrote everything; 1 for the other sets

Place = tuple[np.ndarray, np.ndarray]  # file (from 0) and record in it (without the dummy)


def places(name: str, writer: int, writers: int, page: int, count: int) -> Place:
    """Where the `count` samples of a writer's page stand, in the order of the set's positions.

    Parameters
    ----------
    writer : from 0, of `writers`; -1 stands for the printed models of ETL8 and ETL9B.
    page : from 0; ETL5 has two sheets a writer, ETL7 two large ones and then two small ones.
    """
    position = np.arange(count)
    if name in ("ETL1", "ETL6"):
        per_file = 8 if name == "ETL1" else 10
        return position // per_file, position % per_file * writers + writer
    if name == "ETL3":
        return np.full(count, writer // 100), writer % 100 * count + position
    if name in ("ETL4", "ETL5"):
        return np.zeros(count, int), (writer * PAGES.get(name, 1) + page) * count + position
    if name == "ETL7":
        size, repetition = divmod(page, 2)
        file = np.full(count, 2 * size + writer // 100)
        return file, (writer % 100 * 2 + repetition) * count + position
    if name == "ETL8B":
        per_file = 320 if count == 956 else -(-count // 3)  # or a third of a trial's
        if writer < 0:
            return np.full(count, 2), (count - 2 * per_file) * writers + position
        return position // per_file, position % per_file * writers + writer
    per_file, last = SETS[name].sets_per_file, len(SETS[name].files) - 1
    if writer < 0:  # ETL8G has a file for its models, ETL9B puts them after the last set
        return np.full(count, last), (per_file if name == "ETL9B" else 0) * count + position
    return np.full(count, writer // per_file), writer % per_file * count + position


def records(
    name: str,
    characters: tuple[str, ...],
    levels: np.ndarray,
    writer: int,
    page: int,
    person: dict[str, int],
) -> np.ndarray:
    """A writer's page as records, uint8 (P, record), without the serial numbers that `number`
    writes.

    Parameters
    ----------
    name : a set but ETL2, ETL8B and ETL9B.
    characters : of the P samples, in the order of the sheets.
    levels : uint8 (P, height, width), scanner levels 0–15 of the set's size.
    writer : from 0.
    person : sex, age, industry, occupation.
    """
    layout = layouts.LAYOUTS[SETS[name].layout]
    values: dict[str, object] = {"collected": COLLECTED[name], "scanned": SCANNED[name]}
    position = np.arange(len(levels))
    if SETS[name].layout != "G9":  # whose samples hold zeros there
        values |= person
    if SETS[name].layout[0] == "G":
        ours = name == "ALPHABET"
        code = charset.alphabet_codes().__getitem__ if ours else charset.jis_code
        values["code"] = np.array([code(c) for c in characters])
        values["reading"] = [charset.etl_reading(c) for c in characters]
        if SETS[name].layout == "G9":
            form, place = position // FORM, position % FORM
            per_set = -(-len(levels) // FORM) if ours else FORMS
            values["sheet"] = per_set * (writer % 4) + form + 1
        else:
            per_form = -(-len(levels) // ETL8_FORMS)
            form, place = position // per_form, position % per_form
            values["sheet"] = ETL8_FORMS * (writer % 5) + form + 1
    else:
        place = position
        values["code"] = np.array([_x0201_code(c) for c in characters])
        values["mnemonic"] = [_mnemonic(name, c) for c in characters]
        sheet = writer * (2 if name == "ETL5" else 1) + (page if name == "ETL5" else 0)
        values["sheet"] = FIRST_SHEET.get(name, 1) + sheet
    if SETS[name].layout == "C":
        values |= {"x_samples": 72, "y_samples": 76, "levels": 16, "magnification": 133}
    if SETS[name].layout == "M":
        values["number"] = position + 1
        values["lowest"], values["highest"] = levels.min((1, 2)), levels.max((1, 2))
    values["x"], values["y"] = place % COLUMNS, place // COLUMNS
    return layouts.pack(layout, levels, values)


def number(raw: np.ndarray, name: str, rows: np.ndarray) -> None:
    """Write the serial data numbers of records that stand at `rows` of their file."""
    first = 500100 if name == "ETL4" else 1
    layouts.put(raw, layouts.LAYOUTS[SETS[name].layout], "serial", rows + first)


def etl9_order(characters: tuple[str, ...]) -> np.ndarray:
    """Order in which a set's characters stand on its forms: indices into `characters`.

    Kanji in JIS order with the hiragana spread evenly over the forms, as in ETL9G.
    """
    is_kana = np.array([charset.script(ord(c)) == "hiragana" for c in characters])
    kana, kanji = np.flatnonzero(is_kana).tolist(), np.flatnonzero(~is_kana).tolist()
    total, placed, kana_placed = len(characters), 0, 0
    result: list[int] = []
    while placed < total:
        on_form = min(FORM, total - placed)
        kana_by_now = len(kana) * (placed + on_form) // total
        kana_here = kana_by_now - kana_placed
        kanji_start = placed - kana_placed
        result += kanji[kanji_start : kanji_start + on_form - kana_here]
        result += kana[kana_placed:kana_by_now]
        placed, kana_placed = placed + on_form, kana_by_now
    return np.array(result)


def bilevel(gray: np.ndarray, name: str, number: int) -> np.ndarray:
    """The ETL8B or ETL9B rendering of a set of ETL8G or ETL9G: halved, thresholded, in JIS order.

    Threshold T = λ·h + (1 − λ)·μ with λ = 0.4, h = Otsu's threshold (Otsu 1979) and μ the mean
    level, as the official ETL9B description gives it. The halving is ours: means of 2×2 pixels.

    Parameters
    ----------
    gray : records uint8 (P, 8199) of one set.
    number : of the set, from 1; sheets count on over all sets.
    """
    source, layout = (layouts.LAYOUTS[SETS[n].layout] for n in (name.replace("B", "G"), name))
    halves = layouts.decode(gray[:, source.packed], source)[:, :126].astype(np.uint16)
    halves = halves.reshape(len(gray), 63, 2, 64, 2).sum((2, 4)) // 4 // 17
    threshold = 0.4 * _otsu(halves) + 0.6 * halves.mean((1, 2))
    per_set, per_form = (
        (FORMS, FORM) if name == "ETL9B" else (ETL8_FORMS, -(-len(gray) // ETL8_FORMS))
    )
    codes = layouts.field(gray, source, "code")
    raw = layouts.pack(
        layout,
        halves > threshold[:, None, None],
        {
            "sheet": per_set * (number - 1) + np.arange(len(gray)) // per_form + 1,
            "code": codes,
            "reading": [r.decode("ascii") for r in layouts.field(gray, source, "reading")],
        },
    )
    return raw[np.argsort(codes, kind="stable")]


def _otsu(levels: np.ndarray) -> np.ndarray:
    """Otsu's threshold of each image of 16 levels, float (N,)."""
    flat = levels.reshape(len(levels), -1)
    histogram = np.stack([(flat == level).sum(1) for level in range(16)], 1) / flat.shape[1]
    weight = histogram.cumsum(1)
    mean = (histogram * np.arange(16)).cumsum(1)
    total = mean[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total * weight - mean) ** 2 / (weight * (1 - weight))
    return np.nan_to_num(between).argmax(1).astype(float)


def _x0201_code(character: str) -> int:
    """The JIS X 0201 code under which ETL1 and ETL3–7 store a character."""
    stored = {"ヰ": 0xA8, "ヱ": 0xAA, "ゐ": 0xA8, "ゑ": 0xAA}
    if character in stored:
        return stored[character]
    if charset.script(ord(character)) == "hiragana" and character not in "゛゜":
        character = chr(ord(character) + 0x60)
    return int(np.flatnonzero(charset.jisx0201_table() == ord(character))[0])


def _mnemonic(name: str, character: str) -> str:
    """Two characters on the M-type, four with the class letter first on the C-type."""
    kind = charset.script(ord(character))
    sound = charset.etl_reading(character).partition(".")[0]
    if SETS[name].layout == "M":
        symbols = {s: m for m, s in MNEMONICS.items()}
        return sound.rjust(2) if sound else symbols.get(character, character.ljust(2))
    letter = {"digit": "N", "latin": "A", "hiragana": "H", "katakana": "K"}.get(kind, "S")
    if sound:
        return letter + sound.rjust(3)
    return f"{letter}{character} " if character in layouts.T56 else letter
