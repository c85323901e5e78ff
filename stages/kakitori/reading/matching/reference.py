"""How characters are written: strokes to compare with, from the table that `characters` makes."""

import json
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kakitori.errors import DataError
from kakitori.reading import matching
from kakitori.reading.characters.strokes import resample
from kakitori.reading.matching import shapes

if TYPE_CHECKING:
    from kakitori.writing import kanjivg

COLUMNS = ["character", "forms", "decomposition"]
TRUE = ("kanjivg", "kaisho")  # sources that know order and direction; those of others are traced

# Components with more than one right order: of the strokes in KanjiVG's order, the numbers from 0
# in the other; one with an r runs from its end there. Those above the line are of KanjiVG's variant
# files, or of the same kind (when an upright comes among its bars), or the ministry's guide to
# stroke order of 1958 says that they have two (上 取 厳 必 発 感 馬 無 興), and hold in every
# character with that component, not only in those that have a file. Those below have no such
# source: they are what else people write, by the drawings that docs/practice.md names.
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
    "無": ["0 1 2 7 3 4 5 6 8 9 10 11", "0 1 3 4 5 6 2 7 8 9 10 11"],
    "聿": ["0 1 2 4 3", "0 1 2 5 3 4"],
    "卩": ["1 0"],
    "戊": ["1 0 2 3 4"],  # as in 感
    "戌": ["1 0 2 3 4 5"],
    "戍": ["1 0 2 3 4 5"],
    "匕": ["0r 1"],  # 比, 北: its first from the left, as brushes write it
    "叉": ["0 2 1"],  # the dot after what it stands in
    "糸 left": ["0 1 2 4 3 5"],  # three dots from left to right
    "戸": ["0r 1 2 3"],  # its first falls to the left (the agency's guideline of 2016, 字体・字形)
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
# Those of a character's strokes, from 0, that it is written of as well.
FEWER = {"7": (1,)}  # without the short one at its left
LEVELS = 255  # of a coordinate in strokes.bin
WAYS = 16  # orders of a character at most, where several components have more than one
SAME = 0.04  # of the frame: strokes that nowhere run further apart are the same
INCOMPLETE = ("NoDot",)  # variant files that are not other ways to write the whole character


# Characters of as many strokes that people take for each other, beside those that a measure finds.
_CONFUSED = (
    "わねれ めぬ うら るろ こい さち あお はけ ソンリ シツ クワウフ クタ コユエヨ チテ ナメ "
    "ヌスマ ムマアヤ ルレ 八人入 土士 未末 矢失 田由甲申 己已巳 千干于 日曰 牛午 貝見 石右古 "
    "左右 名各 天夫夭 犬太 王五 手毛 本未末 旦且 旧旦 勾匂勿 戌戍成 戊戌 綱網 幣弊 才寸 束来 "
    "果東 刀力 久夕 反友 囚四 因囚 困囲 鳥烏 侍待持特 性姓 快決 位泣 沖仲 波彼披 拍泊 "
    "招沼沿治 油抽押 坂阪 技抜投 役没投 抗坑択 防坊妨 枚牧板 場湯陽揚 除院 陸陵隆 宣宜 "
    "暮墓幕募 壁璧 往住 微徴徹 連運 科料 粋砕枠 緑線 遇偶隅 治冶 史央 光先 兄只 公分 合会全企 "
    "化仏仁 大丈 丸九 瓜爪 兵丘 宇字 官宮 薄簿 矛予 又叉 孟盂 汨泊 萩荻 祇祗 亨享 刺剌 柿杮 "
    "壺壼 日目 白自 問間 貸賃 項頂 経径 輪輸 論輪"
)
CONFUSED = tuple(_CONFUSED.split())


# A way to write a character: strokes, or another order of those of the form before it, as numbers
# from 0, ~k for one that runs from its end.
Way = list[np.ndarray] | list[int]


class Reference(NamedTuple):
    """How a character is written, as `matching.match` takes it.

    strokes : polylines (points, 2) in the unit square.
    ordered : whether their order and direction are true.
    ways : other right ways to write it.
    alike : the characters that look most like it.
    """

    strokes: list[np.ndarray]
    ordered: bool
    ways: list[Way]
    alike: dict[str, list[np.ndarray]]


def read(
    path: Path, characters: set[str], archive: Path | None = None, strict: bool = True
) -> dict[str, Reference]:
    """References of `characters` from a table like data/characters.parquet, the true form of each
    where it has one, with what other forms KanjiVG has (in `archive`, or as pip brings it), which
    needs pandas and pyarrow; or from a strokes.bin, with its characters.json beside it.

    Raises DataError for a file that is missing or is neither, and where it is `strict`, for
    characters that it lacks.
    """
    known = _packed(path) if path.suffix == ".bin" else _table(path, characters, archive)
    without = "".join(sorted(characters - known.keys()))
    if without and strict:
        raise DataError(
            f"{path}: expected strokes of {without}, found {len(known):,} other characters"
        )
    # Only here: a page brings its own.
    from kakitori.reading.characters.charset import LOOK_ALIKES

    looks = matching.Looks({character: reference.strokes for character, reference in known.items()})
    return {
        c: known[c]._replace(alike=matching.look_alikes(c, looks, LOOK_ALIKES, CONFUSED))
        for c in characters
        if c in known
    }


def _table(path: Path, characters: set[str], archive: Path | None) -> dict[str, Reference]:
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
    others = variants(characters, archive)
    return {
        character: Reference(
            lines(best(forms)),
            best(forms)["source"] in TRUE,
            ways(forms, tree, others.get(character, ())) if character in characters else [],
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

    references = {}
    for character in about["characters"]:
        source = about["sources"][next(rest)]
        strokes = [stroke() for _ in range(next(rest))]
        ways, form = [], strokes
        for _ in range(next(rest)):
            count = next(rest)  # 0 where only the order is another
            if count:
                form = [stroke() for _ in range(count)]
                ways.append(form)
            else:
                numbers = [next(rest) for _ in form]
                ways.append([k - 256 if k > 127 else k for k in numbers])
        references[character] = Reference(strokes, source["ordered"], ways, {})
    return references


def variants(
    characters: Collection[str], archive: Path | None = None
) -> "dict[str, list[kanjivg.Character]]":
    """Other forms and orders of characters that KanjiVG has files for: brush-regular ones, those of
    printed type, older ones. None where KanjiVG is not installed and no archive is given."""
    # Only here: recognising does without.
    try:
        from kakitori.writing import kanjivg

        release = kanjivg.release(archive or Path())
    except (ImportError, DataError):
        return {}
    if release.is_dir():
        names = [path.name for path in release.glob("*-*.svg")]
    else:
        with zipfile.ZipFile(release) as bundle:
            names = [Path(name).name for name in bundle.namelist() if name.endswith(".svg")]
    wanted = {f"{ord(character):05x}": character for character in characters}
    having: dict[str, list[str]] = {}
    for name in sorted(names):
        code, _, form = name.removesuffix(".svg").partition("-")
        if code in wanted and form and form not in INCOMPLETE:
            having.setdefault(form, []).append(wanted[code])
    others: dict[str, list[kanjivg.Character]] = {}
    for form, able in having.items():
        for variant in kanjivg.read(release, able, form):
            others.setdefault(variant.character, []).append(variant)
    return others


def lines(form: dict) -> list[np.ndarray]:
    """The strokes of a form in the table, float64 (points, 2) each."""
    return [np.asarray(flat, np.float64).reshape(-1, 2) for flat in form["strokes"]]


def ways(
    forms: Sequence[dict], decomposition: str, others: "Iterable[kanjivg.Character]" = ()
) -> list[Way]:
    """Other right ways to write a character than its best form: its strokes in another order; other
    true forms, each followed by its other orders. None where the best form is not true.

    others : what `variants` gives of the character. One that differs from a form in the order of
        its strokes alone is an order.
    """
    model = best(forms)
    if model["source"] not in TRUE:
        return []
    tree = json.loads(decomposition) if decomposition else {}
    known = [(lines(model), orders(tree, len(model["strokes"])))]
    further = [(lines(f), []) for f in forms if f["source"] in TRUE and f is not model]
    further += [
        (list(variant.strokes), orders(json.loads(variant.tree.to_json()), len(variant.strokes)))
        for variant in others
    ]
    for strokes, own in further:
        same = ((order_among(strokes, form), theirs) for form, theirs in known)
        order, theirs = next((pair for pair in same if pair[0]), (None, []))
        if order is None:
            known.append((strokes, own))
        elif order != sorted(order) and order not in theirs:
            theirs.append(order)
    if few := FEWER.get(tree.get("element", "")):
        known.append(([lines(model)[k] for k in few], []))
    (_, model_orders), *rest = known
    return model_orders + [way for strokes, own in rest for way in (strokes, *own)]


def order_among(strokes: list[np.ndarray], form: list[np.ndarray]) -> list[int] | None:
    """The numbers in a form of these strokes, if they are the same but for their order."""
    if len(strokes) != len(form):
        return None
    points, other = (
        np.stack([resample(s, shapes.POINTS) for s in lines]) for lines in (strokes, form)
    )
    far = np.abs(points[:, None] - other[None]).max((2, 3))
    order = far.argmin(1).tolist()
    return order if far.min(1).max() < SAME and len(set(order)) == len(order) else None


def orders(tree: dict, count: int) -> list[list[int]]:
    """The other right orders of a character of `count` strokes, by its decomposition as JSON: each
    component that has more than one order in each of them, WAYS at most."""
    orderings = [list(range(count))]
    for element, strokes in _components(tree):
        for text in ORDERS.get(element, ()):
            numbers = [int(number.rstrip("r")) for number in text.split()]
            if len(numbers) != len(strokes):
                continue
            turned = [number.endswith("r") for number in text.split()]
            for order in list(orderings):
                places = [place for place, k in enumerate(order) if k in strokes]
                if [order[place] for place in places] != strokes or len(orderings) > WAYS:
                    continue
                other = order.copy()
                for place, k, back in zip(places, numbers, turned, strict=True):
                    other[place] = ~strokes[k] if back else strokes[k]
                if other not in orderings:
                    orderings.append(other)
    return orderings[1:]


def _components(tree: dict) -> Iterator[tuple[str, list[int]]]:
    """Elements with their strokes, once by name and once by name and position."""
    strokes = sorted(tree.get("strokes", ()))
    yield tree.get("element", ""), strokes
    yield f"{tree.get('element', '')} {tree.get('position', '')}", strokes
    for part in tree.get("parts", ()):
        yield from _components(part)


def best(forms: Sequence[dict]) -> dict:
    """Of a character's forms the one to compare with: a true one, or the first."""
    known = {form["source"]: form for form in forms}
    return next((known[source] for source in TRUE if source in known), forms[0])
