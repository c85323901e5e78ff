"""Accuracy over parts of the test, by hand."""

import numpy as np
import pandas as pd

from kakitori.evaluation import slices
from kakitori.reading.characters.radicals import Component

TEXT = "林森あ"


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    tree = Component(
        "林", parts=(Component("木"), Component("", parts=(Component("木"), Component("丶"))))
    )
    characters = pd.DataFrame(
        {
            "codepoint": [ord(c) for c in TEXT],
            "stroke_count": [8, 12, 3],
            "radicals": [["木"], ["木", "十"], ["あ"]],
            "decomposition": [tree.to_json(), "", ""],
        }
    ).set_index("codepoint")
    rows = pd.DataFrame(
        {
            "codepoint": [ord(c) for c in "林林森あ"],
            "corpus": ["a", "a", "b", "b"],
            "quality": [-1, 2, 2, 1],
            "writer_group": ["x", "y", "x", "y"],
        }
    )
    return rows, characters


def test_every_slice():
    rows, characters = tables()
    found = slices.sliced(np.array([True, False, True, True]), rows, characters)
    half, whole = {"samples": 2, "top1": 0.5}, {"samples": 1, "top1": 1.0}
    assert found["script"] == {"hiragana": whole, "kanji": {"samples": 3, "top1": 2 / 3}}
    assert found["strokes"] == {"01-04": whole, "05-08": half, "09-12": whole}
    assert found["corpus"] == {"a": half, "b": {"samples": 2, "top1": 1.0}}
    assert found["quality"] == {"1": whole, "2": half}
    assert found["radical"]["木"] == {"samples": 3, "top1": 2 / 3}
    assert found["radical"]["十"] == whole
    assert found["component"] == {"丶": half, "木": half}, "each part once, the nameless one not"
    table = slices.as_table(found)
    assert set(table["slice"]) == set(found) and len(table) == sum(map(len, found.values()))


def test_what_nothing_is_known_of_is_empty():
    rows, characters = tables()
    plain = characters.assign(decomposition="")
    found = slices.sliced(np.full(4, True), rows.assign(quality=-1), plain)
    assert found["quality"] == {} and found["component"] == {}


def test_writers():
    right = np.array([True, True, True, False])
    found = slices.by_writer(right, np.array(["a", "a", "b", "b"]))
    assert found == {
        "groups": 2,
        "best": 1.0,
        "best_group": "a",
        "worst": 0.5,
        "worst_group": "b",
        "spread": np.std([1, 0.5], ddof=1),
    }
    assert "spread" not in slices.by_writer(right, np.full(4, "a")), "one has none"
