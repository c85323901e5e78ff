import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kakitori.errors import DataError
from kakitori.reading import matching
from kakitori.reading.matching import reference
from kakitori.writing import kanjivg
from tests.drawn_svg import OFFICIAL


def form(source: str, *strokes: list[float]) -> dict:
    return {"source": source, "strokes": list(strokes)}


def table(path: Path, **forms: list[dict]) -> Path:
    rows = [{"character": c, "forms": known, "decomposition": ""} for c, known in forms.items()]
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_the_true_form_where_there_is_one(tmp_path):
    path = table(
        tmp_path / "characters.parquet",
        一=[form("font", [0, 0, 1, 1]), form("kanjivg", [0, 0.5, 0.5, 0.5, 1, 0.5])],
        二=[form("font", [0, 0.2, 1, 0.2], [0, 0.8, 1, 0.8])],
    )
    references = reference.read(path, {"一", "二"})
    assert references["一"].ordered and not references["二"].ordered
    np.testing.assert_array_equal(references["一"].strokes[0], [[0, 0.5], [0.5, 0.5], [1, 0.5]])
    assert len(references["二"].strokes) == 2


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.parquet: expected the strokes of char"):
        reference.read(tmp_path / "absent.parquet", {"一"})
    path = table(tmp_path / "characters.parquet", 一=[form("font", [0, 0, 1, 1])])
    with pytest.raises(DataError, match="expected strokes of x鬱, found 1 other characters"):
        reference.read(path, {"一", "鬱", "x"})
    path.write_text("no table")
    with pytest.raises(DataError, match="expected the table of characters, found: "):
        reference.read(path, {"一"})
    pd.DataFrame({"character": ["一"]}).to_parquet(path)
    with pytest.raises(DataError, match="expected the table of characters, found: "):
        reference.read(path, {"一"})


# Of KanjiVG's variant files some with one component that has several orders, one with two, and one
# whose component stands in a character that has no such file.
@pytest.mark.parametrize(
    ("character", "form"),
    [
        *(("止", "HzFst"), ("玉", "VtLst"), ("馬", "Vt6"), ("必", "Ten3"), ("虎", "HzFstRiLe")),
        *(("拒", "HzFst"), ("臼", "HzLst"), ("発", "Dg3"), ("桃", "KaishoMidFst"), ("差", "VtLst")),
    ],
)
def test_orders_are_those_of_the_variant_files(character, form):
    (base,) = kanjivg.read(OFFICIAL, [character])
    (other,) = kanjivg.read(OFFICIAL, [character], form)
    ends = [np.concatenate([s[0], s[-1]]) for s in base.strokes]
    order = [
        int(np.argmin([np.abs(np.concatenate([s[0], s[-1]]) - e).sum() for e in ends]))
        for s in other.strokes
    ]
    assert sorted(order) == list(range(len(ends))) and order != sorted(order)
    tree = json.loads(base.tree.to_json())
    assert order in reference.orders(tree, len(ends))


@pytest.mark.parametrize(
    ("character", "count"), [("葛", 11), ("辻", 5), ("飴", 13), ("令", 5), ("茨", 9), ("捲", 12)]
)
def test_other_forms_are_ways(character, count):
    """曷 as in 渇, one dot of 辶, 飠 of eight strokes, マ of 令 or its other form."""
    (base,) = kanjivg.read(OFFICIAL, [character])
    model = form("kanjivg", *(stroke.ravel().tolist() for stroke in base.strokes))
    others = reference.variants({character})[character]
    ways = reference.ways([model], base.tree.to_json(), others)
    forms = [way for way in ways if not isinstance(way[0], int)]
    assert count in {len(way) for way in forms}
    assert len(forms) == len({tuple(map(bytes, map(np.float32, way))) for way in forms})


def test_the_same_strokes_in_another_order_are_an_order():
    (base,) = kanjivg.read(OFFICIAL, ["止"])
    strokes = list(base.strokes)
    assert reference.order_among([strokes[k] for k in (1, 0, 2, 3)], strokes) == [1, 0, 2, 3]
    assert reference.order_among(strokes[:3], strokes) is None
    assert reference.order_among([*strokes[:3], strokes[0]], strokes) is None
    model = form("kanjivg", *(stroke.ravel().tolist() for stroke in strokes))
    others = reference.variants({"止"})["止"]
    ways = reference.ways([model], "", others)
    assert [1, 0, 2, 3] in ways


def test_a_stroke_that_may_run_from_its_end():
    """The first of 匕, from the left in 比 and 北 as brushes write them."""
    tree = {"element": "匕", "strokes": [0, 1]}
    assert reference.orders(tree, 2) == [[~0, 1]]


def test_orders_of_several_components():
    """止 beside 王: each in its own order or in the other."""
    parts = [{"element": "卜", "strokes": [0, 1]}, {"element": "王", "strokes": [2, 3, 4, 5]}]
    orders = reference.orders({"element": "", "strokes": list(range(6)), "parts": parts}, 6)
    assert (
        [1, 0, 2, 4, 5, 3] in orders
        and [0, 1, 2, 4, 5, 3] in orders
        and [1, 0, 2, 3, 4, 5] in orders
    )
    assert all(sorted(order) == list(range(6)) for order in orders)


def test_orders_are_permutations():
    for element, orders in reference.ORDERS.items():
        for text in orders:
            numbers = [int(number.removesuffix("r")) for number in text.split()]
            assert sorted(numbers) == list(range(len(numbers))), element
            assert numbers != sorted(numbers) or "r" in text, element


def test_ways_and_look_alikes(tmp_path):
    upper, lower = [[0.2, 0.3, 0.8, 0.3], [0.05, 0.6, 0.95, 0.6]], [0.5, 0.05, 0.5, 0.95]
    long, short = [0.05, 0.3, 0.95, 0.3], [0.3, 0.6, 0.7, 0.6]
    brush = form("kaisho", [0.2, 0.35, 0.8, 0.3], [0.05, 0.6, 0.95, 0.6], lower)
    path = table(
        tmp_path / "characters.parquet",
        未=[form("kanjivg", *upper, lower), brush, form("font", *upper, lower)],
        末=[form("kanjivg", long, short, lower)],
        一=[form("font", [0, 0.5, 1, 0.5])],
    )
    references = reference.read(path, {"未", "一"})
    np.testing.assert_array_equal(references["未"].ways[0][0], [[0.2, 0.35], [0.8, 0.3]])
    assert list(references["未"].alike) == ["末"]
    assert not references["一"].ways and not references["一"].alike


def test_a_digit_written_of_fewer_strokes():
    """7 with and without the short stroke at its left; the whole one stays the model."""
    (base,) = kanjivg.read(OFFICIAL, ["7"])
    model = form("kanjivg", *(stroke.ravel().tolist() for stroke in base.strokes))
    (way,) = reference.ways([model], base.tree.to_json())
    assert len(model["strokes"]) == 2 and len(way) == 1
    np.testing.assert_allclose(way[0], base.strokes[1], atol=1e-6)
    assert matching.match(way, base.strokes, True, [way]).accepted
    assert not matching.match(way, base.strokes, True).accepted


def test_the_first_stroke_of_a_door_may_fall_to_the_left():
    (base,) = kanjivg.read(OFFICIAL, ["所"])
    assert [~0, 1, 2, 3, 4, 5, 6, 7] in reference.orders(json.loads(base.tree.to_json()), 8)
