"""How characters are written: strokes to compare with, from the table that `characters` makes."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kakitori import matching
from kakitori.errors import DataError

COLUMNS = ["character", "forms", "decomposition"]
TRUE = ("kanjivg", "kaisho")  # sources that know order and direction; those of others are traced

# Components with more than one right order: of the strokes in KanjiVG's order, the numbers from 0
# in the other. Those above the line are of KanjiVG's variant files, or of the same kind (when an
# upright comes among its bars), and hold in every character with that component, not only in those
# that have a file. Those below have no file: they are what else people write, by the drawings that
# docs/practice.md names.
ORDERS = {
    "卜": ["1 0"],  # 止, 上, 点: the bar before the upright
    "王": ["0 2 3 1", "0 2 1 3"],
    "龶": ["0 2 3 1", "0 2 1 3"],
    "生": ["0 1 3 4 2"],
    "土": ["1 0 2", "1 2 0"],
    "羊": ["0 1 2 4 5 3"],
    "由": ["0 1 3 4 2", "0 1 4 2 3"],
    "里": ["0 1 2 3 5 6 4"],
    "重": ["0 1 2 3 4 5 7 8 6"],
    "曲": ["0 1 4 5 2 3"],
    "妻": ["0 1 2 3 5 6 7 4"],
    "垂": ["0 1 2 3 4 5 7 6", "0 1 3 4 2 5 6 7"],
    "耳": ["0 1 5 2 3 4"],
    "馬": ["0 1 3 4 5 2 6 7 8 9", "1 0 2 3 4 5 6 7 8 9"],
    "臣": ["1 0 2 3 4 5 6"],
    "巨": ["1 0 2 3 4"],
    "臼": ["0 1 3 2 4 5"],
    "虍": ["0 1 3 2 4 5", "1 0 2 3 4 5", "1 0 3 2 4 5"],
    "非": ["0 4 1 2 3 5 6 7"],
    "癶": ["0 1 3 2 4", "0 1 2 4 3"],
    "長": ["1 0 2 3 4 5 6", "1 0 2 3 4 5 6 7"],
    "骨": ["0 1 3 2 4 5 6 7 8 9"],
    "咼": ["0 1 3 2 4 5 6 7 8"],
    "兆": ["0 3 1 2 4 5"],
    "必": ["1 2 0 3 4"],
    "無": ["0 1 2 7 3 4 5 6 8 9 10 11"],
    "聿": ["0 1 2 4 3", "0 1 2 5 3 4"],
    "卩": ["1 0"],
    # ---------------------------------------------------------------------------------------------
    "忄": ["2 0 1"],
    "礻": ["0 1 3 2"],
    "衤": ["0 1 4 2 3"],
    "⺦": ["1 2 0"],  # 丬
    "可": ["0 4 1 2 3"],
    "米": ["2 3 0 1 4 5"],
    "隹": ["0 2 3 1 5 6 4 7"],
    "有": ["1 0 2 3 4 5"],
    "右": ["1 0 2 3 4"],
    "布": ["1 0 2 3 4"],
    "皮": ["1 0 2 3 4"],
    "成": ["1 0 2 3 4 5"],
    "厂": ["1 0"],
    "及": ["1 0 2"],
    "乃": ["1 0"],
    "舟": ["0 1 2 3 5 4"],
    "田": ["0 1 3 2 4"],
    "覀": ["0 1 2 5 3 4"],
    "㐄": ["1 0 2 3"],
    "井": ["2 3 0 1"],
    "凶": ["2 3 0 1"],
    "用": ["4 0 1 2 3", "0 1 3 4 2", "0 1 4 2 3"],
    "尃": ["0 5 1 2 3 4 7 8 9 6"],
    "韋": ["1 0 2 3 4 5 7 6 8 9"],
    "廾": ["1 2 0"],
    "山": ["1 2 0"],
    "角": ["0 1 2 3 5 6 4"],
    "華": ["0 1 2 3 5 6 4 7 8 9"],
    "乗": ["0 1 3 4 2 5 6 7 8"],
    "尞": ["0 1 3 4 2 5 6 7 8 9 10 11"],
}
LEVELS = 255  # of a coordinate in strokes.bin
WAYS = 16  # orders of a character at most, where several components have more than one


class Reference(NamedTuple):
    """How a character is written, as `matching.match` takes it.

    strokes : polylines (points, 2) in the unit square.
    ordered : whether their order and direction are true.
    ways : other right ways to write it.
    alike : the characters that look most like it.
    """

    strokes: list[np.ndarray]
    ordered: bool
    ways: list[list[np.ndarray]]
    alike: dict[str, list[np.ndarray]]


def read(path: Path, characters: set[str]) -> dict[str, Reference]:
    """References of `characters` from a table like data/characters.parquet, the true form of each
    where it has one, which needs pandas and pyarrow; or from a strokes.bin, with its
    characters.json beside it.

    Raises DataError for a file that is missing or is neither, and for characters that it lacks.
    """
    known = _packed(path) if path.suffix == ".bin" else _table(path, characters)
    without = "".join(sorted(characters - known.keys()))
    if without:
        raise DataError(
            f"{path}: expected strokes of {without}, found {len(known):,} other characters"
        )
    # Only here: a page brings its own.
    from kakitori.writing.charset import LOOK_ALIKES

    models = {character: one.strokes for character, one in known.items()}
    return {
        c: known[c]._replace(alike=matching.look_alikes(c, models, LOOK_ALIKES)) for c in characters
    }


def _table(path: Path, characters: set[str]) -> dict[str, Reference]:
    """The characters of a table, other ways to write them for those of `characters` alone."""
    try:
        # Only here: recognising does without.
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{path}: reading it needs pandas and pyarrow, found no {error.name}; "
            "`pip install pandas pyarrow` brings both"
        ) from None
    if not path.is_file():
        raise DataError(
            f"{path}: expected the strokes of characters, found no file; `dvc repro characters` "
            "makes it, --characters names another"
        )
    try:
        table = pd.read_parquet(path, columns=COLUMNS).set_index("character")
    except Exception as error:  # Arrow raises its own kinds for what is no parquet or lacks columns
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: expected the table of characters, found: {reason}") from None
    return {
        character: Reference(
            lines(best(forms)),
            best(forms)["source"] in TRUE,
            [w.strokes for w in ways(forms, tree)] if character in characters else [],
            {},
        )
        for character, forms, tree in table.itertuples()
    }


def _packed(path: Path) -> dict[str, Reference]:
    """All characters of a strokes.bin."""
    try:
        about = json.loads(path.with_name("characters.json").read_text("utf-8"))
        return unpack(path.read_bytes(), about)
    except (OSError, ValueError, KeyError, IndexError, StopIteration, RuntimeError) as error:
        raise DataError(
            f"{path}: expected packed strokes and characters.json beside them, found: {error!r}"
        ) from None


def unpack(packed: bytes, about: dict) -> dict[str, Reference]:
    """References of all characters of a strokes.bin and its characters.json, as results/packing.py
    writes them; without look-alikes."""
    rest = iter(packed)

    def stroke() -> np.ndarray:
        count = next(rest)
        return np.array([next(rest) for _ in range(2 * count)]).reshape(-1, 2) / LEVELS

    found = {}
    for character in about["characters"]:
        source = about["sources"][next(rest)]
        strokes = [stroke() for _ in range(next(rest))]
        ways = []
        for _ in range(next(rest)):
            count = next(rest)  # 0 where only the order is another
            written = [stroke() for _ in range(count)]
            ways.append(written or [strokes[next(rest)] for _ in strokes])
        found[character] = Reference(strokes, source["ordered"], ways, {})
    return found


def lines(form: dict) -> list[np.ndarray]:
    """The strokes of a form in the table, float64 (points, 2) each."""
    return [np.asarray(flat, np.float64).reshape(-1, 2) for flat in form["strokes"]]


class Way(NamedTuple):
    """Another right way to write a character: its strokes, and their numbers in the model's where
    only the order is another."""

    strokes: list[np.ndarray]
    order: list[int] | None


def ways(forms: Sequence[dict], decomposition: str) -> list[Way]:
    """Other right ways to write a character than its best form: in another order, or in another
    true form, such as KanjiVG's brush-regular one. None where the best form is not true."""
    model = best(forms)
    if model["source"] not in TRUE:
        return []
    strokes = lines(model)
    tree = json.loads(decomposition) if decomposition else {}
    found = [Way([strokes[k] for k in order], order) for order in orders(tree, len(strokes))]
    others = [lines(f) for f in forms if f["source"] in TRUE and f["source"] != model["source"]]
    return found + [Way(other, None) for other in others]


def orders(tree: dict, count: int) -> list[list[int]]:
    """The other right orders of a character of `count` strokes, by its decomposition as JSON: each
    component that has more than one order in each of them, WAYS at most."""
    found = [list(range(count))]
    for element, strokes in _components(tree):
        for text in ORDERS.get(element, ()):
            numbers = [int(number) for number in text.split()]
            if len(numbers) != len(strokes):
                continue
            for order in list(found):
                places = sorted(order.index(k) for k in strokes)
                if [order[place] for place in places] != strokes or len(found) > WAYS:
                    continue
                other = order.copy()
                for place, k in zip(places, numbers, strict=True):
                    other[place] = strokes[k]
                if other not in found:
                    found.append(other)
    return found[1:]


def _components(tree: dict) -> Iterator[tuple[str, list[int]]]:
    yield tree.get("element", ""), sorted(tree.get("strokes", ()))
    for part in tree.get("parts", ()):
        yield from _components(part)


def best(forms: Sequence[dict]) -> dict:
    """Of a character's forms the one to compare with: a true one, or the first."""
    known = {form["source"]: form for form in forms}
    return next((known[source] for source in TRUE if source in known), forms[0])
